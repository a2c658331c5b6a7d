//! Whose turn it is: which request starts when and on which thread, and who reads next.
//!
//! Pure: no lock, no thread, no clock. The connection keeps one [`Scheduler`] under its lock, tells it
//! what happens, and does what it says. The words:
//!
//! - a *task* is a request of the peer's that has started and not yet ended;
//! - a *waiter* is a thread of ours that waits for a reply, or serves;
//! - a peer that binds threads says with each request which thread of its sent it and, where it is
//!   meant for one, which thread of ours: such a request is
//!   *thread-bound*;
//! - a task *waits* while its thread does; another task that this thread runs meanwhile is *nested on*
//!   that wait.
//!
//! **Architecture Invariant:** a request starts when every request of this peer that started before
//! it has ended or waits itself for this peer, in the order in which they were sent. A
//! thread-bound one starts when nothing is nested on the wait of its thread, in the order of that
//! thread's.

mod bounds;
mod choosing;
mod standing;
mod tasks;

use std::collections::VecDeque;

pub(crate) use self::bounds::Bounds;
pub use self::bounds::Nesting;
use self::tasks::Tasks;
use crate::wire::Handler;

/// A request that has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TaskId(u64);

/// A thread that waits for a reply, or serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WaiterId(u64);

/// The threads that a request is between, or that a waiter is for: the peer's and ours. 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadPair {
    pub(crate) peers: u64,
    pub(crate) ours: u64,
}

/// What is to be known of a request here.
pub(crate) trait Job {
    /// What it asks for.
    fn handler(&self) -> Handler;

    /// The threads that it is between, where the peer binds them.
    fn pair(&self) -> ThreadPair;

    /// Whether it only asks whether it is answered.
    fn is_probe(&self) -> bool;
}

/// Who asks what may start, and so who could run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requester {
    /// This waiter's thread.
    Waiter(WaiterId),
    /// A thread of the pool that has just ended a task.
    PoolThread,
    /// A thread that runs no requests.
    Nobody,
}

/// What the next request in the queue is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<J> {
    /// It starts on the requester's own thread.
    Here(TaskId, J),
    /// It starts on a thread of the pool.
    Pool(TaskId, J),
    /// It was assigned to this waiter, whose thread must be woken if it sleeps.
    Wake(WaiterId),
    /// Too many are nested: it is answered with an error.
    TooDeep(J),
}

/// What a waiter's thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadState {
    /// It will look at what it was given before it does anything else.
    Awake,
    /// It sleeps until it is woken.
    Asleep,
    /// It sleeps, for a moment, so that others may read; it can be woken to run a request.
    Resting,
    /// It reads; only the peer's bytes or its deadline end that.
    Reading,
    /// It writes, or runs callbacks and destructors: it looks at what it was given after that, but that
    /// may take a while, and what it waits for may be the very request that would be given to it.
    Busy,
}

#[derive(Debug)]
pub(crate) struct Scheduler<J> {
    bounds: Bounds,
    queue: VecDeque<(J, usize)>,
    // How many more are queued at waiters, because they name a thread.
    thread_bound: usize,
    queued_bytes: usize,
    tasks: Tasks,
    // How many tasks wait.
    waiting_tasks: usize,
    // Oldest first; there are few.
    waiters: Vec<Waiter<J>>,
    next_number: u64,
    // This side has said CLOSE: a PING waits for whatever moves.
    holds_probes: bool,
    // Counts starts, ends and answers: a stall shows by its not growing for a while.
    progress: u64,
}

#[derive(Debug)]
struct Waiter<J> {
    id: WaiterId,
    kind: Kind,
    /// The task whose thread this is.
    task: Option<TaskId>,
    /// The thread, and the peer's thread that it runs a request of.
    pair: ThreadPair,
    state: ThreadState,
    /// Requests that name the thread.
    thread_bound: VecDeque<(J, usize)>,
    /// What its thread is to run next. Boxed, because most waiters come and go without.
    assigned: Option<Box<(TaskId, J)>>,
    /// A task is nested on it.
    has_nested: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Serving,
    Wait { answered: bool },
}

impl<J: Job> Scheduler<J> {
    pub(crate) fn new(bounds: Bounds) -> Scheduler<J> {
        Scheduler {
            bounds,
            // Most connections never need more, and there are thousands of them.
            queue: VecDeque::with_capacity(1),
            thread_bound: 0,
            queued_bytes: 0,
            tasks: Tasks::default(),
            waiting_tasks: 0,
            waiters: Vec::with_capacity(1),
            next_number: 0,
            holds_probes: false,
            progress: 0,
        }
    }

    pub(crate) fn bounds_mut(&mut self) -> &mut Bounds {
        &mut self.bounds
    }

