//! Which version of the wire a connection speaks, and to which of the peer's threads an answer goes.

use crate::codec::{DecodeError, Dialect, Envelope, Seq, Threads};
use crate::sync::atomic::{AtomicU8, Ordering};

/// The dialect: the one that this side begins with, then what the peer's first frame shows.
pub(super) struct Wire(AtomicU8);

impl Wire {
    pub(super) fn new(dialect: Dialect) -> Wire {
        Wire(AtomicU8::new(dialect.to_bits()))
    }

    pub(super) fn dialect(&self) -> Dialect {
        // The frames themselves bring what else is to be known, in order.
        Dialect::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Takes on the peer's dialect, which its first payload shows.
    pub(super) fn settle(&self, first_payload: &[u8]) -> Result<(), DecodeError> {
        let dialect = Dialect::detect(first_payload)?;
        self.0.store(dialect.to_bits(), Ordering::Relaxed);
        Ok(())
    }

    /// The envelope of a request of ours.
    pub(super) fn request(&self) -> Envelope {
        self.envelope(ANY_THREAD)
    }

    /// The envelope of an answer.
    pub(super) fn answer(&self, to: &ReplyTo) -> Envelope {
        self.envelope(to.thread)
    }

    fn envelope(&self, recipient: u64) -> Envelope {
        Envelope {
            dialect: self.dialect(),
            threads: Threads {
                sender: THIS_SIDE,
                recipient,
            },
        }
    }
}

/// Where the answer to a request of the peer goes.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    pub(super) seq: Seq,
    /// The peer's thread that has sent the request and waits; 0 where the dialect doesn't tell.
    pub(super) thread: u64,
}

/// The recipient of what any thread of the peer may take.
const ANY_THREAD: u64 = 0;

/// What a peer with bind_threads takes for the id of our thread: it needs one that isn't 0.
const THIS_SIDE: u64 = 1;
