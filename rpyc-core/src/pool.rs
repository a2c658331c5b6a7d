//! For servers that have a pool of threads serve many connections.
//!
//! Such a server is told by a [`ReadinessObserver`] when nobody reads a connection
//! ([`Connection::observe_readiness`](crate::Connection::observe_readiness)), has it served by
//! [`Connection::serve_ready`](crate::Connection::serve_ready) when something has come, and counts by
//! [`BlockedThreads`] those of its threads that wait for a peer.

pub use crate::dispatch::blocked_threads::{BlockedGuard, BlockedThreads};
pub use crate::dispatch::readiness::ReadinessObserver;
