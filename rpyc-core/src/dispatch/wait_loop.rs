//! The one loop of all threads that wait for a reply, or serve. Each of them may become the reader.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::blocked_threads::Waiting;
use super::current::Current;
use super::dispatcher::{Core, Dispatcher, Locked, Protocol};
use super::reading::{ReadMode, ReadOutcome, Reader, Server};
use super::scheduler::{Requester, TaskId, ThreadState, WaiterId};
use super::sleepers::Sleeper;
use crate::error::CloseReason;
use crate::executor::{is_interrupted, is_interruptible};
use crate::sync::{Condvar, left, passed, wait};

/// What a thread waits for. Each kind of wait has an outcome of its own: see [`waits`](super::waits).
pub(crate) trait Wait<P: Protocol> {
    /// What the wait ends with.
    type Outcome;

    /// What its thread does meanwhile.
    const MODE: WaitMode;

    /// It begins.
    fn begin(&mut self, core: &mut Core<P>, waiter: WaiterId) {
        let _ = (core, waiter);
    }

    /// The outcome, if what it waits for has come.
    fn look(&mut self, core: &mut Core<P>) -> Option<Self::Outcome>;

    /// The outcome, if a request that has just been run here is enough.
    fn after_task(&self) -> Option<Self::Outcome> {
        None
    }

    /// Whether it leaves the reading to others for a moment.
    fn yields_reading(&self, core: &Core<P>) -> bool {
        let _ = core;
        false
    }

    /// The outcome of a wait whose connection has ended.
    fn closed(&self, reason: &CloseReason) -> Self::Outcome;

    /// The outcome of a wait whose time is over.
    fn timed_out(&self) -> Self::Outcome;

    /// It is over.
    fn end(&mut self, core: &mut Core<P>, waiter: WaiterId) {
        let _ = (core, waiter);
    }
}

/// What the thread of a wait does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitMode {
    /// It waits for replies.
    ForReplies,
    /// It serves.
    Serving,
    /// It serves one message: a request that it has run ends the wait, and so does what is there already
    /// when its time is over.
    ServingOne,
    /// It serves what is there, and never waits for the peer's bytes.
    ServingReady,
}

impl WaitMode {
    const fn is_for_replies(self) -> bool {
        matches!(self, WaitMode::ForReplies)
    }

    const fn is_ready_only(self) -> bool {
        matches!(self, WaitMode::ServingReady)
    }
}

/// A waiter that was added early; it is removed when this is dropped.
pub(crate) struct ReservedWaiter<'a, P: Protocol> {
    link: &'a Arc<Dispatcher<P>>,
    waiter: Option<WaiterId>,
}

impl<P: Protocol> ReservedWaiter<'_, P> {
    /// The waiter, for the wait that takes it over.
    pub(crate) fn into_waiter(mut self) -> Option<WaiterId> {
        self.waiter.take()
    }
}

impl<P: Protocol> Drop for ReservedWaiter<'_, P> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            self.link.leave_wait(self.link.core.lock(), waiter);
        }
    }
}

