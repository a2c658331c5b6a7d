//! RPyC's classic mode, both sides: programs import modules, evaluate and execute Python code, and copy
//! files in another process.
//!
//! | to | use |
//! |---|---|
//! | work in a remote Python, this crate's or Python's own server's | [`connect`], [`ClassicConnection`] |
//! | copy files and directories | [`Transfer`] |
//! | run code with this program's standard streams; a remote prompt | [`Stdio`], [`Prompt`] |
//! | serve classic mode | [`SlaveService`], on RustPython or any [`Evaluator`] |
//!
//! # The client
//!
//! ```no_run
//! use rpyc_core::args;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let conn = rpyc_classic::connect("localhost:18812")?;
//! let cwd = conn.module("os")?.call_method("getcwd", args![])?;
//! conn.execute("import math; r = math.pi")?;
//! let r: f64 = conn.obtain(&conn.eval("r")?)?;
//! conn.upload("here", "there")?;
//! # Ok(())
//! # }
//! ```
//!
//! The server gets nothing of this process but what it is handed as an argument or a stream.
//!
//! # The server
//!
//! [`SlaveService`] is what Python's rpyc calls by that name: its clients get `conn.modules`,
//! `conn.eval`, `conn.execute`, `conn.namespace` and `conn.builtins`, and everything that Python's rpyc
//! builds on these (upload and download, obtain and deliver, redirected standard streams, a
//! remote interpreter prompt, post-mortem debugging). The code runs in an [`Evaluator`]; the one that
//! is built in is RustPython, so that no Python needs to be installed.
//!
#![cfg_attr(feature = "rustpython", doc = "```no_run")]
#![cfg_attr(not(feature = "rustpython"), doc = "```ignore")]
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
//! # Features
//!
//! - `rustpython` (default): the module `rustpython` with the evaluator `Engine`. Without it there
//!   are the client, and the service for evaluators of one's own; that builds in seconds.
//!
//! # What is refused
//!
//! - Nothing is unpickled because a client sent it: `copy.copy` of a client's object raises TypeError.
//!   `rpyc.utils.classic.obtain` is there for code on this side that trusts its client.
//! - No module is imported because an exception of a client's names it.
#![warn(missing_docs)]

mod arguments;
mod client;
mod client_side;
pub mod evaluator;
#[cfg(feature = "rustpython")]
#[allow(unsafe_code)] // what RustPython's macros expand to
pub mod rustpython;
mod slave;

pub use client::{
    ClassicConnection, Interrupter, Modules, Namespace, NamespaceKeys, Outcome, Phase, Progress,
    Prompt, Redirected, Stdio, Transfer, TransferError, Transferred, connect,
};
pub use evaluator::{Evaluator, Session};
pub use slave::{SlaveOptions, SlaveService};
