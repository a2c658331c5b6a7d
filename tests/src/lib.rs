//! The harness of the tests that need more than one process: the server as a program, and
//! Python peers with the `rpyc` from PyPI.
//!
//! Environment variables:
//! - `RPYC_TEST_PEER=stock` runs the tests of the classic server against Python's own server
//!   instead, which shows whether a test asks for what Python does.
//! - `RPYC_TEST_PYTHON` names a CPython; the tests of the classic server have it run the clients' code
//!   in that one (`--python`), for which the harness builds the extension module.
//! - `RPYC_TEST_TLS` set runs the tests of the classic server over TLS.
//! - `RPYC_SERVER_BIN` names a built `rpyc-server`; without it the harness builds one.

pub mod certs;
pub mod child;
pub mod deadline;
#[cfg(test)]
mod documentation;
pub mod etcd;
mod guard;
#[cfg(test)]
mod layers;
pub mod package;
pub mod packages;
mod process;
pub mod python;
pub mod python_server;
pub mod registry;
pub mod server;
pub mod versions;

pub use python::Script;
pub use server::{Evaluator, Server, better_than_stock, only_on};
