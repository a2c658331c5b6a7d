//! [`ReplyTo`]: where an answer goes.

use crate::wire::{Seq, Threads};

/// Where the answer to a request of the peer goes.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    pub(crate) seq: Seq,
    /// The peer's thread that has sent the request and waits, and ours that it named; 0 where the
    /// dialect doesn't tell.
    pub(crate) threads: Threads,
}
