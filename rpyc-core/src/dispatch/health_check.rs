//! What the watchdog looks for at a connection, and what it does about it.
//!
//! What it finds neglected is done by helpers; what is foreign, by threads of the executor's. A helper runs foreign code
//! only where the executor has no thread to tell the session of the end, or where a connection goes that nobody holds.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::dispatcher::{Core, Dispatcher, Protocol};
use super::lifecycle::GRACE;
use super::scheduler::Next;
use super::watchdog::{Watched, helpers, look_after};
use crate::error::CloseReason;
use crate::executor::Executor;
use crate::sync::atomic::Ordering;

/// What the watchdog has others do.
enum Action<R> {
    AnswerClose,
    DropGarbage,
    Finish,
    Flush,
    Help,
    SendClose,
    Start(Next<R>),
}

impl<P: Protocol> Watched for Dispatcher<P> {
    fn look(self: Arc<Self>) -> bool {
        let looked = catch_unwind(AssertUnwindSafe(|| self.check_health()));
        let goes_on = looked.unwrap_or_else(|_| {
            log::error!(target: "rpyc", "looking after a connection panicked");
            true
        });
        if let Some(last) = Arc::into_inner(self).map(Box::new) {
            // The session and what it holds are dropped with it: foreign code.
            let _ = helpers().execute(Box::new(move || drop(last)));
        }
        goes_on
    }
}

impl<P: Protocol> Dispatcher<P> {
    /// Has the watchdog look at this connection. Call it after what it is to see. Says whether it
    /// will.
    pub(crate) fn wake_watchdog(&self) -> bool {
        if self.watched.load(Ordering::SeqCst) || self.watched.swap(true, Ordering::SeqCst) {
            return true;
        }
        let Err(none) = look_after(self.this.clone()) else {
            return true;
        };
        // Asked for again as soon as somebody needs it.
        self.watched.store(false, Ordering::SeqCst);
        if let Some(error) = none.untold {
            let line = format!("no watchdog thread can be had yet: {error}");
            self.notes.add(log::Level::Error, line);
        }
        false
    }

    /// Whether a helper should read: requests run, a write doesn't get on, answers are to come
    /// that no thread waits for, or this side leaves.
    pub(super) fn needs_help(&self, core: &Core<P>) -> bool {
        core.scheduler.tasks() > 0
            || !core.health.stuck_for().is_zero()
            || core.calls.detached() > 0
            || core.lifecycle.is_leaving()
    }

    /// Looks after the connection once; says whether to come back.
    pub(crate) fn check_health(self: &Arc<Self>) -> bool {
        let mut actions = Vec::new();
        let mut core = self.core.lock();
        let come_back = if core.lifecycle.reason().is_some() {
            self.check_closed(&mut core, &mut actions)
        } else {
            self.check_open(&mut core, &mut actions)
        };
        drop(core);
        self.cut_off();
        // Executors and the log are foreign code: not under the lock.
        for action in actions {
            self.act(action);
        }
        come_back
    }

