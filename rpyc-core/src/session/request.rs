//! [`Request`]: what the peer asks for.

use crate::dispatch::ReplyTo;
use crate::dispatch::scheduler::{Job, ThreadPair};
use crate::object::Any;
use crate::wire::{Handler, heap_size};

/// A request of the peer's, its references resolved.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) to: ReplyTo,
    pub(super) handler: Handler,
    pub(super) args: Vec<Any>,
    /// Netrefs are among the arguments.
    pub(super) has_netrefs: bool,
}

impl Request {
    /// The memory that it takes while it is queued and while it runs.
    pub(super) fn memory(&self) -> usize {
        let Request {
            to,
            handler: _,
            args,
            has_netrefs: _,
        } = self;
        size_of::<Request>()
            .saturating_add(to.seq.heap_size())
            .saturating_add(heap_size::items(args, Any::heap_size))
    }
}

impl Job for Request {
    fn handler(&self) -> Handler {
        self.handler
    }

    fn is_probe(&self) -> bool {
        self.handler == Handler::Ping
    }

    fn pair(&self) -> ThreadPair {
        ThreadPair {
            peers: self.to.threads.sender,
            ours: self.to.threads.recipient,
        }
    }
}
