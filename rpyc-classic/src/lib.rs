//! RPyC's classic mode, both sides: programs import modules, evaluate and execute Python code, and copy
//! files in another process.
//!
//! | to | use |
//! |---|---|
//! | work in a remote Python, this crate's or Python's own server's | [`connect`], [`ClassicConnection`] |
//! | copy files and directories | [`Transfer`] |
//! | run code with this program's standard streams; a remote prompt | [`Stdio`], [`Prompt`] |
//! | serve classic mode | [`SlaveService`], on any [`Evaluator`] |
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
//! remote interpreter prompt, post-mortem debugging). The code runs in an [`Evaluator`], which is
//! a crate of its own: `rpyc-rustpython` brings a whole Python along.
//!
//! A client of this service may do whatever the process may: offer it to nobody whom you wouldn't
//! give a shell.
//!
//! # What is refused
//!
//! - Nothing is unpickled because a client sent it: `copy.copy` of a client's object raises TypeError.
//!   `rpyc.utils.classic.obtain` is there for code on this side that trusts its client.
//! - No module is imported because an exception of a client's names it.
#![warn(missing_docs)]

/// Debug of what has nothing to show but its name.
macro_rules! opaque {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

mod address;
mod arguments;
pub mod bridge;
mod client;
pub mod code_pages;
pub mod connections;
pub mod embedding;
pub mod evaluator;
pub mod getconn;
mod hashes;
pub mod heap;
pub mod hosting;
pub mod interrupt;
mod options;
pub mod peer;
pub mod python;
mod slave;
pub mod target;
pub mod threads;

pub use client::{
    ClassicConnection, Interrupter, Modules, Namespace, NamespaceKeys, Outcome, Phase, Progress,
    Prompt, Redirected, Stdio, Transfer, TransferError, Transferred, connect,
};
pub use embedding::{EvaluatorOptions, StartError};
pub use evaluator::{Evaluator, Session};
pub use slave::{SlaveOptions, SlaveService};