    fn check_open(&self, core: &mut Core<P>, actions: &mut Vec<Action<P::Request>>) -> bool {
        if let Some(reason) = core.lifecycle.left_by_deadline() {
            self.fail(core, reason);
            return true;
        }
        if self.is_to_send_close(core) {
            actions.push(Action::SendClose);
        }
        let moved = core.health.note_progress(core.scheduler.progress());
        core.health
            .note_writes(self.outbox.writes(), self.outbox.is_writing());
        let stuck_for = core.health.stuck_for();
        if !stuck_for.is_zero()
            && let Some(limit) = self.session.write_timeout()
            && stuck_for > limit
        {
            let what = "didn't read what was sent to it";
            self.fail(core, CloseReason::TooSlow { what, limit });
            return true;
        }
        if self.outbox.needs_writer() {
            actions.push(Action::Flush);
        }
        if !moved && self.needs_help(core) {
            if core.take_helper() {
                actions.push(Action::Help);
            } else {
                // Who took the half out may be held up before it is passed on, by an executor that blocks.
                self.pass_on_reading(core);
            }
        }
        // Where calls follow one another all the time, it is never quiet.
        let has_garbage = !core.garbage.is_empty();
        let left_over = core.health.note_garbage(has_garbage);
        let overdue = !moved || left_over || core.garbage.len() > MUCH_GARBAGE;
        if has_garbage && overdue {
            actions.push(Action::DropGarbage);
        }
        let is_busy = moved
            || self.needs_help(core)
            || self.outbox.is_writing()
            || self.outbox.needs_writer()
            || core.scheduler.queued() > 0
            || has_garbage
            || core.lifecycle.is_close_requested();
        if core.health.note_busy(is_busy) {
            self.watched.store(false, Ordering::SeqCst);
            // Frames are appended without the core's lock.
            return self.outbox.surely_needs_writer() && !self.watched.swap(true, Ordering::SeqCst);
        }
        // While the peer doesn't read, more answers for it are of no use.
        let is_left = !moved && core.scheduler.is_left_to_server();
        let is_left_for_long = core.health.note_left(is_left);
        let stalled = !moved
            && core.scheduler.queued() > 0
            && (core.scheduler.somebody_waits() || is_left_for_long)
            && !self.outbox.is_congested();
        if stalled && let Some(next) = core.scheduler.break_stall() {
            actions.push(Action::Start(next));
        }
        if core.lifecycle.is_close_due(core.is_idle()) || core.may_probe().is_some() {
            // The answer to a CLOSE is written, and a write may block.
            actions.push(Action::AnswerClose);
        }
        true
    }

    /// Sees to it that the session is told of the end where nobody else does.
    fn check_closed(&self, core: &mut Core<P>, actions: &mut Vec<Action<P::Request>>) -> bool {
        if core.lifecycle.is_finished() {
            if core.garbage.is_empty() {
                self.watched.store(false, Ordering::SeqCst);
                return false;
            }
            actions.push(Action::DropGarbage);
            return true;
        }
        let late = core.health.note_closed() > GRACE;
        let nobody_else = !core.scheduler.somebody_serves() || late;
        let may_finish = core.scheduler.tasks() == 0 || late;
        if nobody_else && may_finish && core.lifecycle.begin_finishing() {
            actions.push(Action::Finish);
        }
        true
    }

    fn act(self: &Arc<Self>, action: Action<P::Request>) {
        let link = self.clone();
        match action {
            Action::Flush => {
                self.send_helper(move || link.flush());
            }
            Action::Help => self.send_reader(),
            Action::SendClose => self.send_close(),
            Action::DropGarbage => self.have_garbage_dropped(),
            Action::Start(next) => {
                self.session.log(
                    log::Level::Debug,
                    format_args!("nothing moved for a while: the next request starts out of turn"),
                );
                drop(self.send_off(self.core.lock(), next));
            }
            Action::AnswerClose => {
                self.send_helper(move || drop(link.close_in_turn(link.core.lock())));
            }
            Action::Finish => {
                let executed = self
                    .session
                    .executor()
                    .execute(Box::new(move || link.finish()));
                let link = self.clone();
                if executed.is_err() && !self.send_helper(move || link.finish()) {
                    // Later, when there is a thread again.
                    self.core.lock().lifecycle.put_off_finishing();
                }
            }
        }
    }

    pub(super) fn send_helper(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let sent = helpers().execute(Box::new(job));
        sent.inspect_err(|error| self.warn_of_no_helper(error))
            .is_ok()
    }

    pub(super) fn warn_of_no_helper(&self, error: &io::Error) {
        let what = format_args!("no helper thread can be had: {error}");
        self.session.log(log::Level::Warn, what);
    }
}

/// From here on it is dropped at once, also where an executing thread may soon see to it.
const MUCH_GARBAGE: usize = 1_000;
