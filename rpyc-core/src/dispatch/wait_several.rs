//! Waits for answers over several connections at once.
//!
//! Such a thread is a waiter of each of them: it makes room for requests and runs those that belong on
//! top of it. It can't read several streams, so that helpers read those that nobody reads.

use std::sync::Arc;
use std::time::Instant;

use crate::dispatch::blocked_threads::Waiting;
use crate::dispatch::current::Current;
use crate::dispatch::running::Locked;
use crate::dispatch::scheduler::{Requester, TaskId, ThreadState, WaiterId};
use crate::dispatch::shared::{Request, Shared, Sleeper};
use crate::dispatch::slot::Slot;
use crate::sync::{Condvar, Mutex, left, wait};

/// An answer that is waited for: its connection, its seq and where it is put.
pub(crate) type Awaited<'a> = (&'a Arc<Shared>, u64, &'a Slot);

/// Waits until one of the answers is in, as a waiter of all the connections; says whether one is, by
/// the deadline.
pub(crate) fn wait_for_one(
    connections: &[&Arc<Shared>],
    awaited: &[Awaited<'_>],
    deadline: Option<Instant>,
) -> bool {
    let is_in = || awaited.iter().any(|(_, _, slot)| slot.is_filled());
    let _waiting = Waiting::begin();
    let mut places = Places {
        connections,
        awaited,
        bell: Arc::default(),
        waiters: vec![None; connections.len()],
    };
    loop {
        // What rings from here on is looked at once more.
        places.bell.reset();
        places.take();
        if is_in() {
            return true;
        }
        if places.run_one() {
            continue;
        }
        let limit = deadline.map(left);
        let is_over = limit.is_some_and(|left| left.is_zero());
        if is_over || places.are_closed() {
            return is_in();
        }
        places.bell.wait(limit);
    }
}

/// Wakes a thread that sleeps as a waiter of several connections. A leaf among the locks.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }

    fn reset(&self) {
        *self.rung.lock() = false;
    }

    fn wait(&self, limit: Option<std::time::Duration>) {
        let rung = self.rung.lock();
        if !*rung {
            drop(wait(&self.changed, rung, limit));
        }
    }
}

/// A thread's waiters, one for each connection, while it has them.
struct Places<'a> {
    connections: &'a [&'a Arc<Shared>],
    awaited: &'a [Awaited<'a>],
    bell: Arc<Bell>,
    waiters: Vec<Option<WaiterId>>,
}

impl Places<'_> {
    /// Becomes a waiter wherever the thread isn't one.
    fn take(&mut self) {
        for (shared, place) in self.connections.iter().zip(&mut self.waiters) {
            if place.is_some() {
                continue;
            }
            let (task, pair) = (Current::task(shared.number), Current::pair(shared.number));
            let mut core = shared.core.lock();
            let waiter = core.scheduler.begin_wait(task, pair);
            core.scheduler.set_state(waiter, ThreadState::Resting);
            core.sleepers
                .insert(waiter, Sleeper::Several(self.bell.clone()));
            for seq in seqs(self.awaited, shared) {
                core.pending.add_waiter(seq, waiter);
            }
            *place = Some(waiter);
        }
    }

    /// Runs a request that is this thread's to run, if there is one.
    fn run_one(&mut self) -> bool {
        for index in 0..self.connections.len() {
            let (Some(shared), Some(Some(waiter))) = (
                self.connections.get(index),
                self.waiters.get(index).copied(),
            ) else {
                continue;
            };
            let (mut core, job) = shared.give_out(shared.core.lock(), Requester::Waiter(waiter));
            if let Some((task, request)) = job.or_else(|| core.scheduler.take_assigned(waiter)) {
                shared.pass_on_reading(&mut core);
                drop(core);
                self.run(index, waiter, task, request);
                return true;
            }
            core.scheduler.set_state(waiter, ThreadState::Resting);
            shared.have_read(core);
            shared.flush_soon();
        }
        false
    }

    /// The other connections must not give this thread anything meanwhile.
    fn run(&mut self, index: usize, waiter: WaiterId, task: TaskId, request: Request) {
        for other in (0..self.connections.len()).filter(|other| *other != index) {
            self.leave(other);
        }
        if let Some(shared) = self.connections.get(index) {
            let mut core = shared.run_task(task, request);
            core.scheduler.end_nested(waiter);
        }
    }

    fn are_closed(&self) -> bool {
        let is_closed = |shared: &&Arc<Shared>| shared.core.lock().closing.reason.is_some();
        self.connections.iter().all(is_closed)
    }

    fn leave(&mut self, index: usize) {
        let (Some(shared), Some(waiter)) = (
            self.connections.get(index),
            self.waiters.get_mut(index).and_then(Option::take),
        ) else {
            return;
        };
        let mut core = shared.core.lock();
        for seq in seqs(self.awaited, shared) {
            core.pending.remove_waiter(seq, waiter);
        }
        core.sleepers.remove(&waiter);
        core.scheduler.leave(waiter);
        // What was given to it is for others.
        let (mut core, _) = shared.give_out(core, Requester::Nobody);
        shared.pass_on_reading(&mut core);
    }
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        for index in 0..self.connections.len() {
            self.leave(index);
        }
        for shared in self.connections {
            shared.log_notes();
            shared.flush_soon();
        }
    }
}

impl Shared {
    /// Sees to it that somebody reads.
    fn have_read(self: &Arc<Self>, mut core: Locked<'_>) {
        let unread = core.read_half.is_some() && core.scheduler.wants_input();
        if !unread || core.closing.reason.is_some() {
            return;
        }
        if core.scheduler.next_reader().is_some() || core.observer.is_some() {
            self.pass_on_reading(&mut core);
        } else if !std::mem::replace(&mut core.health.helping, true) {
            drop(core);
            let shared = self.clone();
            if !self.send_helper(move || shared.help()) {
                // The watchdog tries again.
                self.core.lock().health.helping = false;
            }
        }
    }
}

fn seqs<'a>(awaited: &'a [Awaited<'a>], shared: &'a Arc<Shared>) -> impl Iterator<Item = u64> + 'a {
    let here = move |(of, _, _): &&Awaited<'a>| Arc::ptr_eq(of, shared);
    awaited.iter().filter(here).map(|(_, seq, _)| *seq)
}
