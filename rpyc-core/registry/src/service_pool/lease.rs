//! [`Lease`]: a server of the pool, in use.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use rpyc_core::Connection;
use rpyc_core::error::{CloseReason, Error};

use super::servers::Ticket;
use super::shared::{Outcome, Shared};

/// A connection to a server of a [`ServicePool`](super::ServicePool), and one of the calls that are
/// unanswered there; made by [`lease`](super::ServicePool::lease).
///
/// It stays the same connection, whatever becomes of it. When the lease is dropped, the pool looks
/// whether it is closed.
pub struct Lease {
    shared: Arc<Shared>,
    ticket: Ticket,
    connection: Connection,
    is_over: bool,
}

impl Lease {
    /// Waits for a server.
    pub(super) fn take(shared: &Arc<Shared>, until: Instant) -> Result<Lease, Error> {
        loop {
            let (ticket, connection) = shared.choose(until)?;
            let lease = Lease {
                shared: shared.clone(),
                ticket,
                connection,
                is_over: false,
            };
            if !lease.connection.is_closed() {
                return Ok(lease);
            }
            // Dropping it tells the pool; others may be better.
            drop(lease);
            if until <= Instant::now() {
                return Err(shared.no_server());
            }
        }
    }

    pub(super) fn end(mut self, outcome: Outcome) {
        self.is_over = true;
        self.shared.end_call(self.ticket, outcome);
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let outcome = match self.connection.is_closed() {
            true => Outcome::Failed(Error::Closed(CloseReason::Eof)),
            false => Outcome::Unknown,
        };
        self.shared.end_call(self.ticket, outcome);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