    /// A request has come; it holds about `bytes` of memory. It is refused, and given back, when
    /// the queue is full while somebody here waits.
    pub(crate) fn arrive(&mut self, job: J, bytes: usize) -> Result<(), J> {
        if self.is_full() && self.somebody_waits() {
            return Err(job);
        }
        self.queued_bytes += bytes;
        match self.waiter_for(job.pair()) {
            Some(waiter) => {
                waiter.thread_bound.push_back((job, bytes));
                self.thread_bound += 1;
            }
            None => self.queue.push_back((job, bytes)),
        }
        Ok(())
    }

    /// A request has come, alone, and this waiter's thread has read it. If that serves, and nothing else is there
    /// or runs, it is started there at once, as [`arrive`](Scheduler::arrive) and [`next`](Scheduler::next) would
    /// do one after the other; else it is given back.
    pub(crate) fn arrive_at(
        &mut self,
        waiter: WaiterId,
        job: J,
        bytes: usize,
    ) -> Result<(TaskId, J), J> {
        let is_first = self.queued() == 0 && self.tasks.len() == 0;
        if !is_first || job.pair() != ThreadPair::default() {
            return Err(job);
        }
        let Some(waiter) = self.waiter_mut(waiter) else {
            return Err(job);
        };
        let is_free = !waiter.has_nested && waiter.state == ThreadState::Awake;
        if waiter.kind != Kind::Serving || !is_free {
            return Err(job);
        }
        waiter.has_nested = true;
        let task = TaskId(self.number());
        self.progress += 1;
        self.tasks.start(task, job.handler(), None, bytes);
        Ok((task, job))
    }

    /// Whether reading may go on: it stops at a full queue, so that the peer is slowed down by
    /// the stream, unless somebody here waits for a reply that comes behind the requests.
    pub(crate) fn wants_input(&self) -> bool {
        !self.is_full() || self.somebody_waits()
    }

    /// A thread begins to wait for a reply; `task` is the request of this peer that it runs.
    pub(crate) fn begin_wait(&mut self, task: Option<TaskId>, pair: ThreadPair) -> WaiterId {
        self.add_waiter(Kind::Wait { answered: false }, task, pair)
    }

    /// A thread begins to serve; a `task` that it runs makes room meanwhile, as one that waits
    /// does.
    pub(crate) fn begin_serving(&mut self, task: Option<TaskId>, pair: ThreadPair) -> WaiterId {
        self.add_waiter(Kind::Serving, task, pair)
    }

    /// The thread waits or serves no more, for whatever reason. What was assigned to it goes to
    /// the front of the queue again, what is bound to it to the wait that this one was nested on. Says whether
    /// something was assigned to it.
    pub(crate) fn leave(&mut self, waiter: WaiterId) -> bool {
        let Some(index) = self.waiters.iter().position(|known| known.id == waiter) else {
            return false;
        };
        let waiter = self.waiters.remove(index);
        if let Some(id) = waiter.task {
            // Its thread may have been waiting or serving already when this wait began.
            let same_task = |other: &&Waiter<J>| other.task == Some(id);
            let outer = self.waiters.iter().rev().find(same_task);
            let outer = outer.map(|outer| outer.id);
            if let Some(task) = self.tasks.get_mut(id) {
                task.waits_in = outer;
                self.waiting_tasks -= usize::from(outer.is_none());
            }
        }
        let had_assigned = waiter.assigned.is_some();
        if let Some(assigned) = waiter.assigned {
            let (task, job) = *assigned;
            let bytes = self.tasks.remove(task).map_or(0, |task| task.bytes);
            self.queued_bytes += bytes;
            self.queue.push_front((job, bytes));
        }
        for (job, bytes) in waiter.thread_bound.into_iter().rev() {
            match self.waiter_for(job.pair()) {
                Some(outer) => outer.thread_bound.push_front((job, bytes)),
                None => {
                    self.queue.push_front((job, bytes));
                    self.thread_bound -= 1;
                }
            }
        }
        had_assigned
    }

    /// The reply that it waits for is in.
    pub(crate) fn answered(&mut self, waiter: WaiterId) {
        self.progress += 1;
        if let Some(waiter) = self.waiter_mut(waiter)
            && let Kind::Wait { answered } = &mut waiter.kind
        {
            *answered = true;
        }
    }

    /// Its thread says what it does from now on.
    pub(crate) fn set_state(&mut self, waiter: WaiterId, state: ThreadState) {
        if let Some(waiter) = self.waiter_mut(waiter) {
            waiter.state = state;
        }
    }

    /// What the next request in the queue is to do, if its turn has come.
    pub(crate) fn next(&mut self, requester: Requester) -> Option<Next<J>> {
        if self.thread_bound > 0
            && let Some(next) = self.next_thread_bound(requester)
        {
            return Some(next);
        }
        if !self.has_room()
            || self.is_held()
            || self.is_left_to_server()
            || self.is_left_to_waits(requester)
        {
            return None;
        }
        self.start_next(requester)
    }

