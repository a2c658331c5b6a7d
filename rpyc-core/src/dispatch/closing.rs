//! The end of a connection, whoever wants it: clean-up exactly once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::current::Current;
use super::dispatcher::{Core, Dispatcher, Locked, Posted, Protocol};
use super::lifecycle::{GRACE, Probe};
use crate::error::{CloseReason, Error};
use crate::sync::atomic::Ordering;
use crate::sync::{passed, wait};

impl<P: Protocol> Dispatcher<P> {
    /// Asks a peer that has said CLOSE whether the answers will come without which nothing moves here.
    fn probe<'a>(self: &'a Arc<Self>, mut core: Locked<'a, P>) -> Locked<'a, P> {
        let Some((waiter, pair)) = core.may_probe() else {
            return core;
        };
        let pair = core.lifecycle.pair_of_probe(pair);
        let (seq, progress) = (self.session.take_seq(), core.scheduler.progress());
        core.lifecycle.begin_probe(Probe {
            seq,
            waiter,
            progress,
        });
        drop(core);
        // Where it can't be sent, the CLOSE is answered when its time is over.
        P::queue_posted(self, seq, Posted::Probe, pair);
        self.flush_soon();
        self.core.lock()
    }

    /// Answers the peer's CLOSE if its turn has come, and ends the connection.
    pub(super) fn close_in_turn<'a>(self: &'a Arc<Self>, mut core: Locked<'a, P>) -> Locked<'a, P> {
        let is_idle = core.is_idle();
        let Some(to) = core.lifecycle.take_close(is_idle) else {
            return self.probe(core);
        };
        drop(core);
        P::answer_close(self, &to);
        self.flush_soon();
        if self.outbox.backlog() > 0 {
            // A peer that doesn't read the answer is cut off after a while. No wait here is as long as that.
            let link = self.clone();
            if self.send_helper(move || link.end_when_written(CloseReason::Peer)) {
                return self.core.lock();
            }
        }
        self.end_when_written(CloseReason::Peer);
        self.core.lock()
    }

    /// Ends the connection when everything is written, or the peer hasn't read it for a while.
    fn end_when_written(&self, reason: CloseReason) {
        self.outbox.wait_below(0, Some(Instant::now() + GRACE));
        self.end(reason);
    }

    /// Ends the connection: every wait fails, nothing more is sent or read. The first reason
    /// sticks. The session is told by [`finish`](Dispatcher::finish).
    pub(crate) fn end(&self, reason: CloseReason) {
        self.fail(&mut self.core.lock(), reason);
        self.cut_off();
    }

    /// Ends a connection of whose end the session needn't be told.
    pub(crate) fn end_untold(&self, reason: CloseReason) {
        let mut core = self.core.lock();
        self.fail(&mut core, reason);
        core.lifecycle.finish();
        let kept = core.kept.take();
        drop(core);
        drop(kept);
        self.cut_off();
        self.release_all();
    }

    /// Does what [`end`](Dispatcher::end) does under the lock; [`cut_off`](Dispatcher::cut_off)
    /// comes next.
    pub(super) fn fail(&self, core: &mut Core<P>, reason: CloseReason) {
        let Some(reason) = core.lifecycle.fail(reason) else {
            return;
        };
        core.kept = self.handle();
        let calls = core.calls.fail_all(&Error::Closed(reason));
        core.garbage.call_later(calls);
        for request in core.scheduler.clear_queue() {
            core.garbage.drop_later(P::foreign_parts(request));
        }
        core.sleepers.wake_all();
        core.task_ends.notify();
        core.reading.notify_end();
        self.outbox.close();
        self.wake_watchdog();
    }

    /// Ends the stream of a connection that has failed. To do so a TLS stream locks and writes: it
    /// isn't done under the lock.
    pub(super) fn cut_off(&self) {
        let is_pending = self.core.lock().lifecycle.take_shutdown();
        if is_pending {
            self.stream.shutdown();
        }
    }

