//! The watchdog: one thread of the process that sees to it that nothing stands still.
//!
//! It looks at a connection every 10 ms, and only while requests run there, writes block or
//! asynchronous replies are outstanding. What it finds neglected is done by helpers: threads that
//! run no foreign code.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::closing::GRACE;
use super::shared::{Core, Shared};
use crate::error::CloseReason;
use crate::executor::{Executor, ThreadPool};
use crate::sync::Mutex;

/// What the watchdog remembers of a connection from one look to the next.
#[derive(Default)]
pub(super) struct Watch {
    progress: u64,
    writes: u64,
    stuck_writes: u32,
    idle: u32,
    since_closed: u32,
    /// A helper reads, or is about to.
    pub(super) helping: bool,
    /// Somebody was woken to run a request since the helper came.
    pub(super) woke: bool,
}

impl Shared {
    /// Has the watchdog look at this connection. Call it after what it is to see.
    pub(super) fn watch(&self) {
        if self.watched.load(Ordering::SeqCst) || self.watched.swap(true, Ordering::SeqCst) {
            return;
        }
        WATCHDOG.add(self.this.clone());
    }

    /// Whether a helper should read: requests run, a write doesn't get on, or answers are to come
    /// that no thread waits for.
    pub(super) fn needs_help(&self, core: &Core) -> bool {
        core.turns.tasks() > 0 || core.watch.stuck_writes > 0 || core.pending.detached() > 0
    }

    /// Looks after the connection once; says whether to come back.
    fn tick(self: &Arc<Self>) -> bool {
        let mut core = self.core.lock();
        if core.closing.reason.is_some() {
            return self.tick_closed(&mut core);
        }
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
        if core.watch.stuck_writes > WRITE_STALL {
            let what = "it didn't read for 60 s while answers were waiting for it";
            self.fail(&mut core, CloseReason::Conduct(what.to_owned()));
            return true;
        }
        if self.outbox.needs_writer() {
            let shared = self.clone();
            self.send_helper(move || shared.flush());
        }
        let unread = core.read_half.is_some() && core.turns.wants_input();
        if unread && !moved && !core.watch.helping && self.needs_help(&core) {
            if core.turns.heir().is_some() {
                self.pass_on_reading(&mut core);
            } else {
                core.watch.helping = true;
                let shared = self.clone();
                if !self.send_helper(move || shared.help()) {
                    core.watch.helping = false;
                }
            }
        }
        if !core.garbage.is_empty() && !moved {
            self.send_garbage_man();
        }
        let stalled = !moved && core.turns.queued() > 0 && core.turns.somebody_waits();
        let busy = moved
            || self.needs_help(&core)
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
            return self.outbox.needs_writer() && !self.watched.swap(true, Ordering::SeqCst);
        }
        if stalled && let Some(next) = core.turns.break_stall() {
            log::debug!(target: "rpyc", "{}: nothing moved for a while: the next request starts out of turn", self.connid);
            core = self.send_off(core, next);
        }
        if core.closing.is_asked() {
            core = self.close_in_turn(core);
        }
        drop(core);
        true
    }

    /// Sees to it that the service is told of the end where nobody else does.
    fn tick_closed(self: &Arc<Self>, core: &mut Core) -> bool {
        if core.closing.done {
            return !core.garbage.is_empty() && {
                self.send_garbage_man();
                true
            };
        }
        core.watch.since_closed += 1;
        let late = TICK * core.watch.since_closed > GRACE;
        let nobody_else = !core.turns.somebody_serves() || late;
        if !core.closing.claimed && nobody_else && (core.turns.tasks() == 0 || late) {
            core.closing.claimed = true;
            let shared = self.clone();
            let finish = Box::new(move || shared.finish());
            if self.config().executor.execute(finish).is_err() {
                let shared = self.clone();
                self.send_helper(move || shared.finish());
            }
        }
        true
    }

    fn send_helper(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let sent = helpers().execute(Box::new(job));
        if let Err(error) = &sent {
            log::warn!(target: "rpyc", "{}: no helper thread can be had: {error}", self.connid);
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
            log::debug!(target: "rpyc", "{}: no thread to drop objects on: {error}", self.connid);
        }
    }
}

/// Threads that read or write for a connection whose own threads are busy.
pub(super) fn helpers() -> &'static ThreadPool {
    static HELPERS: LazyLock<ThreadPool> =
        LazyLock::new(|| ThreadPool::new("rpyc-helper", 256 << 10, 4096));
    &HELPERS
}

struct Watchdog {
    connections: Mutex<Vec<Weak<Shared>>>,
    asleep: AtomicBool,
    thread: Option<Thread>,
}

impl Watchdog {
    fn add(&self, connection: Weak<Shared>) {
        self.connections.lock().push(connection);
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.unpark();
        }
    }

    fn run() {
        let mut next = Instant::now();
        loop {
            let watchdog = &*WATCHDOG;
            let looked_at = std::mem::take(&mut *watchdog.connections.lock());
            if looked_at.is_empty() {
                watchdog.asleep.store(true, Ordering::SeqCst);
                if watchdog.connections.lock().is_empty() {
                    thread::park();
                }
                watchdog.asleep.store(false, Ordering::SeqCst);
                next = Instant::now();
            }
            let kept = |connection: &Weak<Shared>| {
                let connection = connection.upgrade();
                connection.is_some_and(|connection| connection.tick())
            };
            let kept: Vec<_> = looked_at.into_iter().filter(kept).collect();
            watchdog.connections.lock().extend(kept);
            // A steady beat, that skips what it missed.
            next = (next + TICK).max(Instant::now());
            let wait = next.saturating_duration_since(Instant::now());
            thread::park_timeout(wait.max(TICK / 2));
        }
    }
}

static WATCHDOG: LazyLock<Watchdog> = LazyLock::new(|| {
    let spawned = thread::Builder::new()
        .name("rpyc-watchdog".to_owned())
        .stack_size(256 << 10)
        .spawn(Watchdog::run);
    let thread = match spawned {
        Ok(handle) => Some(handle.thread().clone()),
        Err(error) => {
            log::error!(target: "rpyc", "no watchdog thread can be had: {error}");
            None
        }
    };
    Watchdog {
        connections: Mutex::new(Vec::new()),
        asleep: AtomicBool::new(false),
        thread,
    }
});

const TICK: Duration = Duration::from_millis(10);

/// A second without anything to see ends the watching.
const IDLE_TICKS: u32 = 100;

/// A write that doesn't get on for 60 s ends the connection.
const WRITE_STALL: u32 = 6_000;
