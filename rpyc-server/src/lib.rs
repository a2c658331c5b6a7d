//! RPyC servers, over TCP and Unix sockets.
//!
//! [`Server`] accepts clients, gives each of them a [`Connection`](rpyc_core::Connection)
//! with a service of its own, serves it, and ends all of them in order
//! when it is told to stop. What is served is a [`Service`](rpyc_core::service::Service) of
//! `rpyc-core`; the program `rpyc-server` serves the classic mode of `rpyc-classic`.
//!
//! ```no_run
//! use rpyc_core::service::VoidService;
//! use rpyc_server::Server;
//!
//! let server = Server::builder(|| VoidService).listen("127.0.0.1:0")?;
//! println!("listening on {}", server.addresses()[0]);
//! let running = server.start()?;
//! // ... the program's own work ...
//! running.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Builder`] has the options and the limits, [`Mode`] says which threads serve, a [`Listener`]
//! is where clients come from, and an [`Authenticator`] decides who is one: [`auth`] has TLS, a
//! shared secret and an allow-list. [`metrics`] are numbers for Prometheus. [`connect_deployed`] copies a
//! server to where it is needed.
//!
//! # Features
//!
//! - `program`: the module `program`, all of the program but the evaluator of classic mode, which
//!   whoever is `main` passes in.
//! - `rustpython` (default): builds the program `rpyc-server`, with RustPython as its evaluator.
//! - `python` (default): the library as a shared one is an extension module of the user's CPython, which
//!   the program loads there for `--python`.
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
//! A source that floods the server doesn't flood its log. Each address (the clients of the machine
//! itself; each /64 network of IPv6) has 400 lines of connections at once and two a second, 10 lines
//! of refusals and one a second; all of them together 4,000 and 200 a second, 400 and 20 a second.
//! Of further ones it says how many there were, and the last one. A registry's sources have 10 lines
//! at once and one a second. Whatever a stranger has a say in is one
//! line of at most 1 KiB.
//!
//! # What is absent
//!
//! No async runtime: threads block.
#![forbid(unsafe_code)]

mod causes;
mod deploy;
#[cfg(feature = "python")]
mod extension;
mod log_limiter;
mod places;
#[cfg_attr(
    not(feature = "program"),
    allow(dead_code, reason = "the rest is the program's")
)]
mod printable;
#[cfg(feature = "program")]
pub mod program;
mod rate;
pub mod registry;
mod server;
mod sockets;
mod source;
mod threads;
mod visitors;

pub use self::deploy::connect_deployed;
pub use self::server::{
    Address, Authenticated, Authenticator, Builder, ChildCommand, InheritedClient, ListenError,
    Listener, Mode, ProcessLimits, RawStream, Rejection, Running, Server, Stopper,
};
pub use self::server::{auth, metrics};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
