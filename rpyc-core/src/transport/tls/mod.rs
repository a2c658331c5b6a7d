//! TLS over any stream: [`TlsClient`] and [`TlsServer`] make a [`TlsStream`] of it.
//!
//! A session is one mutable object that two threads need. It is locked while records are sealed or
//! opened and never while bytes are received or sent. What the reader's side has to say (alerts)
//! is sent by the writer; a reader never blocks in a write.

mod client;
mod error;
mod files;
mod handshake;
mod server;
mod stream;
mod verifier;

pub use self::client::{TlsClient, TlsClientBuilder};
pub use self::error::TlsError;
pub use self::server::TlsServer;
pub use self::stream::TlsStream;
