//! What threads wait for, each with an outcome of its own.

use std::time::Instant;

use super::background_state::BackgroundState;
use super::dispatcher::{Core, Protocol};
use super::scheduler::WaiterId;
use super::slot::Reply;
use super::wait_loop::{Wait, WaitMode};
use crate::error::{CloseReason, Error};
use crate::sync::passed;

/// For the reply to a request of ours: it, or nothing where the time is over.
#[derive(Debug)]
pub(crate) struct ForReply {
    seq: u64,
    is_over: bool,
}

impl ForReply {
    pub(crate) fn new(seq: u64) -> ForReply {
        ForReply {
            seq,
            is_over: false,
        }
    }
}

impl<P: Protocol> Wait<P> for ForReply {
    type Outcome = Option<Reply<P::Payload>>;
    const MODE: WaitMode = WaitMode::ForReplies;

    fn begin(&mut self, core: &mut Core<P>, waiter: WaiterId) {
        core.calls.add_waiter(self.seq, waiter);
    }

    fn look(&mut self, core: &mut Core<P>) -> Option<Self::Outcome> {
        let reply = core.calls.take(self.seq)?;
        self.is_over = true;
        Some(Some(reply))
    }

    fn closed(&self, reason: &CloseReason) -> Self::Outcome {
        Some(Err(Error::Closed(reason.clone())))
    }

    fn timed_out(&self) -> Self::Outcome {
        None
    }

    fn end(&mut self, core: &mut Core<P>, waiter: WaiterId) {
        if !self.is_over {
            core.calls.remove_waiter(self.seq, waiter);
        }
    }
}

/// For one message of the peer's: whether one has come.
#[derive(Debug, Default)]
pub(crate) struct ForMessage {
    before: u64,
}

impl<P: Protocol> Wait<P> for ForMessage {
    type Outcome = Result<bool, CloseReason>;
    const MODE: WaitMode = WaitMode::ServingOne;

    fn begin(&mut self, core: &mut Core<P>, _: WaiterId) {
        self.before = core.reading.messages();
    }

    fn look(&mut self, core: &mut Core<P>) -> Option<Self::Outcome> {
        (core.reading.messages() > self.before).then_some(Ok(true))
    }

    fn after_task(&self) -> Option<Self::Outcome> {
        Some(Ok(true))
    }

    fn closed(&self, reason: &CloseReason) -> Self::Outcome {
        Err(reason.clone())
    }

    fn timed_out(&self) -> Self::Outcome {
        Ok(false)
    }
}

/// For the end of the connection: why it has ended, unless the thread was interrupted. It has no time limit.
#[derive(Debug)]
pub(crate) struct ForEnd;

impl<P: Protocol> Wait<P> for ForEnd {
    type Outcome = CloseReason;
    const MODE: WaitMode = WaitMode::Serving;

    fn look(&mut self, _: &mut Core<P>) -> Option<Self::Outcome> {
        None
    }

    fn closed(&self, reason: &CloseReason) -> Self::Outcome {
        reason.clone()
    }

    fn timed_out(&self) -> Self::Outcome {
        CloseReason::Interrupted
    }
}

/// For the end of a background thread's work, or of the connection: whether that has ended.
#[derive(Debug)]
pub(crate) struct ForDismissal<'a>(pub(crate) &'a BackgroundState);

impl<P: Protocol> Wait<P> for ForDismissal<'_> {
    type Outcome = bool;
    const MODE: WaitMode = WaitMode::Serving;

    fn look(&mut self, _: &mut Core<P>) -> Option<bool> {
        self.0.is_over().then_some(false)
    }

    fn yields_reading(&self, core: &Core<P>) -> bool {
        self.0.yields_reading(core.calls.waits())
    }

    fn closed(&self, _: &CloseReason) -> bool {
        true
    }

    fn timed_out(&self) -> bool {
        false
    }
}

/// For what is there already, until this time at the latest: why the connection has ended, if it
/// has.
#[derive(Debug)]
pub(crate) struct ForReady(pub(crate) Instant);

impl<P: Protocol> Wait<P> for ForReady {
    type Outcome = Option<CloseReason>;
    const MODE: WaitMode = WaitMode::ServingReady;

    fn look(&mut self, _: &mut Core<P>) -> Option<Self::Outcome> {
        None
    }

    fn after_task(&self) -> Option<Self::Outcome> {
        passed(self.0).then_some(None)
    }

    fn closed(&self, reason: &CloseReason) -> Self::Outcome {
        Some(reason.clone())
    }

    fn timed_out(&self) -> Self::Outcome {
        None
    }
}
