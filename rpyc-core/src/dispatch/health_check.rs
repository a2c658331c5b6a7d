//! What the watchdog looks for at a connection, and what it does about it.
//!
//! What it finds neglected is done by helpers: threads that run no foreign code.

use std::sync::Arc;

use crate::dispatch::lifecycle::GRACE;
use crate::dispatch::scheduler::Next;
use crate::dispatch::shared::{Core, Request, Shared};
use crate::dispatch::watchdog::{TICK, helpers, look_after};
use crate::error::CloseReason;
use crate::executor::Executor;
use crate::sync::atomic::Ordering;
use crate::sync::passed;

/// What the watchdog remembers of a connection from one look to the next.
#[derive(Default)]
pub(crate) struct HealthCheck {
    progress: u64,
    writes: u64,
    stuck_writes: u32,
    idle: u32,
    /// There was something to be dropped at the last look.
    had_garbage: bool,
    since_closed: u32,
    /// A helper reads, or is about to.
    pub(crate) helping: bool,
    /// Somebody was woken to run a request since the helper came.
    pub(crate) woke: bool,
}

/// What the watchdog has others do.
enum Action {
    Close,
    DropGarbage,
    Finish,
    Flush,
    Help,
    SayClose,
    Start(Next<Request>),
}

impl Shared {
    /// Has the watchdog look at this connection. Call it after what it is to see.
    /// Says whether it will.
    pub(crate) fn wake_watchdog(&self) -> bool {
        if self.watched.load(Ordering::SeqCst) || self.watched.swap(true, Ordering::SeqCst) {
            return true;
        }
        let looks = look_after(self.this.clone());
        if !looks {
            // Asked for again as soon as somebody needs it.
            self.watched.store(false, Ordering::SeqCst);
        }
        looks
    }

    /// Whether a helper should read: requests run, a write doesn't get on, answers are to come
    /// that no thread waits for, or this side leaves.
    pub(crate) fn needs_help(&self, core: &Core) -> bool {
        core.scheduler.tasks() > 0
            || core.health.stuck_writes > 0
            || core.pending.detached() > 0
            || core.closing.leaving.is_some()
    }

    /// Looks after the connection once; says whether to come back.
    pub(crate) fn check_health(self: &Arc<Self>) -> bool {
        let mut actions = Vec::new();
        let mut core = self.core.lock();
        let come_back = if core.closing.reason.is_some() {
            self.check_closed(&mut core, &mut actions)
        } else {
            self.check_open(&mut core, &mut actions)
        };
        drop(core);
        self.cut_off();
        // Executors and the log are foreign code: not under the lock.
        for action in actions {
            self.run(action);
        }
        come_back
    }

