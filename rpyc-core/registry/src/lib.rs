//! The registry: where servers say what they offer, and clients ask who offers it.
//!
//! [`Directory`] is what any of them can be asked. [`RegistryClient`] talks to a registry server,
//! Python's or the one of `rpyc-server registry`.
//! [`message`] is what both sides of that are made of: bytes to commands and answers, pure.
//!
//! ```no_run
//! use rpyc_registry::{Directory, RegistryClient};
//!
//! # fn main() -> Result<(), rpyc_registry::RegistryError> {
//! // Whoever answers in this network, as Python's `rpyc.discover("FILES")`.
//! let servers = RegistryClient::broadcast().discover("FILES")?;
//! // A registry that is known.
//! let names = RegistryClient::tcp("registry.example").list(None)?;
//! # Ok(())
//! # }
//! ```

mod client;
mod connect;
mod directory;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
pub mod message;
mod resolve;
pub mod service_pool;
mod transport;

pub use self::client::RegistryClient;
pub use self::connect::ConnectByService;
pub use self::directory::{Directory, Offer, ServerEntry, ServerFacts, Watch};
pub use self::error::RegistryError;
#[cfg(feature = "etcd")]
pub use self::etcd::{EtcdBuilder, EtcdDirectory};
pub use self::message::ServerAddress;

/// The UDP and TCP port of a registry where nobody says otherwise.
pub const DEFAULT_PORT: u16 = 18811;
