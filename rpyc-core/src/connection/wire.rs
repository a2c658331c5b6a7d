//! Which version of the wire a connection speaks, and between which threads its messages go.

use super::current::Current;
use crate::codec::{Dialect, Envelope, Seq, Threads};
use crate::error::CloseReason;
use crate::sync::atomic::{AtomicU8, Ordering};

/// The dialect: the one that this side begins with, then what the peer's first frame shows.
pub(super) struct Wire {
    dialect: AtomicU8,
    // The connection's, in what threads know of the requests that they run.
    connection: u64,
}

impl Wire {
    pub(super) fn new(dialect: Dialect, connection: u64) -> Wire {
        Wire {
            dialect: AtomicU8::new(dialect.to_bits()),
            connection,
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        // The frames themselves bring what else is to be known, in order.
        Dialect::from_bits(self.dialect.load(Ordering::Relaxed))
    }

    /// Takes on the peer's dialect, which its first payload shows; `spoken` says whether this side
    /// has sent anything in its own.
    pub(super) fn settle(&self, first_payload: &[u8], spoken: bool) -> Result<(), CloseReason> {
        let dialect = Dialect::detect(first_payload).map_err(CloseReason::Wire)?;
        let ours = self.dialect();
        if spoken && dialect.has_threads() != ours.has_threads() {
            let on = |on| if on { "on" } else { "off" };
            return Err(CloseReason::Conduct(format!(
                "it has bind_threads {}, and this side {}: both must agree",
                on(dialect.has_threads()),
                on(ours.has_threads())
            )));
        }
        self.dialect.store(dialect.to_bits(), Ordering::Relaxed);
        Ok(())
    }

    /// The envelope of a request of ours: from this thread, for the one whose request it runs.
    pub(super) fn request(&self) -> Envelope {
        let dialect = self.dialect();
        if !dialect.has_threads() {
            return dialect.into();
        }
        let bond = Current::bond(self.connection);
        let threads = Threads {
            sender: bond.ours,
            recipient: bond.peers,
        };
        Envelope { dialect, threads }
    }

    /// The envelope of an answer: for the thread that waits for it, from the one that it knows. That
    /// is this thread, or, where the reader answers for others, the one that the request named.
    pub(super) fn answer(&self, to: &ReplyTo) -> Envelope {
        let dialect = self.dialect();
        if !dialect.has_threads() {
            return dialect.into();
        }
        let bond = Current::bond(self.connection);
        let is_its_own = bond.peers == to.threads.sender;
        let threads = Threads {
            sender: if is_its_own {
                bond.ours
            } else {
                to.threads.recipient
            },
            recipient: to.threads.sender,
        };
        Envelope { dialect, threads }
    }
}

/// Where the answer to a request of the peer goes.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    pub(super) seq: Seq,
    /// The peer's thread that has sent the request and waits, and ours that it named; 0 where the
    /// dialect doesn't tell.
    pub(super) threads: Threads,
}
