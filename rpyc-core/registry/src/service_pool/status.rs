//! [`PoolStatus`]: what a pool knows of its servers.

use std::sync::Arc;
use std::time::Duration;

use rpyc_core::Error;

use crate::{RegistryError, ServerAddress};

/// What a [`ServicePool`](super::ServicePool) knows at the moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolStatus {
    /// The servers, those that have been known for longest first.
    pub servers: Vec<ServerStatus>,
    /// Why the directory was of no help when it was last asked. The servers that it named before are used
    /// on.
    pub directory_error: Option<RegistryError>,
}

/// What a pool knows of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerStatus {
    /// Where it is.
    pub address: ServerAddress,
    /// Whether the directory names it. One that it doesn't name any more is used while there is no
    /// other.
    pub is_listed: bool,
    /// Whether it is connected, so that calls go to it.
    pub is_connected: bool,
    /// How many of the pool's calls and leases are there.
    pub unanswered: usize,
    /// How often it has failed in a row. Being connected is no success yet; an answer is.
    pub failures: u32,
    /// How long it is until the pool connects again; `None` while it is connected or being connected.
    pub next_try: Option<Duration>,
    /// What it failed with last, unless it has answered since.
    pub last_error: Option<Arc<Error>>,
}
