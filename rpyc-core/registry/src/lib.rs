//! Finding RPyC servers by the names of their services.
//!
//! Servers say in a [`Directory`] which services they offer, and where; clients ask it. Each directory is
//! asked and told the same:
//!
//! | | what it is | |
//! |---|---|---|
//! | [`RegistryClient`] | a registry server, Python's `rpyc_registry` or `rpyc-server registry`, over UDP (a broadcast finds it) or TCP | forgets who doesn't say for four minutes that it is there; is asked again to see what has changed |
//! | `EtcdDirectory` (feature `etcd`) | a cluster of etcd, over HTTP or TLS | forgets who is gone within a lease; tells at once what has changed; knows more of each server |
//! | one of your own | whatever implements the trait | |
//!
//! What a directory says is what somebody has registered: a claim, not a fact. Whether the server is the
//! right one, TLS says.
//!
//! # A client
//!
//! ```no_run
//! use rpyc_core::{Connector, args};
//! use rpyc_registry::{ConnectByService, Directory, RegistryClient};
//!
//! # fn main() -> rpyc_core::Result<()> {
//! let registry = RegistryClient::tcp("registry.example"); // or `broadcast()`: whoever answers here
//!
//! // The first server that can be reached, as Python's `rpyc.connect_by_service("CALCULATOR")`.
//! let conn = Connector::new().connect_by_service(&registry, "CALCULATOR")?;
//! let sum = conn.root()?.call_method("add", args![1, 2])?.extract::<i64>()?;
//!
//! // Where they are, as `rpyc.discover("CALCULATOR")`.
//! for server in registry.discover("CALCULATOR")? {
//!     println!("{server}");
//! }
//! // Which services there are, as `rpyc.list_services()`.
//! println!("{:?}", registry.list(None)?);
//! # Ok(())
//! # }
//! ```
//!
//! [`Directory::watch`] follows a service. [`ServicePool`] does, too, and keeps a connection to each of its
//! servers: each call goes to the one with the fewest unanswered, and one that fails is left out until it is
//! back.
//!
//! # A server
//!
//! ```no_run
//! use rpyc_registry::{Directory, Offer, RegistryClient, RegistryError};
//!
//! # fn main() -> Result<(), RegistryError> {
//! let registry = RegistryClient::tcp("registry.example");
//! let offer = Offer::new(["CALCULATOR"], 18861)?;
//! let again_after = registry.register(&offer)?; // to be repeated as long as the server is there
//! registry.unregister(offer.port())?;
//! # Ok(())
//! # }
//! ```
//!
//! `rpyc_server::registry::Registration` repeats it on a thread of its own, and unregisters at the end.
//!
//! # Errors
//!
//! [`RegistryError`] says why a directory was of no help. Where calls may fail, too, it is within
//! [`rpyc_core::Error::Other`]; [`RegistryError::of`] finds it there.
//!
//! # Features
//!
//! - `etcd`: `EtcdDirectory`, with TLS.
#![forbid(unsafe_code)]

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
#[doc(inline)]
pub use self::service_pool::ServicePool;

/// The UDP and TCP port of a registry where nobody says otherwise.
pub const DEFAULT_PORT: u16 = 18811;
