//! What the watchdog looks for at a connection, and what it does about it.
//!
//! What it finds neglected is done by helpers: threads that run no foreign code.

use std::sync::Arc;

use super::closing::GRACE;
use super::shared::{Core, Request, Shared};
use super::turns::Next;
use super::watchdog::{TICK, helpers, look_after};
use crate::error::CloseReason;
use crate::executor::Executor;
use crate::sync::atomic::Ordering;

/// What the watchdog remembers of a connection from one look to the next.
#[derive(Default)]
pub(super) struct Watch {
    progress: u64,
    writes: u64,
    stuck_writes: u32,
    idle: u32,
    /// There was something to be dropped at the last look.
    littered: bool,
    since_closed: u32,
    /// A helper reads, or is about to.
    pub(super) helping: bool,
    /// Somebody was woken to run a request since the helper came.
    pub(super) woke: bool,
}

/// What the watchdog has others do.
enum Errand {
    Close,
    DropGarbage,
    Finish,
    Flush,
    Help,
    Start(Next<Request>),
}

impl Shared {
    /// Has the watchdog look at this connection. Call it after what it is to see.
    pub(super) fn watch(&self) {
        if self.watched.load(Ordering::SeqCst) || self.watched.swap(true, Ordering::SeqCst) {
            return;
        }
        look_after(self.this.clone());
    }

    /// Whether a helper should read: requests run, a write doesn't get on, or answers are to come
    /// that no thread waits for.
    pub(super) fn needs_help(&self, core: &Core) -> bool {
        core.turns.tasks() > 0 || core.watch.stuck_writes > 0 || core.pending.detached() > 0
    }

    /// Looks after the connection once; says whether to come back.
    pub(super) fn tick(self: &Arc<Self>) -> bool {
        let mut errands = Vec::new();
        let mut core = self.core.lock();
        let come_back = if core.closing.reason.is_some() {
            self.look_at_closed(&mut core, &mut errands)
        } else {
            self.look(&mut core, &mut errands)
        };
        drop(core);
        self.cut_off();
        // Executors and the log are foreign code: not under the lock.
        for errand in errands {
            self.run(errand);
        }
        come_back
    }

    fn look(&self, core: &mut Core, errands: &mut Vec<Errand>) -> bool {
        let progress = core.turns.progress();
        let moved = progress != core.watch.progress;
        core.watch.progress = progress;
        let writes = self.outbox.writes();
        let stuck = self.outbox.is_writing() && writes == core.watch.writes;
        core.watch.writes = writes;
        core.watch.stuck_writes = if stuck {
            core.watch.stuck_writes + 1
        } else {
            0
        };
        if core.watch.stuck_writes > 0
            && let Some(limit) = self.config().write_timeout
            && TICK.saturating_mul(core.watch.stuck_writes) > limit
        {
            let what = "didn't read what was sent to it";
            self.fail(core, CloseReason::TooSlow { what, limit });
            return true;
        }
        if self.outbox.needs_writer() {
            errands.push(Errand::Flush);
        }
        let unread = core.read_half.is_some() && core.turns.wants_input();
        if unread && !moved && !core.watch.helping && self.needs_help(core) {
            if core.turns.heir().is_some() || core.attendant.is_some() {
                self.pass_on_reading(core);
            } else {
                core.watch.helping = true;
                errands.push(Errand::Help);
            }
        }
        // Where calls follow one another all the time, it is never quiet.
        let left_over = std::mem::replace(&mut core.watch.littered, !core.garbage.is_empty());
        let overdue = !moved || left_over || core.garbage.len() > MUCH_GARBAGE;
        if !core.garbage.is_empty() && overdue {
            errands.push(Errand::DropGarbage);
        }
        let busy = moved
            || self.needs_help(core)
            || self.outbox.is_writing()
            || self.outbox.needs_writer()
            || core.turns.queued() > 0
            || !core.garbage.is_empty()
            || core.closing.is_asked();
        core.watch.idle = if busy { 0 } else { core.watch.idle + 1 };
        if core.watch.idle > IDLE_TICKS {
            core.watch.idle = 0;
            self.watched.store(false, Ordering::SeqCst);
            // Frames are appended without the core's lock.
            return self.outbox.surely_needs_writer() && !self.watched.swap(true, Ordering::SeqCst);
        }
        // While the peer doesn't read, more answers for it are of no use.
        let stalled = !moved
            && core.turns.queued() > 0
            && core.turns.somebody_waits()
            && !self.outbox.is_congested();
        if stalled && let Some(next) = core.turns.break_stall() {
            errands.push(Errand::Start(next));
        }
        if core.closing.is_due(&core.turns) {
            // The answer to a CLOSE is written, and a write may block.
            errands.push(Errand::Close);
        }
        true
    }

    /// Sees to it that the service is told of the end where nobody else does.
    fn look_at_closed(&self, core: &mut Core, errands: &mut Vec<Errand>) -> bool {
        if core.closing.done {
            if core.garbage.is_empty() {
                self.watched.store(false, Ordering::SeqCst);
                return false;
            }
            errands.push(Errand::DropGarbage);
            return true;
        }
        core.watch.since_closed += 1;
        let late = TICK * core.watch.since_closed > GRACE;
        let nobody_else = !core.turns.somebody_serves() || late;
        if !core.closing.claimed && nobody_else && (core.turns.tasks() == 0 || late) {
            core.closing.claimed = true;
            errands.push(Errand::Finish);
        }
        true
    }

    fn run(self: &Arc<Self>, errand: Errand) {
        let shared = self.clone();
        match errand {
            Errand::Flush => {
                self.send_helper(move || shared.flush());
            }
            Errand::Help => {
                if !self.send_helper(move || shared.help()) {
                    self.core.lock().watch.helping = false;
                }
            }
            Errand::DropGarbage => self.send_garbage_man(),
            Errand::Start(next) => {
                log::debug!(target: &self.config().logger, "{}: nothing moved for a while: the next request starts out of turn", self.connid);
                drop(self.send_off(self.core.lock(), next));
            }
            Errand::Close => {
                self.send_helper(move || drop(shared.close_in_turn(shared.core.lock())));
            }
            Errand::Finish => {
                let finish = Box::new(move || shared.finish());
                let executed = self.config().executor.execute(finish);
                let shared = self.clone();
                if executed.is_err() && !self.send_helper(move || shared.finish()) {
                    // Later, when there is a thread again.
                    self.core.lock().closing.claimed = false;
                }
            }
        }
    }

    pub(super) fn send_helper(&self, job: impl FnOnce() + Send + 'static) -> bool {
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
