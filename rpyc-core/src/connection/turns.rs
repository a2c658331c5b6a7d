//! Whose turn it is: which request starts when and on which thread, and who reads next.
//!
//! Pure: no lock, no thread, no clock. The connection keeps one [`Turns`] under its lock, tells it
//! what happens, and does what it says. The words:
//!
//! - a *task* is a request of the peer's that has started and not yet ended;
//! - a *place* is where a thread of ours stands: in a wait for a reply, or serving;
//! - a peer that binds threads says with each request which thread of its sent it and, where it is
//!   meant for one, which thread of ours: such a request is *named*;
//! - a task *waits* while its thread stands in a wait; another task that runs on top of that wait
//!   *covers* it.
//!
//! **Architecture Invariant:** a request starts when every request of this peer that started before
//! it has ended or waits itself for this peer, in the order in which they were sent. A named one
//! starts when nothing is on top of the wait of its thread, in the order of that thread's.

mod tasks;

use std::collections::VecDeque;

use self::tasks::Tasks;
use crate::config::Nesting;
use crate::wire::Handler;

/// A request that has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TaskId(u64);

/// A thread that stands in a wait, or serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PlaceId(u64);

/// The threads that a request is between, or that stand at a place: the peer's and ours. 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bond {
    pub(crate) peers: u64,
    pub(crate) ours: u64,
}

/// What is to be known of a request here.
pub(crate) trait Job {
    /// What it asks for.
    fn handler(&self) -> Handler;

    /// The threads that it is between, where the peer binds them.
    fn bond(&self) -> Bond;
}

/// Who asks what may start, and so who could run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The thread at this place.
    Place(PlaceId),
    /// A thread of the pool that has just ended a task.
    PoolThread,
    /// A thread that runs no requests.
    Nobody,
}

/// What the next request in the queue is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<J> {
    /// It starts on the asker's own thread.
    Here(TaskId, J),
    /// It starts on a thread of the pool.
    Pool(TaskId, J),
    /// It was assigned to this place, whose thread must be woken if it sleeps.
    Wake(PlaceId),
    /// Too many are nested: it is answered with an error.
    TooDeep(J),
}

/// What the thread at a place is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It will look at its place before it does anything else.
    Awake,
    /// It sleeps until it is woken.
    Asleep,
    /// It sleeps, for a moment, so that others may read; it can be woken to run a request.
    Resting,
    /// It reads; only the peer's bytes or its deadline end that.
    Reading,
    /// It writes, or runs callbacks and destructors: it looks at its place after that, but that
    /// may take a while, and what it waits for may be the very request that would be given to it.
    Busy,
}

/// The bounds that [`Turns`] keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How many tasks may be active, waits not counted.
    pub(crate) concurrency: usize,
    /// How many tasks there may be at all.
    pub(crate) max_tasks: usize,
    /// How many requests may be queued, and how many bytes they may hold.
    pub(crate) max_queued: usize,
    pub(crate) max_queued_bytes: usize,
    pub(crate) nesting: Nesting,
}

#[derive(Debug)]
pub(crate) struct Turns<J> {
    bounds: Bounds,
    queue: VecDeque<(J, usize)>,
    // How many more are queued at the places whose threads they name.
    named: usize,
    queued_bytes: usize,
    tasks: Tasks,
    // How many tasks stand in a wait.
    waiting_tasks: usize,
    // Oldest first; there are few.
    places: Vec<Place<J>>,
    next_number: u64,
    // Counts starts, ends and answers: that it stands still for a while is how a stall shows.
    progress: u64,
}

#[derive(Debug)]
struct Place<J> {
    id: PlaceId,
    kind: Kind,
    /// The task whose thread stands here.
    task: Option<TaskId>,
    /// The thread that stands here, and the peer's thread that it runs a request of.
    bond: Bond,
    doing: Doing,
    /// Requests that name the thread.
    named: VecDeque<(J, usize)>,
    /// What its thread is to run next.
    assigned: Option<(TaskId, J)>,
    /// A task runs on top of it.
    covered: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Serving,
    Wait {
        task: Option<TaskId>,
        answered: bool,
    },
}