    /// Starts the next request though it isn't its turn: nothing has moved for a while.
    pub(crate) fn break_stall(&mut self) -> Option<Next<J>> {
        match self.is_held() {
            true => None,
            false => self.start_next(Requester::Nobody),
        }
    }

    /// What was assigned to the waiter, to be run by it now; that is nested on it until
    /// [`end_nested`](Scheduler::end_nested).
    pub(crate) fn take_assigned(&mut self, waiter: WaiterId) -> Option<(TaskId, J)> {
        self.waiter_mut(waiter)?
            .assigned
            .take()
            .map(|assigned| *assigned)
    }

    /// What it is to run next, if that is known.
    pub(crate) fn next_at(&self, waiter: WaiterId) -> Option<Handler> {
        let waiter = self.waiter(waiter)?;
        let assigned = waiter.assigned.as_ref().map(|assigned| &assigned.1);
        let next = assigned.or_else(|| waiter.thread_bound.front().map(|(job, _)| job));
        next.map(Job::handler)
    }

    /// What was nested on it has ended.
    pub(crate) fn end_nested(&mut self, waiter: WaiterId) {
        if let Some(waiter) = self.waiter_mut(waiter) {
            waiter.has_nested = false;
        }
    }

    /// The task has ended.
    pub(crate) fn end(&mut self, task: TaskId) {
        self.progress += 1;
        if let Some(task) = self.tasks.remove(task)
            && task.waits_in.is_some()
        {
            // A wait outlives its task only when a panic tore through it.
            self.waiting_tasks -= 1;
        }
    }

    /// The sleeping thread that should be woken to read, if there is one: somebody whose reply
    /// isn't in, else somebody who serves.
    pub(crate) fn next_reader(&self) -> Option<WaiterId> {
        let sleepers = || {
            let idle =
                |waiter: &&Waiter<J>| waiter.state == ThreadState::Asleep && !waiter.has_nested;
            self.waiters.iter().rev().filter(idle)
        };
        let waits = |waiter: &&Waiter<J>| waiter.kind == Kind::Wait { answered: false };
        let serves = |waiter: &&Waiter<J>| waiter.kind == Kind::Serving;
        let next_reader = sleepers().find(waits).or_else(|| sleepers().find(serves));
        next_reader.map(|waiter| waiter.id)
    }

    /// Everything that is queued, to be dropped by the caller outside of the lock.
    pub(crate) fn clear_queue(&mut self) -> Vec<J> {
        self.queued_bytes = 0;
        let assigned = self
            .waiters
            .iter_mut()
            .filter_map(|waiter| waiter.assigned.take());
        let mut jobs: Vec<J> = Vec::new();
        for assigned in assigned {
            let (task, job) = *assigned;
            self.tasks.remove(task);
            jobs.push(job);
        }
        for waiter in &mut self.waiters {
            if matches!(waiter.state, ThreadState::Asleep | ThreadState::Resting) {
                waiter.has_nested = false;
            }
        }
        let thread_bound = self
            .waiters
            .iter_mut()
            .flat_map(|waiter| waiter.thread_bound.drain(..));
        jobs.extend(thread_bound.chain(self.queue.drain(..)).map(|(job, _)| job));
        self.thread_bound = 0;
        jobs
    }

