//! RPyC servers: a thread for each client, over TCP.
//!
//! [`Server`] accepts clients, gives each of them a [`Connection`](rpyc_core::Connection)
//! with a service of its own, serves it on a thread of its own, and ends all of them in order
//! when it is told to stop. What is served is a [`Service`](rpyc_core::service::Service) of
//! `rpyc-core`; the program `rpyc-server` serves the classic mode of `rpyc-classic`.
//!
//! ```no_run
//! use rpyc_core::service::VoidService;
//! use rpyc_server::Server;
//!
//! let server = Server::builder(|| VoidService).listen("127.0.0.1:0")?;
//! println!("listening on {}", server.local_addr());
//! let running = server.start()?;
//! // ... the program's own work ...
//! running.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `classic` (default): builds the program, which serves classic mode with RustPython as its
//!   evaluator. The library is the same with and without it.
//!
//! # Log lines
//!
//! | level | what |
//! |---|---|
//! | error | the accept loop broke and the server ends |
//! | warn | a connection that ended abnormally, a refused client, a lack of file descriptors |
//! | info | one line when a connection starts, one when it ends |
//! | debug | socket options that couldn't be set |
//!
//! # What is absent
//!
//! No TLS, no authentication, no registry, no other serving modes than a thread a client, no
//! streams but TCP. Where the network isn't trusted, put a tunnel in front.
#![forbid(unsafe_code)]

mod server;

pub use self::server::{Builder, ListenError, Running, Server, Stopper};
