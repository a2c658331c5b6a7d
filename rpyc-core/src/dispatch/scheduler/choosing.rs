//! Which waiter's thread a request runs on, and whether it may start.

use super::bounds::Nesting;
use super::{Job, Kind, Requester, Scheduler, ThreadPair, ThreadState, Waiter, WaiterId};

impl<J: Job> Scheduler<J> {
    /// Whether another task may be active. Each wait by a thread that runs no task makes room: for one more
    /// task, or for the one that is nested on it.
    pub(super) fn has_room(&self) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        let foreign = |waiter: &&Waiter<J>| waiter.kind != Kind::Serving && waiter.task.is_none();
        let foreign = self.waiters.iter().filter(foreign).count();
        let concurrency = self.bounds.concurrency;
        let room = match self.bounds.nesting {
            Nesting::Waiting => concurrency.max(foreign),
            Nesting::Pool | Nesting::Stack => concurrency.saturating_add(foreign),
        };
        self.tasks.len() - self.waiting_tasks < room
    }

    /// Whether fewer tasks are active than may be at the same time, where no wait makes room.
    pub(crate) fn has_free_place(&self) -> bool {
        self.tasks.len() - self.waiting_tasks < self.bounds.concurrency
    }

    /// Whether the next request is left to a serving thread that is busy for a moment, where code counts
    /// on its thread: nothing runs, and nobody waits for what might come of it.
    pub(crate) fn is_left_to_server(&self) -> bool {
        let is_busy = |one: &Waiter<J>| one.kind == Kind::Serving && one.state == ThreadState::Busy;
        let by_stack = self.bounds.nesting == Nesting::Stack;
        let nothing_runs = self.tasks.len() == 0 && self.has_waiters();
        by_stack && nothing_runs && self.waiters.iter().all(is_busy)
    }

    /// Whether the next request is left to the next thread that waits or serves: it is nobody else's business.
    pub(super) fn is_left_to_waits(&self, requester: Requester) -> bool {
        let is_free = |(job, _): &(J, usize)| {
            job.pair().peers == 0 && self.choose(requester, job.pair()).is_none()
        };
        self.bounds.nesting == Nesting::Waiting && self.queue.front().is_some_and(is_free)
    }

    /// The waiter that runs a request: an idle serving thread; the innermost wait of a task, where the nesting
    /// is by stack, or any wait, where it is on waits; else none, which means the pool. A thread that reads
    /// can't be given anything, but by itself. A request of a bound thread is nested on no other request.
    pub(super) fn choose(&self, requester: Requester, pair: ThreadPair) -> Option<WaiterId> {
        let bound = pair.peers != 0;
        let asking = |waiter: &Waiter<J>| requester == Requester::Waiter(waiter.id);
        let engaged =
            |waiter: &Waiter<J>| matches!(waiter.state, ThreadState::Reading | ThreadState::Busy);
        let free = |waiter: &&Waiter<J>| !waiter.has_nested && !engaged(waiter);
        let idle = |waiter: &&Waiter<J>| {
            waiter.kind == Kind::Serving && free(waiter) && !(bound && waiter.task.is_some())
        };
        let mut serving = self.waiters.iter().filter(idle);
        let own = serving.clone().find(|waiter| asking(waiter));
        if let Some(server) = own.or_else(|| serving.next()) {
            return Some(server.id);
        }
        if bound || self.bounds.nesting == Nesting::Pool {
            return None;
        }
        if self.bounds.nesting == Nesting::Waiting {
            let is_wait = |waiter: &&Waiter<J>| {
                matches!(
                    waiter.kind,
                    Kind::Wait {
                        answered: false,
                        ..
                    }
                )
            };
            let mut waits = self.waiters.iter().rev().filter(is_wait).filter(free);
            let own = waits.clone().find(|waiter| asking(waiter));
            return own.or_else(|| waits.next()).map(|waiter| waiter.id);
        }
        let innermost = self.innermost_wait()?;
        free(&innermost).then_some(innermost.id)
    }

    /// The youngest wait of a task with nothing nested on it, unless its reply is in, or that to a wait
    /// that it is nested on: that thread is wanted elsewhere.
    fn innermost_wait(&self) -> Option<&Waiter<J>> {
        let is_wait = |waiter: &&Waiter<J>| {
            !waiter.has_nested && waiter.kind != Kind::Serving && waiter.task.is_some()
        };
        let innermost = self.waiters.iter().rev().find(is_wait)?;
        let mut outer = Some(innermost);
        while let Some(Waiter {
            kind: Kind::Wait { answered },
            task,
            ..
        }) = outer
        {
            if *answered {
                return None;
            }
            let task = task.and_then(|task| self.tasks.get(task));
            outer = task
                .and_then(|task| task.runs_on)
                .and_then(|id| self.waiter(id));
        }
        Some(innermost)
    }
}