    /// The requests that this thread runs wait for the end of the connection from now on: the end
    /// waits for none of them.
    pub(crate) fn await_end_here(&self) {
        let tasks = Current::tasks(self.number);
        if tasks.is_empty() {
            return;
        }
        let mut core = self.core.lock();
        for task in tasks {
            core.scheduler.await_end(task);
        }
        // Another thread's closing may have waited for just these.
        core.task_ends.notify();
    }

    /// This side's CLOSE goes out.
    pub(crate) fn hold_probes(&self) {
        self.core.lock().scheduler.hold_probes();
    }

    /// Closes by this side without asking for consent: lets the requests that run or are queued
    /// end, `grace` at the most, then tells the peer and cleans up.
    pub(crate) fn shut_down(self: &Arc<Self>, grace: Duration) {
        // One that can't be counted never comes.
        let deadline = Instant::now().checked_add(grace);
        let left = || deadline.map(|end| end.saturating_duration_since(Instant::now()));
        self.await_end_here();
        let mut core = self.core.lock();
        loop {
            let has_ended = core.lifecycle.reason().is_some();
            if has_ended || core.is_idle() || deadline.is_some_and(passed) {
                break;
            }
            core = wait_for_task_end(core, left());
        }
        // What the program itself has sent is to take effect. A peer that owes it no answer isn't waited
        // for: a server has many that are idle and don't answer a CLOSE.
        let own = core.scheduler.tasks_at_work() == 0 && core.calls.len() > 0 && !grace.is_zero();
        let (close_time, time_to_answer) = match own {
            true => (GRACE, Some(GRACE)),
            false => (CLOSE_TIME, None),
        };
        drop(core);
        self.leave(CloseReason::Local, time_to_answer);
        self.finish_within(left().unwrap_or(GRACE).max(close_time));
    }

    /// Ends the connection without waiting for anybody: what was sent before is answered first, then
    /// the peer is told. Its answer, its end of the stream or `time_to_answer` ends the connection; until then
    /// what it sends is read, or the system would reset the stream. Without `time_to_answer` the connection
    /// ends once the CLOSE is written. Never blocks.
    pub(crate) fn leave(self: &Arc<Self>, reason: CloseReason, time_to_answer: Option<Duration>) {
        let mut core = self.core.lock();
        if !core
            .lifecycle
            .leave(reason.clone(), Instant::now(), time_to_answer)
        {
            return;
        }
        core.kept = Some(self.clone());
        let is_due = self.is_to_send_close(&mut core);
        drop(core);
        if !self.wake_watchdog() {
            // Nobody else would.
            return self.end(reason);
        }
        if is_due {
            self.send_close();
        }
    }

    /// Whether a side that leaves is to send its CLOSE now: all that it has sent is answered, and
    /// nothing of the peer's runs. True once.
    pub(super) fn is_to_send_close(&self, core: &mut Core<P>) -> bool {
        let is_answered = self.unanswered.load(Ordering::Relaxed) == 0;
        let is_quiet = is_answered && core.is_idle();
        core.lifecycle.begin_queueing_close(is_quiet)
    }

    /// Queues the CLOSE of a side that leaves, and has it sent.
    pub(super) fn send_close(self: &Arc<Self>) {
        self.hold_probes();
        let seq = self.session.take_seq();
        let queued = P::queue_posted(self, seq, Posted::Close, Current::pair(self.number));
        let mut core = self.core.lock();
        let Some((reason, awaits_answer)) = core.lifecycle.close_queued(seq) else {
            return;
        };
        let is_over = !queued || !core.calls.is_unanswered(seq);
        drop(core);
        if is_over {
            return self.end(reason);
        }
        let link = self.clone();
        self.send_helper(move || {
            link.flush();
            if !awaits_answer {
                // Even after a burst of requests: nothing is written once the connection has failed.
                link.end_when_written(reason);
            }
        });
    }

