//! For servers that have a pool of threads serve many connections.
//!
//! Such a server is told by a [`ReadinessObserver`] when nobody reads a connection ([`observe_readiness`]), has it
//! served by [`serve_ready`] when something has come, and counts by [`BlockedThreads`] those of its threads that
//! wait for a peer.

use std::sync::Arc;

use crate::error::CloseReason;
use crate::session::Connection;

pub use crate::dispatch::blocked_threads::{BlockedGuard, BlockedThreads};
pub use crate::dispatch::readiness::ReadinessObserver;

/// From now on the observer is told whenever nobody reads the connection, and has it served.
pub fn observe_readiness(connection: &Connection, observer: Arc<dyn ReadinessObserver>) {
    connection.link.observe_readiness(observer);
}

/// Serves what has come, and doesn't wait for more: not for the rest of a frame, either.
///
/// Requests run on this thread, and wait for the peer as they do elsewhere. A peer that sends without end has a
/// turn of some 10 ms, after which [`wants_thread`] may be true, or the observer is told. Returns the reason when
/// the connection has closed; [`Connection::serve_all`] then sees to its end.
pub fn serve_ready(connection: &Connection) -> Option<CloseReason> {
    connection.link.serve_ready()
}

/// Takes in what has come and runs nothing; it may be called while requests run. Says whether [`serve_ready`] should
/// be called, on a thread that may block.
pub fn take_in(connection: &Connection) -> bool {
    connection.link.take_in_ready();
    wants_thread(connection)
}

/// Whether there is something to do that no thread is about to do: requests are queued and none runs, or the
/// connection has closed.
pub fn wants_thread(connection: &Connection) -> bool {
    connection.link.wants_thread()
}
