//! The end of a connection, whoever wants it: clean-up exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dispatch::current::Current;
use crate::dispatch::running::{Locked, panic_message};
use crate::dispatch::scheduler::Scheduler;
use crate::dispatch::shared::{Closing, Core, Garbage, Leaving, LeavingState, Request, Shared};
use crate::dispatch::slot::Slot;
use crate::error::{CloseReason, Error};
use crate::object::Any;
use crate::session::Connection;
use crate::session::dialect::ReplyTo;
use crate::sync::atomic::Ordering;
use crate::sync::{passed, wait};
use crate::wire::Handler;

impl Closing {
    /// Whether the peer has asked to close.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether the turn of the peer's CLOSE has come: nothing is ahead of it, or its patience ends.
    pub(crate) fn is_due(&self, scheduler: &Scheduler<Request>) -> bool {
        let idle = scheduler.tasks() == 0 && scheduler.queued() == 0;
        self.reason.is_none()
            && matches!(&self.asked, Some((_, deadline)) if idle || passed(*deadline))
    }

    /// Why the connection ends, once this side has said that it does.
    pub(crate) fn left_for(&self) -> Option<CloseReason> {
        self.leaving.as_ref().map(|leaving| leaving.reason.clone())
    }
}

impl Shared {
    /// The peer's CLOSE has come; its turn is when the requests ahead of it have ended.
    pub(crate) fn ask_to_close(&self, core: &mut Core, to: ReplyTo) {
        core.closing.close_received = true;
        if core.closing.asked.is_none() {
            core.closing.asked = Some((to, Instant::now() + GRACE));
        }
    }

    /// The peer has ended the stream behind its CLOSE: what it hasn't answered it never will.
    pub(crate) fn hear_no_more(&self, core: &mut Core) {
        core.closing.half_closed = true;
        core.read_half = None;
        let calls = core.pending.fail_all(&Error::Closed(CloseReason::Peer));
        core.garbage.extend(calls.into_iter().map(Garbage::Call));
        for sleeper in core.sleepers.values() {
            sleeper.notify_one();
        }
    }

    /// Answers the peer's CLOSE if its turn has come, and ends the connection.
    pub(crate) fn close_in_turn<'a>(self: &'a Arc<Self>, mut core: Locked<'a>) -> Locked<'a> {
        if !core.closing.is_due(&core.scheduler) {
            return core;
        }
        let Some((to, _)) = core.closing.asked.take() else {
            return core;
        };
        drop(core);
        self.reply(&to, Any::NONE);
        // Nobody needs to read any more; a peer that doesn't read the answer either is cut off.
        self.flush_soon();
        self.outbox.wait_below(0, Some(Instant::now() + GRACE));
        self.end(CloseReason::Peer);
        self.core.lock()
    }

    /// Ends the connection: every wait fails, nothing more is sent or read. The first reason
    /// sticks. The service is told by [`finish`](Shared::finish).
    pub(crate) fn end(&self, reason: CloseReason) {
        self.fail(&mut self.core.lock(), reason);
        self.cut_off();
    }

    /// Does what [`end`](Shared::end) does under the lock; [`cut_off`](Shared::cut_off) comes next.
    pub(crate) fn fail(&self, core: &mut Core, reason: CloseReason) {
        if core.closing.reason.is_some() {
            return;
        }
        // A peer that has said that it closes needn't wait for the answer.
        let reason = match reason {
            CloseReason::Io(_) | CloseReason::Eof if core.closing.close_received => {
                CloseReason::Peer
            }
            // Nor need it answer to this side's.
            CloseReason::Io(_) | CloseReason::Eof if core.closing.leaving.is_some() => {
                core.closing.left_for().unwrap_or(reason)
            }
            reason => reason,
        };
        if !core.closing.done {
            core.closing.kept = self.this.upgrade();
        }
        core.closing.reason = Some(reason.clone());
        let calls = core.pending.fail_all(&Error::Closed(reason));
        core.garbage.extend(calls.into_iter().map(Garbage::Call));
        for request in core.scheduler.clear_queue() {
            core.garbage
                .extend(request.args.into_iter().map(Garbage::Any));
        }
        for sleeper in core.sleepers.values() {
            sleeper.notify_one();
        }
        core.ended.notify_all();
        if let Some(observer) = &core.observer {
            // A stream that isn't watched any more doesn't show it.
            observer.on_unread(Some(Duration::ZERO));
        }
        core.closing.shutdown_pending = true;
        self.outbox.close();
        self.wake_watchdog();
    }

