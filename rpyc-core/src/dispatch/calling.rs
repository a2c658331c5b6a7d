//! Requests of ours, in the table of those that aren't answered.

use std::sync::Arc;
use std::time::Instant;

use super::asked::Asked;
use super::calls::Callback;
use super::current::Current;
use super::dispatcher::{Dispatcher, Protocol};
use super::slot::Slot;
use crate::error::Error;
use crate::wire::Handler;

/// Why a request can't be sent.
#[derive(Debug)]
pub(crate) enum NotRegistered {
    /// The connection has ended, or is about to.
    Closed(Error),
    /// Too many are unanswered.
    TooMany,
}

impl<P: Protocol> Dispatcher<P> {
    /// A request is about to be sent; `limit` is how many may be unanswered. Says whether others are
    /// that nobody waits for.
    ///
    /// # Errors
    /// It mustn't be sent.
    pub(crate) fn register_call(
        &self,
        seq: u64,
        asked: Asked,
        now: Instant,
        slot: Option<Arc<Slot<P::Payload>>>,
        limit: usize,
    ) -> Result<bool, NotRegistered> {
        let mut core = self.core.lock();
        if let Some(error) = core.lifecycle.refuses_request(|is_waiting| {
            // What the peer asks for in order to answer may still ask the peer.
            asked.handler() == Handler::Close
                || (is_waiting && Current::task(self.number).is_some())
        }) {
            return Err(NotRegistered::Closed(error));
        }
        if core.calls.len() >= limit {
            return Err(NotRegistered::TooMany);
        }
        let others = core.calls.detached() > 0;
        core.calls.register(seq, asked, now, slot);
        Ok(others)
    }

    /// The request is over, whatever comes. Says what it asked for.
    pub(crate) fn forget_call(&self, seq: u64) -> Option<Asked> {
        let forgotten = self.core.lock().calls.forget(seq);
        // What is left of it goes here, outside of the lock.
        forgotten.map(|(asked, _, _)| asked)
    }

    /// Nobody wants the reply any more, unless callbacks do.
    pub(crate) fn abandon_call(&self, seq: u64) {
        let left = self.core.lock().calls.abandon(seq);
        drop(left);
    }

    /// Adds a callback to an unanswered request; gives it back if it is answered already.
    pub(crate) fn add_callback(
        &self,
        seq: u64,
        callback: Callback<P::Payload>,
    ) -> Option<Callback<P::Payload>> {
        self.core.lock().calls.add_callback(seq, callback)
    }

    /// Why nothing can be sent any more, if nothing can.
    pub(crate) fn send_error(&self) -> Option<Error> {
        self.core.lock().lifecycle.refuses_request(|_| true)
    }

    /// How many of our requests are unanswered, releases not counted.
    pub(crate) fn pending_calls(&self) -> usize {
        self.core.lock().calls.len()
    }

    /// How many requests of the peer's run or are queued.
    pub(crate) fn running_requests(&self) -> usize {
        let core = self.core.lock();
        core.scheduler.tasks() + core.scheduler.queued()
    }
}
