//! RPyC: transparent, symmetric remote object access, on the wire of Python's rpyc 6.
//!
//! A program holds a [`Netref`] of an object that lives in another process, and
//! every operation on it happens there. Either side may call the other at any moment, also while
//! it waits for an answer.
//!
//! The layers, from the bottom up: [`codec`] (bytes to values; pure), [`channel`] (streams),
//! [`object`] (what travels by reference), [`Connection`] (who reads, who runs), [`service`] (what a
//! side offers).
#![forbid(unsafe_code)]

// The attribute macros name this crate by its name, also in its own tests.
extern crate self as rpyc_core;

pub mod by_value;
pub mod channel;
pub mod codec;
mod config;
mod connect;
mod connection;
mod counter_hash;
mod error;
mod exception;
pub mod executor;
pub mod object;
pub mod service;
mod sync;

pub use self::codec::{Handler, Limits, Value};
pub use self::config::{BeforeClosed, Config, Nesting, WIRE_VERSION};
#[cfg(unix)]
pub use self::connect::connect_unix;
pub use self::connect::{Connector, connect, connect_thread};
pub use self::connection::{AsyncResult, BackgroundServing, Connection, WeakConnection};
pub use self::error::{CloseReason, Error, Timeout};
pub use self::exception::Exception;
pub use self::executor::{Executor, ThreadPool};
pub use self::object::{
    Any, Args, Context, Expose, Exposed, FromAny, IntoAny, Netref, Object, ObjectRef,
};
pub use rpyc_macros::{expose, service};

pub use self::service::{Service, ServiceFactory, VoidService};