impl<J: Job> Turns<J> {
    pub(crate) fn new(bounds: Bounds) -> Turns<J> {
        Turns {
            bounds,
            // Most connections never need more, and there are thousands of them.
            queue: VecDeque::with_capacity(1),
            named: 0,
            queued_bytes: 0,
            tasks: Tasks::default(),
            waiting_tasks: 0,
            places: Vec::with_capacity(1),
            next_number: 0,
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
        match self.place_of(job.bond()) {
            Some(place) => {
                place.named.push_back((job, bytes));
                self.named += 1;
            }
            None => self.queue.push_back((job, bytes)),
        }
        Ok(())
    }

    /// Whether reading may go on: it stops at a full queue, so that the peer is slowed down by
    /// the stream, unless somebody here waits for a reply that stands behind the requests.
    pub(crate) fn wants_input(&self) -> bool {
        !self.is_full() || self.somebody_waits()
    }

    /// A thread begins to wait for a reply; `task` is the request of this peer that it runs.
    pub(crate) fn begin_wait(&mut self, task: Option<TaskId>, bond: Bond) -> PlaceId {
        let kind = Kind::Wait {
            task,
            answered: false,
        };
        self.stand(kind, task, bond)
    }

    /// A thread begins to serve; a `task` that it runs makes room meanwhile, as one that waits
    /// does.
    pub(crate) fn begin_serving(&mut self, task: Option<TaskId>, bond: Bond) -> PlaceId {
        self.stand(Kind::Serving, task, bond)
    }

    /// The thread leaves its place, for whatever reason. What was assigned to it goes to
    /// the front of the queue again, what names it to the place where it stands beneath.
    pub(crate) fn leave(&mut self, place: PlaceId) {
        let Some(index) = self.places.iter().position(|known| known.id == place) else {
            return;
        };
        let place = self.places.remove(index);
        if let Some(task) = place.task.and_then(|task| self.tasks.get_mut(task)) {
            task.waits_in = None;
            self.waiting_tasks -= 1;
        }
        if let Some((task, job)) = place.assigned {
            self.tasks.remove(task);
            self.queue.push_front((job, 0));
        }
        for (job, bytes) in place.named.into_iter().rev() {
            match self.place_of(job.bond()) {
                Some(beneath) => beneath.named.push_front((job, bytes)),
                None => {
                    self.queue.push_front((job, bytes));
                    self.named -= 1;
                }
            }
        }
    }

    /// The reply that the place waits for is in.
    pub(crate) fn answered(&mut self, place: PlaceId) {
        self.progress += 1;
        if let Some(Place {
            kind: Kind::Wait { answered, .. },
            ..
        }) = self.place_mut(place)
        {
            *answered = true;
        }
    }

    /// The thread at the place says what it does from now on.
    pub(crate) fn set_doing(&mut self, place: PlaceId, doing: Doing) {
        if let Some(place) = self.place_mut(place) {
            place.doing = doing;
        }
    }

    /// What the next request in the queue is to do, if its turn has come.
    pub(crate) fn next(&mut self, asker: Asker) -> Option<Next<J>> {
        if self.named > 0
            && let Some(next) = self.next_named(asker)
        {
            return Some(next);
        }
        if !self.has_room() {
            return None;
        }
        self.start_next(asker)
    }

    /// Starts the next request though it isn't its turn: nothing has moved for a while.
    pub(crate) fn break_stall(&mut self) -> Option<Next<J>> {
        self.start_next(Asker::Nobody)
    }

    /// What was assigned to the place, to be run there now; the place is covered until
    /// [`uncover`](Turns::uncover).
    pub(crate) fn take_assigned(&mut self, place: PlaceId) -> Option<(TaskId, J)> {
        self.place_mut(place)?.assigned.take()
    }

    /// What the thread at the place is to run next, if that is known.
    pub(crate) fn next_at(&self, place: PlaceId) -> Option<Handler> {
        let place = self.place(place)?;
        let assigned = place.assigned.as_ref().map(|(_, job)| job);
        let next = assigned.or_else(|| place.named.front().map(|(job, _)| job));
        next.map(Job::handler)
    }

    /// What ran at the place has ended.
    pub(crate) fn uncover(&mut self, place: PlaceId) {
        if let Some(place) = self.place_mut(place) {
            place.covered = false;
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
    pub(crate) fn heir(&self) -> Option<PlaceId> {
        let sleepers = || {
            let idle = |place: &&Place<J>| place.doing == Doing::Asleep && !place.covered;
            self.places.iter().rev().filter(idle)
        };
        let waits = |place: &&Place<J>| {
            matches!(
                place.kind,
                Kind::Wait {
                    answered: false,
                    ..
                }
            )
        };
        let serves = |place: &&Place<J>| place.kind == Kind::Serving;
        let heir = sleepers().find(waits).or_else(|| sleepers().find(serves));
        heir.map(|place| place.id)
    }

    /// Everything that is queued, to be dropped by the caller outside of the lock.
    pub(crate) fn clear_queue(&mut self) -> Vec<J> {
        self.queued_bytes = 0;
        let assigned = self
            .places
            .iter_mut()
            .filter_map(|place| place.assigned.take());
        let mut jobs: Vec<J> = Vec::new();
        for (task, job) in assigned {
            self.tasks.remove(task);
            jobs.push(job);
        }
        for place in &mut self.places {
            if matches!(place.doing, Doing::Asleep | Doing::Resting) {
                place.covered = false;
            }
        }
        let named = self
            .places
            .iter_mut()
            .flat_map(|place| place.named.drain(..));
        jobs.extend(named.chain(self.queue.drain(..)).map(|(job, _)| job));
        self.named = 0;
        jobs
    }

    /// How many tasks there are.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// How many requests are queued.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len() + self.named
    }

    /// What the tasks were asked for, oldest first.
    pub(crate) fn running(&self) -> impl Iterator<Item = Handler> {
        self.tasks.handlers()
    }

    /// What the queued requests ask for: first those that any thread may run, in their order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Handler> {
        let named = self.places.iter().flat_map(|place| &place.named);
        self.queue.iter().chain(named).map(|(job, _)| job.handler())
    }

    /// Whether some thread waits for a reply.
    pub(crate) fn somebody_waits(&self) -> bool {
        let waits = |place: &Place<J>| matches!(place.kind, Kind::Wait { .. });
        self.places.iter().any(waits)
    }

    /// Whether some thread serves, busy or not.
    pub(crate) fn somebody_serves(&self) -> bool {
        self.places.iter().any(|place| place.kind == Kind::Serving)
    }

    /// Whether any thread waits or serves.
    pub(crate) fn somebody_stands(&self) -> bool {
        !self.places.is_empty()
    }

    /// A count that grows whenever something starts, ends or is answered.
    pub(crate) fn progress(&self) -> u64 {
        self.progress
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn stand(&mut self, kind: Kind, task: Option<TaskId>, bond: Bond) -> PlaceId {
        let id = PlaceId(self.number());
        // What names this thread is run wherever it stands now.
        let beneath = (self.named > 0)
            .then(|| self.youngest_of(bond.ours))
            .flatten();
        let named = beneath.map(|place| std::mem::take(&mut place.named));
        if let Some(task) = task.and_then(|task| self.tasks.get_mut(task)) {
            task.waits_in = Some(id);
            self.waiting_tasks += 1;
        }
        self.places.push(Place {
            id,
            kind,
            task,
            bond,
            doing: Doing::Awake,
            named: named.unwrap_or_default(),
            assigned: None,
            covered: false,
        });
        id
    }

    fn place_mut(&mut self, id: PlaceId) -> Option<&mut Place<J>> {
        self.places.iter_mut().find(|place| place.id == id)
    }

    fn place(&self, id: PlaceId) -> Option<&Place<J>> {
        self.places.iter().find(|place| place.id == id)
    }

    fn youngest_of(&mut self, ours: u64) -> Option<&mut Place<J>> {
        let mut places = self.places.iter_mut().rev();
        places.find(|place| place.bond.ours == ours)
    }

    /// Where the thread stands that a request names, if it stands for the peer's thread that sent
    /// it, or for none yet. A thread that just serves is nobody's.
    fn place_of(&mut self, bond: Bond) -> Option<&mut Place<J>> {
        if bond.ours == 0 {
            return None;
        }
        self.youngest_of(bond.ours).filter(|place| {
            let stands = place.task.is_some() || place.kind != Kind::Serving;
            stands && (place.bond.peers == 0 || place.bond.peers == bond.peers)
        })
    }

    fn is_full(&self) -> bool {
        self.queued() >= self.bounds.max_queued || self.queued_bytes >= self.bounds.max_queued_bytes
    }

    /// Whether another task may be active: each wait by a thread that runs no task makes room
    /// for one more.
    fn has_room(&self) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        let foreign = |place: &&Place<J>| matches!(place.kind, Kind::Wait { task: None, .. });
        let room = self.bounds.concurrency + self.places.iter().filter(foreign).count();
        self.tasks.len() - self.waiting_tasks < room
    }

    /// A request for the asker's own thread, or else a sleeping thread for which there is one. They
    /// need no room: their thread is there, and does nothing.
    fn next_named(&mut self, asker: Asker) -> Option<Next<J>> {
        let has_one = |place: &Place<J>| !place.covered && !place.named.is_empty();
        let own = |place: &&mut Place<J>| asker == Asker::Place(place.id) && has_one(place);
        let Some(place) = self.places.iter_mut().find(own) else {
            let asleep = |place: &&Place<J>| {
                has_one(place) && matches!(place.doing, Doing::Asleep | Doing::Resting)
            };
            let sleeper = self.places.iter().find(asleep)?;
            return Some(Next::Wake(sleeper.id));
        };
        let (id, is_wait) = (place.id, place.kind != Kind::Serving);
        let (job, bytes) = place.named.pop_front()?;
        self.named -= 1;
        self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        if self.tasks.len() >= self.bounds.max_tasks {
            return Some(Next::TooDeep(job));
        }
        place.covered = true;
        self.progress += 1;
        let task = TaskId(self.number());
        self.tasks.start(task, job.handler(), is_wait.then_some(id));
        Some(Next::Here(task, job))
    }

    fn start_next(&mut self, asker: Asker) -> Option<Next<J>> {
        let (job, bytes) = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        if self.tasks.len() >= self.bounds.max_tasks {
            return Some(Next::TooDeep(job));
        }
        let handler = job.handler();
        let spot = self.choose(asker, job.bond());
        let task = TaskId(self.number());
        self.progress += 1;
        let spot = spot.and_then(|id| self.place_mut(id));
        let is_wait = |place: &&mut Place<J>| matches!(place.kind, Kind::Wait { .. });
        let Some(place) = spot else {
            self.tasks.start(task, handler, None);
            return Some(match asker {
                Asker::PoolThread => Next::Here(task, job),
                _ => Next::Pool(task, job),
            });
        };
        let id = place.id;
        let runs_on = is_wait(&place).then_some(id);
        place.covered = true;
        let next = if asker == Asker::Place(id) {
            Next::Here(task, job)
        } else {
            place.assigned = Some((task, job));
            Next::Wake(id)
        };
        self.tasks.start(task, handler, runs_on);
        Some(next)
    }

    /// The place where a request runs: an idle serving thread; beneath the innermost wait of a
    /// task, where the nesting is by stack; else none, which means the pool. A thread that
    /// reads can't be given anything, but by itself. A request of a bound thread goes on top of no
    /// other request.
    fn choose(&self, asker: Asker, bond: Bond) -> Option<PlaceId> {
        let bound = bond.peers != 0;
        let asking = |place: &Place<J>| asker == Asker::Place(place.id);
        let engaged = |place: &Place<J>| matches!(place.doing, Doing::Reading | Doing::Busy);
        let free = |place: &&Place<J>| !place.covered && !engaged(place);
        let idle = |place: &&Place<J>| {
            place.kind == Kind::Serving && free(place) && !(bound && place.task.is_some())
        };
        let mut serving = self.places.iter().filter(idle);
        let own = serving.clone().find(|place| asking(place));
        if let Some(server) = own.or_else(|| serving.next()) {
            return Some(server.id);
        }
        if bound || self.bounds.nesting == Nesting::Pool {
            return None;
        }
        let innermost = self.innermost_wait()?;
        free(&innermost).then_some(innermost.id)
    }

    /// The youngest wait of a task with nothing on top of it, unless its reply or that to a wait
    /// below it on the same thread is in: that thread is wanted elsewhere.
    fn innermost_wait(&self) -> Option<&Place<J>> {
        let is_wait = |place: &&Place<J>| {
            !place.covered && matches!(place.kind, Kind::Wait { task: Some(_), .. })
        };
        let innermost = self.places.iter().rev().find(is_wait)?;
        let mut below = Some(innermost);
        while let Some(Place {
            kind: Kind::Wait { task, answered },
            ..
        }) = below
        {
            if *answered {
                return None;
            }
            let task = task.and_then(|task| self.tasks.get(task));
            below = task
                .and_then(|task| task.runs_on)
                .and_then(|id| self.place(id));
        }
        Some(innermost)
    }
}

#[cfg(test)]
mod tests;