    /// Waits for the running requests to end, `grace` at the most, and tells the session, unless
    /// another thread does so; returns when it has been told. A thread that runs one of them can't wait
    /// for its end, and leaves all that to others.
    pub(crate) fn finish_within(self: &Arc<Self>, grace: Duration) {
        if Current::task(self.number).is_some() {
            return;
        }
        let deadline = Instant::now() + grace;
        let mut core = self.core.lock();
        loop {
            let late = passed(deadline);
            if core.lifecycle.is_finished() || (core.lifecycle.is_finishing() && late) {
                return;
            }
            if core.lifecycle.reason().is_none() && late {
                // Whoever was to tell the peer has not got through.
                drop(core);
                self.end(CloseReason::Local);
                // Somebody else may have finished meanwhile.
                core = self.core.lock();
                continue;
            }
            if (core.scheduler.tasks() == 0 || late) && core.lifecycle.begin_finishing() {
                drop(core);
                return self.finish();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            core = wait_for_task_end(core, Some(left));
        }
    }

    /// Tells the session and gives up what is held. Only who has begun the finishing may call it.
    pub(super) fn finish(self: &Arc<Self>) {
        P::ended(self);
        self.release_all();
        let mut core = self.core.lock();
        core.lifecycle.finish();
        core.task_ends.notify();
        // It may hold this connection, and each would keep the other in memory.
        let observer = core.reading.set_observer(None);
        let kept = core.kept.take();
        drop(core);
        drop((observer, kept));
    }

    /// Drops everything that the connection holds: what it handed out and what it was given.
    fn release_all(&self) {
        let held = self.session.release_all();
        self.core.lock().garbage.drop_later(held);
        self.drop_garbage();
    }

    /// Whether a call that began now would fail, as far as is known here.
    pub(crate) fn is_ending(&self) -> bool {
        let core = self.core.lock();
        core.lifecycle.is_ending(core.is_idle())
    }

    /// Whether the connection has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.core.lock().lifecycle.reason().is_some()
    }

    /// This thread is to close, and to wait for the peer's consent; says whether it does so. Where this side leaves
    /// already, it waits for that instead.
    pub(crate) fn begin_close(self: &Arc<Self>) -> bool {
        let mut core = self.core.lock();
        let begins = core.lifecycle.begin_close();
        let leaves = core.lifecycle.is_leaving();
        drop(core);
        if leaves {
            self.finish_within(GRACE);
        }
        begins
    }

    /// Why the connection has ended, or is about to by this side.
    pub(crate) fn closing_reason(&self) -> Option<CloseReason> {
        self.core.lock().lifecycle.closing_reason()
    }
}

impl<P: Protocol> Core<P> {
    /// The peer has ended the stream behind its CLOSE: what it hasn't answered it never will.
    pub(super) fn end_input(&mut self) {
        self.reading.end();
        let calls = self.calls.fail_all(&Error::Closed(CloseReason::Peer));
        self.garbage.call_later(calls);
        self.sleepers.wake_all();
    }

    /// That was answered. If it is the probe, the reply that it asked about will never come: that wait fails.
    pub(super) fn settle_probe(&mut self, answered: u64) {
        let Some(waiter) = self
            .lifecycle
            .end_probe(answered, self.scheduler.progress())
        else {
            return;
        };
        if self.calls.awaited_at(waiter).is_none() {
            // It has yet to say what it waits for.
            return;
        }
        let error = Error::Closed(CloseReason::Peer);
        let calls = self.calls.fail_awaited(waiter, &error);
        self.garbage.call_later(calls);
        self.scheduler.answered(waiter);
        self.sleepers.wake_all();
    }
}

/// Waits until a task or the connection has ended, or so much time has passed.
fn wait_for_task_end<P: Protocol>(
    mut core: Locked<'_, P>,
    limit: Option<Duration>,
) -> Locked<'_, P> {
    let told = core.task_ends.begin_wait();
    core = wait(&told, core, limit);
    core.task_ends.end_wait();
    core
}

/// How long the peer has to take the CLOSE of a side that shuts down, and handlers to notice.
const CLOSE_TIME: Duration = Duration::from_millis(500);