    /// Ends the stream of a connection that has failed. To do so a TLS stream locks and writes: it
    /// isn't done under the lock.
    pub(crate) fn cut_off(&self) {
        let shutdown_pending = std::mem::take(&mut self.core.lock().closing.shutdown_pending);
        if shutdown_pending {
            self.stream.shutdown();
        }
    }

    /// Closes by this side: tells the peer, waits a little for its consent, cleans up.
    pub(crate) fn close(self: &Arc<Self>) -> Result<(), Error> {
        if self.closing_here.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        if self.core.lock().closing.reason.is_some() {
            return Ok(());
        }
        if self.core.lock().closing.leaving.is_some() {
            self.finish_within(GRACE);
            return Ok(());
        }
        let config = self.config();
        if let Some(before_closed) = &config.before_closed {
            let connection = Connection::internal(self.clone());
            let told = catch_unwind(AssertUnwindSafe(|| before_closed(&connection)));
            if let Err(panic) = told {
                let what = panic_message(&*panic);
                log::error!(target: &config.logger, "{}: before_closed panicked: {what}", self.connid);
            }
        }
        let patience = config.sync_request_timeout.unwrap_or(GRACE).min(GRACE);
        let answer = self.request_within(Handler::Close, Vec::new(), Some(patience));
        self.end(CloseReason::Local);
        // A handler that closes its own connection can't wait for its own end.
        if Current::task(self.number).is_none() {
            self.finish_within(GRACE);
        }
        match answer {
            Ok(_) => Ok(()),
            Err(Error::Closed(_)) => Ok(()),
            Err(_) if config.close_catchall => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Closes by this side without asking for consent: lets the requests that run or are queued
    /// end, `grace` at the most, then tells the peer and cleans up.
    pub(crate) fn shut_down(self: &Arc<Self>, grace: Duration) {
        // One that can't be counted never comes.
        let deadline = Instant::now().checked_add(grace);
        let left = || deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let mut core = self.core.lock();
        core.closing.draining = true;
        let ended = core.ended.clone();
        loop {
            let idle = core.scheduler.tasks() == 0 && core.scheduler.queued() == 0;
            if core.closing.reason.is_some() || idle || deadline.is_some_and(passed) {
                break;
            }
            core = wait(&ended, core, left());
        }
        // What the program itself has sent is to take effect.
        let own = core.scheduler.tasks() == 0 && core.pending.len() > 0 && !grace.is_zero();
        let last_words = if own { GRACE } else { LAST_WORDS };
        drop(core);
        self.leave(CloseReason::Local, last_words);
        self.finish_within(left().unwrap_or(GRACE).max(last_words));
    }

    /// Ends the connection without waiting for anybody: what was sent before is answered first, then
    /// the peer is told. Its answer, its end of the stream or `patience` ends the connection; until then
    /// what it sends is read, or the system would reset the stream. Never blocks.
    pub(crate) fn leave(self: &Arc<Self>, reason: CloseReason, patience: Duration) {
        let now = Instant::now();
        let mut core = self.core.lock();
        if core.closing.reason.is_some() || core.closing.leaving.is_some() {
            return;
        }
        core.closing.leaving = Some(Leaving {
            state: LeavingState::Answering,
            reason: reason.clone(),
            say_by: now + patience / 2,
            deadline: now + patience,
        });
        core.closing.kept = Some(self.clone());
        let may_go = self.begin_saying_close(&mut core);
        drop(core);
        if !self.wake_watchdog() {
            // Nobody else would.
            return self.end(reason);
        }
        if may_go {
            self.say_close();
        }
    }

    /// Whether a side that leaves is to send its CLOSE now: all that it has sent is answered, and
    /// nothing of the peer's runs. A peer that doesn't get on is told all the same. True once.
    pub(crate) fn begin_saying_close(&self, core: &mut Core) -> bool {
        let idle = core.scheduler.tasks() == 0 && core.scheduler.queued() == 0;
        let answered = self.unanswered.load(Ordering::Relaxed) == 0;
        let Some(leaving) = &mut core.closing.leaving else {
            return false;
        };
        let due = (idle && answered) || passed(leaving.say_by);
        let begins = due && leaving.state == LeavingState::Answering;
        if begins {
            leaving.state = LeavingState::Saying;
        }
        begins
    }

    /// Queues the CLOSE of a side that leaves, and has it sent.
    pub(crate) fn say_close(self: &Arc<Self>) {
        let slot = Arc::new(Slot::new(Handler::Close));
        let (config, answer, now) = (self.config(), Some(slot.clone()), Instant::now());
        let queued =
            self.queue_request(&config, Handler::Close, Vec::new(), now, answer, usize::MAX);
        let mut core = self.core.lock();
        let Some(leaving) = &mut core.closing.leaving else {
            return;
        };
        let reason = leaving.reason.clone();
        if let Ok((seq, _)) = queued {
            leaving.state = LeavingState::Said(seq);
        }
        drop(core);
        if queued.is_err() || slot.is_filled() {
            return self.end(reason);
        }
        let shared = self.clone();
        self.send_helper(move || shared.flush());
    }

    /// Waits for the running requests to end, `grace` at the most, and tells the service, unless
    /// another thread does so; returns when it has been told.
    pub(crate) fn finish_within(self: &Arc<Self>, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut core = self.core.lock();
        let ended = core.ended.clone();
        loop {
            let late = passed(deadline);
            if core.closing.done || (core.closing.finalizing && late) {
                return;
            }
            if core.closing.reason.is_none() && late {
                // Whoever was to tell the peer has not got through.
                drop(core);
                self.end(CloseReason::Local);
                // Somebody else may have finished meanwhile.
                core = self.core.lock();
                continue;
            }
            let finishable = core.closing.reason.is_some() && (core.scheduler.tasks() == 0 || late);
            if finishable && !core.closing.finalizing {
                core.closing.finalizing = true;
                drop(core);
                return self.finish();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            core = wait(&ended, core, Some(left));
        }
    }

    /// Tells the service and empties the tables. Only who has set `finalizing` may call it.
    pub(crate) fn finish(self: &Arc<Self>) {
        let connection = Connection::internal(self.clone());
        let told = catch_unwind(AssertUnwindSafe(|| self.service.on_disconnect(&connection)));
        if told.is_err() {
            log::error!(target: &self.config().logger, "{}: on_disconnect panicked", self.connid);
        }
        self.empty();
        let mut core = self.core.lock();
        core.closing.done = true;
        core.ended.notify_all();
        // It may hold this connection, and each would keep the other in memory.
        let observer = core.observer.take();
        let kept = core.closing.kept.take();
        drop(core);
        drop((observer, kept));
    }

    /// Drops everything that the connection holds: what it handed out and what it was given.
    pub(crate) fn empty(&self) {
        let objects = self.exports.lock().clear();
        let root = self.root.lock().take();
        let local_root = self.local_root.lock().take();
        let mut core = self.core.lock();
        let garbage = objects.into_iter().chain(local_root).map(Garbage::Object);
        core.garbage.extend(garbage.chain(root.map(Garbage::Any)));
        drop(core);
        self.drop_garbage();
    }
}

/// How long the peer has to take the CLOSE of a side that shuts down, and handlers to notice.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long the requests that run may take to end when the connection does.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
