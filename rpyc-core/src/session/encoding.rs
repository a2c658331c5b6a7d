//! Which version of the wire a connection speaks, and between which threads its messages go.

use crossbeam_utils::atomic::AtomicCell;

use crate::dispatch::scheduler::ThreadPair;
use crate::dispatch::{Current, ReplyTo};
use crate::error::CloseReason;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::wire::{Dialect, Envelope, Limits, Payload, Threads};

/// The dialect: the one that this side begins with, then what the peer's first frame shows.
pub(crate) struct Encoding {
    pub(crate) limits: Limits,
    dialect: AtomicCell<Dialect>,
    // The peer's first frame has come.
    met: AtomicBool,
    // The connection's, in what threads know of the requests that they run.
    connection: u64,
}

impl Encoding {
    pub(crate) fn new(dialect: Dialect, limits: Limits, connection: u64) -> Encoding {
        Encoding {
            limits,
            dialect: AtomicCell::new(dialect),
            met: AtomicBool::new(false),
            connection,
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        // The frames themselves bring what else is to be known, in order.
        self.dialect.load()
    }

    /// Whether the peer has sent anything.
    pub(crate) fn has_met(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }

    /// Takes on the peer's dialect, which its first payload shows; `spoken` says that this side
    /// has sent something in its own.
    ///
    /// # Errors
    /// The peer can't have understood it, or speaks none.
    pub(crate) fn meet(&self, first_payload: &[u8], spoken: bool) -> Result<(), CloseReason> {
        self.met.store(true, Ordering::Relaxed);
        let theirs = Dialect::detect(first_payload).map_err(CloseReason::Wire)?;
        let ours = self.dialect();
        if ours.agrees_with(theirs) {
            return Ok(());
        }
        if spoken && theirs.agrees_with(ours.with_threads_of(theirs)) {
            let on = |on| if on { "on" } else { "off" };
            return Err(CloseReason::Conduct(format!(
                "it has bind_threads {}, and this side {}: both must agree",
                on(theirs.has_threads()),
                on(ours.has_threads())
            )));
        }
        if spoken {
            return Err(CloseReason::Dialect { ours, theirs });
        }
        self.set(theirs);
        Ok(())
    }

    /// The dialect in which to read a message that has just come: it may show more of it than is
    /// known.
    pub(crate) fn learn(&self, known: Dialect, message: &Payload<'_>) -> Dialect {
        let learnt = known.learn_from(message, &self.limits);
        self.set(learnt);
        learnt
    }

    /// Learns from how a request was answered that some versions don't know.
    pub(crate) fn probed(&self, no_such_handler: bool) {
        self.set(self.dialect().learn_from_probe(no_such_handler));
    }

    fn set(&self, dialect: Dialect) {
        self.dialect.store(dialect);
    }

    /// The envelope of a request of ours: from this thread, for the one whose request it runs.
    pub(crate) fn request(&self) -> Envelope {
        self.between(|| Current::pair(self.connection))
    }

    /// The envelope of a message between these threads.
    pub(crate) fn between(&self, pair: impl FnOnce() -> ThreadPair) -> Envelope {
        let dialect = self.dialect();
        if !dialect.has_threads() {
            return dialect.into();
        }
        let pair = pair();
        let threads = Threads {
            sender: pair.ours,
            recipient: pair.peers,
        };
        Envelope { dialect, threads }
    }

    /// The envelope of an answer: for the thread that waits for it, from the one that it knows. That
    /// is this thread, or, where the reader answers for others, the one that the request named.
    pub(crate) fn answer(&self, to: &ReplyTo) -> Envelope {
        self.between(|| {
            let Threads { sender, recipient } = to.threads;
            let pair = Current::pair(self.connection);
            ThreadPair {
                peers: sender,
                ours: match pair.peers == sender {
                    true => pair.ours,
                    false => recipient,
                },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_read_without_a_lock() {
        assert!(AtomicCell::<Dialect>::is_lock_free());
    }
}
