//! RPyC's classic mode: clients import modules, evaluate and execute Python code on the server.
//!
//! [`SlaveService`] is what Python's rpyc calls by that name: its clients get `conn.modules`,
//! `conn.eval`, `conn.execute`, `conn.namespace` and `conn.builtins`, and everything that Python's rpyc
//! builds on these (upload and download, obtain and deliver, redirected standard streams, a
//! remote interpreter prompt, post-mortem debugging). The code runs in an [`Evaluator`]; the one that
//! is built in is [`rustpython::Engine`], so that no Python needs to be installed.
//!
//! ```no_run
//! use rpyc_classic::rustpython::{Engine, Options};
//! use rpyc_classic::{SlaveOptions, SlaveService};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::start(Options::default())?;
//! let factory = SlaveService::factory(engine, SlaveOptions::default());
//! // A server makes a service of each connection with it.
//! let service = factory.create()?;
//! # let _ = service;
//! # Ok(())
//! # }
//! ```
//!
//! A client of this service may do whatever the process may: offer it to nobody whom you wouldn't
//! give a shell.
//!
//! # What differs from CPython
//!
//! - Modules written in C (numpy, lxml, ...) can't be imported. The standard library is built in;
//!   `curses`, `readline` and `tkinter` aren't.
//! - Functions can't be teleported as bytecode: each interpreter has its own. Send their source with
//!   `conn.execute`.
//! - There is no global interpreter lock: the code of several clients runs at the same time, and
//!   so do several requests of one client where it asks for that. Objects that clients share need locks.
//! - Plain Python code runs about four times slower than in CPython.
//! - The interpreter is one for all clients: each has its own namespace, but modules, `sys.stdout`, the
//!   working directory and the environment are shared.
//!
//! # What is refused
//!
//! - Nothing is unpickled because a client sent it: `copy.copy` of a client's object raises TypeError.
//!   `rpyc.utils.classic.obtain` is there for code on this side that trusts its client.
//! - No module is imported because an exception of a client's names it.
#![warn(missing_docs)]

mod arguments;
mod client_side;
pub mod evaluator;
#[allow(unsafe_code)] // what RustPython's macros expand to
pub mod rustpython;
mod slave;

pub use evaluator::{Evaluator, Session};
pub use slave::{SlaveOptions, SlaveService};