    /// How many tasks there are.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// How many requests are queued.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len() + self.thread_bound
    }

    /// What the tasks were asked for, oldest first.
    pub(crate) fn running(&self) -> impl Iterator<Item = Handler> {
        self.tasks.handlers()
    }

    /// What the queued requests ask for: first those that any thread may run, in their order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Handler> {
        let thread_bound = self.waiters.iter().flat_map(|waiter| &waiter.thread_bound);
        self.queue
            .iter()
            .chain(thread_bound)
            .map(|(job, _)| job.handler())
    }

    /// Whether some thread waits for a reply.
    pub(crate) fn somebody_waits(&self) -> bool {
        let waits = |waiter: &Waiter<J>| matches!(waiter.kind, Kind::Wait { .. });
        self.waiters.iter().any(waits)
    }

    /// Whether some thread serves, busy or not.
    pub(crate) fn somebody_serves(&self) -> bool {
        self.waiters
            .iter()
            .any(|waiter| waiter.kind == Kind::Serving)
    }

    /// Whether any thread waits or serves.
    pub(crate) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// A count that grows whenever something starts, ends or is answered.
    pub(crate) fn progress(&self) -> u64 {
        self.progress
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn add_waiter(&mut self, kind: Kind, task: Option<TaskId>, pair: ThreadPair) -> WaiterId {
        let id = WaiterId(self.number());
        // Requests bound to this thread move to its newest wait.
        let outer = (self.thread_bound > 0)
            .then(|| self.youngest_of(pair.ours))
            .flatten();
        let thread_bound = outer.map(|waiter| std::mem::take(&mut waiter.thread_bound));
        if let Some(task) = task.and_then(|task| self.tasks.get_mut(task)) {
            let outer = task.waits_in.replace(id);
            self.waiting_tasks += usize::from(outer.is_none());
        }
        self.waiters.push(Waiter {
            id,
            kind,
            task,
            pair,
            state: ThreadState::Awake,
            thread_bound: thread_bound.unwrap_or_default(),
            assigned: None,
            has_nested: false,
        });
        id
    }

    fn waiter_mut(&mut self, id: WaiterId) -> Option<&mut Waiter<J>> {
        self.waiters.iter_mut().find(|waiter| waiter.id == id)
    }

    fn waiter(&self, id: WaiterId) -> Option<&Waiter<J>> {
        self.waiters.iter().find(|waiter| waiter.id == id)
    }

    fn youngest_of(&mut self, ours: u64) -> Option<&mut Waiter<J>> {
        let mut waiters = self.waiters.iter_mut().rev();
        waiters.find(|waiter| waiter.pair.ours == ours)
    }

    /// The wait of the thread that a request names, if that wait is for the same peer thread or for none. A thread that
    /// just serves is nobody's.
    fn waiter_for(&mut self, pair: ThreadPair) -> Option<&mut Waiter<J>> {
        if pair.ours == 0 {
            return None;
        }
        self.youngest_of(pair.ours).filter(|waiter| {
            let waits = waiter.task.is_some() || waiter.kind != Kind::Serving;
            waits && (waiter.pair.peers == 0 || waiter.pair.peers == pair.peers)
        })
    }

    fn is_full(&self) -> bool {
        let limit = self.bounds.max_queued_bytes;
        self.queued() >= self.bounds.max_queued
            || self.queued_bytes >= limit
            || self.queued_bytes.saturating_add(self.tasks.bytes()) >= limit.saturating_mul(2)
    }

    /// A request for the requester's own thread, or else a sleeping thread for which there is one. They
    /// need no room: their thread is there, and does nothing.
    fn next_thread_bound(&mut self, requester: Requester) -> Option<Next<J>> {
        let holds_probes = self.holds_probes();
        let has_one = |waiter: &Waiter<J>| {
            let is_left = |(job, _): &(J, usize)| holds_probes && job.is_probe();
            let next = waiter.thread_bound.front();
            !waiter.has_nested && next.is_some_and(|next| !is_left(next))
        };
        let own =
            |waiter: &&mut Waiter<J>| requester == Requester::Waiter(waiter.id) && has_one(waiter);
        let Some(waiter) = self.waiters.iter_mut().find(own) else {
            let asleep = |waiter: &&Waiter<J>| {
                has_one(waiter)
                    && matches!(waiter.state, ThreadState::Asleep | ThreadState::Resting)
            };
            let sleeper = self.waiters.iter().find(asleep)?;
            return Some(Next::Wake(sleeper.id));
        };
        let (id, is_wait) = (waiter.id, waiter.kind != Kind::Serving);
        let (job, bytes) = waiter.thread_bound.pop_front()?;
        self.thread_bound -= 1;
        self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        if self.tasks.len() >= self.bounds.max_tasks {
            return Some(Next::TooDeep(job));
        }
        waiter.has_nested = true;
        self.progress += 1;
        let task = TaskId(self.number());
        self.tasks
            .start(task, job.handler(), is_wait.then_some(id), bytes);
        Some(Next::Here(task, job))
    }

    fn start_next(&mut self, requester: Requester) -> Option<Next<J>> {
        let (job, bytes) = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        if self.tasks.len() >= self.bounds.max_tasks {
            return Some(Next::TooDeep(job));
        }
        let spot = self.choose(requester, job.pair());
        self.progress += 1;
        let (task, handler) = (TaskId(self.number()), job.handler());
        let mut runs_on = None;
        let next = match spot.and_then(|id| self.waiter_mut(id)) {
            None if requester == Requester::PoolThread => Next::Here(task, job),
            None => Next::Pool(task, job),
            Some(waiter) => {
                runs_on = (waiter.kind != Kind::Serving).then_some(waiter.id);
                waiter.has_nested = true;
                if requester == Requester::Waiter(waiter.id) {
                    Next::Here(task, job)
                } else {
                    waiter.assigned = Some(Box::new((task, job)));
                    Next::Wake(waiter.id)
                }
            }
        };
        self.tasks.start(task, handler, runs_on, bytes);
        Some(next)
    }
}

#[cfg(test)]
mod tests;
