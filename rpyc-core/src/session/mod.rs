//! Connections: requests and replies of objects, the tables of references of both sides, and what a
//! peer may do.
//!
//! It stands on `dispatch`, which knows who reads and what runs where, and nothing of objects.

mod async_result;
mod background;
mod boxing;
mod closing;
mod connection;
mod decoding;
mod encoding;
mod exports;
mod handlers;
mod imports;
mod keep_alive;
mod opening;
mod policy;
mod protocol;
mod replies;
mod request;
mod requests;
mod serving;
#[allow(clippy::module_inception)] // the folder's main type is called so, too
mod session;

#[cfg(all(test, shuttle))]
mod model;

pub use self::async_result::AsyncResult;
pub use self::background::BackgroundServing;
pub use self::connection::{Connection, Context, WeakConnection};
pub(crate) use self::session::Link;