impl<P: Protocol> Dispatcher<P> {
    /// Adds the waiter of a wait before what it is for is sent.
    pub(crate) fn reserve_waiter(self: &Arc<Self>) -> ReservedWaiter<'_, P> {
        let (task, pair) = Current::of(self.number);
        let mut core = self.core.lock();
        let waiter = core.scheduler.begin_wait(task, pair);
        core.scheduler.set_state(waiter, ThreadState::Busy);
        ReservedWaiter {
            link: self,
            waiter: Some(waiter),
        }
    }

    /// Waits until what is waited for has come, the deadline has passed or the connection has
    /// closed. Runs requests, reads and sleeps meanwhile, whatever the scheduler allows.
    pub(crate) fn wait_for<W: Wait<P>>(
        self: &Arc<Self>,
        wait: W,
        deadline: Option<Instant>,
    ) -> W::Outcome {
        self.wait_as(None, wait, deadline, None)
    }

    /// Does as [`wait_for`](Dispatcher::wait_for) does, as the waiter that was reserved, if one was. Where it is
    /// known that the deadline is no nearer than `at_least`, the clock isn't asked before the first read.
    pub(crate) fn wait_as<W: Wait<P>>(
        self: &Arc<Self>,
        waiter: Option<WaiterId>,
        mut wait: W,
        deadline: Option<Instant>,
        at_least: Option<Duration>,
    ) -> W::Outcome {
        let _waiting = W::MODE.is_for_replies().then(Waiting::begin);
        let (task, pair) = Current::of(self.number);
        let mut unlooked = at_least;
        let mut core = self.core.lock();
        let waiter = match waiter {
            Some(waiter) => waiter,
            None if W::MODE.is_for_replies() => core.scheduler.begin_wait(task, pair),
            None => {
                if task.is_some() {
                    // Who waits for requests to end waits for this one no more.
                    core.task_ends.notify();
                }
                core.scheduler.begin_serving(task, pair)
            }
        };
        core.scheduler.set_state(waiter, ThreadState::Awake);
        wait.begin(&mut core, waiter);
        core.calls.count_wait(W::MODE.is_for_replies());
        let (mut late, mut late_reads) = (false, 0);
        let mut started = None;
        let (is_interruptible, mut is_quiet) = (is_interruptible(), false);
        let outcome = loop {
            // 1. What is to be run, here or elsewhere.
            let (locked, has_run) =
                self.run_one(core, waiter, started.take(), deadline, is_quiet, || ());
            core = locked;
            if has_run {
                if let Some(outcome) = wait.after_task() {
                    break outcome;
                }
                // However many more there are.
                if !W::MODE.is_ready_only() && deadline.is_some_and(passed) {
                    break wait.look(&mut core).unwrap_or_else(|| wait.timed_out());
                }
                continue;
            }
            // 2. What ends the wait.
            if let Some(outcome) = wait.look(&mut core) {
                break outcome;
            }
            if let Some(reason) = core.lifecycle.reason() {
                break wait.closed(reason);
            }
            if is_quiet && is_interruptible {
                core.scheduler.set_state(waiter, ThreadState::Busy);
                self.pass_on_reading(&mut core);
                drop(core);
                let is_over = is_interrupted();
                core = self.core.lock();
                core.scheduler.set_state(waiter, ThreadState::Awake);
                is_quiet = false;
                if is_over {
                    break wait.look(&mut core).unwrap_or_else(|| wait.timed_out());
                }
                continue; // much may have happened
            }
            // Its time has just begun: the clock needn't be asked.
            let limit = unlooked.take().or_else(|| deadline.map(left));
            let is_late = limit.is_some_and(|left| left.is_zero());
            if is_late && (late || W::MODE != WaitMode::ServingOne) && !W::MODE.is_ready_only() {
                break wait.timed_out();
            }
            // Where another thread runs a request, what comes may be for its wait.
            if W::MODE.is_ready_only() && core.scheduler.tasks() > 0 {
                break wait.timed_out();
            }
            // 3. The next useful thing without anything to run.
            let limit = match is_interruptible {
                true => until_look(limit),
                false => limit,
            };
            let (locked, more) = self.read_or_sleep(core, waiter, &wait, limit, &mut started);
            core = locked;
            is_quiet = !more;
            if W::MODE.is_ready_only() && (!more || deadline.is_some_and(passed)) {
                break wait.timed_out();
            }
            late_reads += u32::from(is_late);
            late = is_late && (!more || late_reads >= MAX_LATE_READS);
        };
        wait.end(&mut core, waiter);
        self.leave_wait(core, waiter);
        self.log_notes();
        // The answer to what was nested on this wait shouldn't wait for what comes next here.
        self.flush_soon();
        outcome
    }

    /// Gives out what is due, and runs what is this waiter's thread's to run, be it `started` already; says whether
    /// there was something. `before` is called first, without the lock. Where nothing else is there,
    /// `is_quiet` says, the answer is written at once: else it shares a write with those of the requests that are there.
    #[inline]
    pub(super) fn run_one<'a>(
        self: &'a Arc<Self>,
        mut core: Locked<'a, P>,
        waiter: WaiterId,
        started: Option<(TaskId, P::Request)>,
        deadline: Option<Instant>,
        is_quiet: bool,
        before: impl FnOnce(),
    ) -> (Locked<'a, P>, bool) {
        let mut job = started;
        if job.is_none() && core.something_is_due() {
            (core, job) = self.give_out(core, Requester::Waiter(waiter));
        }
        // What was given to this thread is run before anything else: nobody else will.
        let Some((task, request)) = job.or_else(|| core.scheduler.take_assigned(waiter)) else {
            return (core, false);
        };
        self.pass_on_reading(&mut core);
        let is_last = is_quiet && core.scheduler.queued() == 0;
        drop(core);
        before();
        let mut core = self.run_task(task, request, deadline, is_last);
        core.scheduler.end_nested(waiter);
        (core, true)
    }

    /// The thread waits no more: what hasn't been run there is for those who still do.
    pub(super) fn leave_wait<'a>(self: &'a Arc<Self>, mut core: Locked<'a, P>, waiter: WaiterId) {
        let had_assigned = core.scheduler.leave(waiter);
        if had_assigned || (core.something_is_due() && core.scheduler.has_waiters()) {
            (core, _) = self.give_out(core, Requester::Nobody);
        }
        self.pass_on_reading(&mut core);
    }

    /// Writes, drops, reads or sleeps; says whether input may be there still. What is to be run here at once is put
    /// into `started`.
    fn read_or_sleep<'a, W: Wait<P>>(
        self: &'a Arc<Self>,
        mut core: Locked<'a, P>,
        waiter: WaiterId,
        wait: &W,
        limit: Option<Duration>,
        started: &mut Option<(TaskId, P::Request)>,
    ) -> (Locked<'a, P>, bool) {
        let garbage = !W::MODE.is_for_replies() && !core.garbage.is_empty();
        if garbage || self.outbox.needs_writer() {
            core.scheduler.set_state(waiter, ThreadState::Busy);
            // What it drops may wait for what another thread is to read.
            self.pass_on_reading(&mut core);
            drop(core);
            // It may have a deadline, and the peer may not read.
            self.flush_soon();
            if garbage {
                self.drop_garbage();
            }
            core = self.core.lock();
            core.scheduler.set_state(waiter, ThreadState::Awake);
            return (core, true);
        }
        if wait.yields_reading(&core) {
            let rest = limit.map_or(REST, |limit| limit.min(REST));
            self.pass_on_reading(&mut core);
            let core = self.sleep(core, waiter, ThreadState::Resting, Some(rest));
            return (core, false);
        }
        let mode = match W::MODE.is_ready_only() {
            true => ReadMode::Ready,
            false => ReadMode::Within(limit),
        };
        // Who has a limit may have to go without running it.
        let serves = !W::MODE.is_for_replies() && !W::MODE.is_ready_only() && limit.is_none();
        let server = serves.then_some(Server { waiter, started });
        let (core, outcome) = self.read_once(core, Reader::Waiter(waiter), mode, server);
        match outcome {
            ReadOutcome::Came { more } => (core, more || W::MODE.is_ready_only()),
            ReadOutcome::NotRead if !W::MODE.is_ready_only() => {
                let core = self.sleep(core, waiter, ThreadState::Asleep, limit);
                (core, false)
            }
            ReadOutcome::NotRead | ReadOutcome::Quiet => (core, false),
        }
    }

    fn sleep<'a>(
        &'a self,
        mut core: Locked<'a, P>,
        waiter: WaiterId,
        how: ThreadState,
        limit: Option<Duration>,
    ) -> Locked<'a, P> {
        let sleeper = Arc::new(Condvar::new());
        core.sleepers.add(waiter, Sleeper::Here(sleeper.clone()));
        core.scheduler.set_state(waiter, how);
        core = wait(&sleeper, core, limit);
        core.sleepers.remove(waiter);
        core.scheduler.set_state(waiter, ThreadState::Awake);
        core
    }
}

/// How long a wait may last before its thread looks whether it is interrupted, if it can be.
pub(super) fn until_look(limit: Option<Duration>) -> Option<Duration> {
    match is_interruptible() {
        true => Some(limit.map_or(LOOK, |limit| limit.min(LOOK))),
        false => limit,
    }
}

/// Reads, of up to 256 KiB each, for who has no time to wait: more than a system keeps for a
/// stream. It stops a peer that sends a large frame faster than it is read.
const MAX_LATE_READS: u32 = 64;

/// How often a thread that can be interrupted looks whether it is. A signal ends a read, and no other wait.
const LOOK: Duration = Duration::from_millis(128);

/// How long a background thread leaves the reading to others.
const REST: Duration = Duration::from_millis(10);