    fn check_open(&self, core: &mut Core, actions: &mut Vec<Action>) -> bool {
        if let Some(leaving) = &core.closing.leaving
            && passed(leaving.deadline)
        {
            let reason = leaving.reason.clone();
            self.fail(core, reason);
            return true;
        }
        if self.begin_saying_close(core) {
            actions.push(Action::SayClose);
        }
        let progress = core.scheduler.progress();
        let moved = progress != core.health.progress;
        core.health.progress = progress;
        let writes = self.outbox.writes();
        let stuck = self.outbox.is_writing() && writes == core.health.writes;
        core.health.writes = writes;
        core.health.stuck_writes = if stuck {
            core.health.stuck_writes + 1
        } else {
            0
        };
        if core.health.stuck_writes > 0
            && let Some(limit) = self.config().write_timeout
            && TICK.saturating_mul(core.health.stuck_writes) > limit
        {
            let what = "didn't read what was sent to it";
            self.fail(core, CloseReason::TooSlow { what, limit });
            return true;
        }
        if self.outbox.needs_writer() {
            actions.push(Action::Flush);
        }
        let unread = core.read_half.is_some() && core.scheduler.wants_input();
        if unread && !moved && !core.health.helping && self.needs_help(core) {
            if core.scheduler.next_reader().is_some() || core.observer.is_some() {
                self.pass_on_reading(core);
            } else {
                core.health.helping = true;
                actions.push(Action::Help);
            }
        }
        // Where calls follow one another all the time, it is never quiet.
        let left_over = std::mem::replace(&mut core.health.had_garbage, !core.garbage.is_empty());
        let overdue = !moved || left_over || core.garbage.len() > MUCH_GARBAGE;
        if !core.garbage.is_empty() && overdue {
            actions.push(Action::DropGarbage);
        }
        let busy = moved
            || self.needs_help(core)
            || self.outbox.is_writing()
            || self.outbox.needs_writer()
            || core.scheduler.queued() > 0
            || !core.garbage.is_empty()
            || core.closing.is_asked()
            || core.closing.leaving.is_some();
        core.health.idle = if busy { 0 } else { core.health.idle + 1 };
        if core.health.idle > IDLE_TICKS {
            core.health.idle = 0;
            self.watched.store(false, Ordering::SeqCst);
            // Frames are appended without the core's lock.
            return self.outbox.surely_needs_writer() && !self.watched.swap(true, Ordering::SeqCst);
        }
        // While the peer doesn't read, more answers for it are of no use.
        let stalled = !moved
            && core.scheduler.queued() > 0
            && core.scheduler.somebody_waits()
            && !self.outbox.is_congested();
        if stalled && let Some(next) = core.scheduler.break_stall() {
            actions.push(Action::Start(next));
        }
        if core.closing.is_due(&core.scheduler) {
            // The answer to a CLOSE is written, and a write may block.
            actions.push(Action::Close);
        }
        true
    }

    /// Sees to it that the service is told of the end where nobody else does.
    fn check_closed(&self, core: &mut Core, actions: &mut Vec<Action>) -> bool {
        if core.closing.done {
            if core.garbage.is_empty() {
                self.watched.store(false, Ordering::SeqCst);
                return false;
            }
            actions.push(Action::DropGarbage);
            return true;
        }
        core.health.since_closed += 1;
        let late = TICK * core.health.since_closed > GRACE;
        let nobody_else = !core.scheduler.somebody_serves() || late;
        if !core.closing.finalizing && nobody_else && (core.scheduler.tasks() == 0 || late) {
            core.closing.finalizing = true;
            actions.push(Action::Finish);
        }
        true
    }

    fn run(self: &Arc<Self>, action: Action) {
        let shared = self.clone();
        match action {
            Action::Flush => {
                self.send_helper(move || shared.flush());
            }
            Action::Help => {
                if !self.send_helper(move || shared.help()) {
                    self.core.lock().health.helping = false;
                }
            }
            Action::SayClose => self.say_close(),
            Action::DropGarbage => self.send_garbage_man(),
            Action::Start(next) => {
                log::debug!(target: &self.config().logger, "{}: nothing moved for a while: the next request starts out of turn", self.connid);
                drop(self.send_off(self.core.lock(), next));
            }
            Action::Close => {
                self.send_helper(move || drop(shared.close_in_turn(shared.core.lock())));
            }
            Action::Finish => {
                let finish = Box::new(move || shared.finish());
                let executed = self.config().executor.execute(finish);
                let shared = self.clone();
                if executed.is_err() && !self.send_helper(move || shared.finish()) {
                    // Later, when there is a thread again.
                    self.core.lock().closing.finalizing = false;
                }
            }
        }
    }

    pub(crate) fn send_helper(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let sent = helpers().execute(Box::new(job));
        if let Err(error) = &sent {
            log::warn!(target: &self.config().logger, "{}: no helper thread can be had: {error}", self.connid);
        }
        sent.is_ok()
    }

    /// Has an executing thread drop what was released while none of them looked.
    fn send_garbage_man(self: &Arc<Self>) {
        let shared = self.clone();
        let sent = self
            .config()
            .executor
            .execute(Box::new(move || shared.drop_garbage()));
        if let Err(error) = sent {
            log::debug!(target: &self.config().logger, "{}: no thread to drop objects on: {error}", self.connid);
        }
    }
}

/// A second without anything to see ends the watching.
const IDLE_TICKS: u32 = 100;

/// From here on it is dropped at once, also where an executing thread may soon see to it.
const MUCH_GARBAGE: usize = 1_000;
