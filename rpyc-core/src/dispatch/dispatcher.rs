//! [`Dispatcher`]: what the threads of one connection share, and its lock rules; [`Protocol`]: what
//! it has to be told of the messages.
//!
//! # Lock rules
//!
//! 1. `core` comes first. The locks of the session's tables, of slots, of the notes and of the outbox are
//!    leaves: nothing is locked under them.
//! 2. No foreign code runs under any of them: no handler, no callback, no destructor of an object. What
//!    must be dropped goes into `Core::garbage` and is dropped by an executing thread. `ReadinessObserver::on_unread`
//!    alone is called under `core`: its contract is to do next to nothing.
//! 3. No read, no write and no wait happens under a lock, but for the condition variables' own. Ending
//!    the stream is a write: who fails the connection calls `Dispatcher::cut_off` once the lock is given
//!    back. Nor is anything logged: [`Notes`] keep it for later.
//! 4. A thread that stops waiting, or goes off to run a request, passes the reading on:
//!    `Dispatcher::pass_on_reading`. So a free read half always has somebody who was told of it, or
//!    nobody who could take it; then the watchdog finds a helper.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::calls::Calls;
use super::garbage::Garbage;
use super::health::HealthCheck;
use super::lifecycle::Lifecycle;
use super::notes::Notes;
use super::outbox::{CONGESTED, Outbox, Rest, WRITE_TIME};
use super::reading::Reading;
use super::reply_to::ReplyTo;
use super::scheduler::{Bounds, Job, Scheduler, ThreadPair, ThreadState, WaiterId};
use super::sleepers::{Sleepers, TaskEnds};
use super::slot::Reply;
use super::watchdog::helpers;
use crate::error::CloseReason;
use crate::executor::{Executor, hand_over};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::transport::{ReadHalf, Stream};
use crate::wire::{Payload, Seq};

/// What the messages of a connection mean. Under `core` the dispatcher calls [`foreign_parts`](Protocol::foreign_parts),
/// [`is_plain`](Protocol::is_plain), [`take_seq`](Protocol::take_seq), [`write_timeout`](Protocol::write_timeout),
/// [`name`](Protocol::name) and [`is_debug`](Protocol::is_debug): they run nothing foreign, and lock the config at the
/// most, which is a leaf. It calls nothing else of it under a lock.
pub(crate) trait Protocol: Sized + Send + Sync + 'static {
    /// Whatever crosses the connection: what a request of ours is answered with.
    type Payload: Clone + fmt::Debug + Send;
    /// A request of the peer's.
    type Request: Job + fmt::Debug + Send;

    /// Adds what a frame's payload says to the arrivals; `is_first` says that it is the
    /// connection's first. Says whether the peer has shown that it speaks the protocol, and how much
    /// memory the arrivals take. Runs on the reader, in the order of arrival: no foreign code.
    ///
    /// # Errors
    /// What ends the connection.
    fn decode(
        link: &Dispatcher<Self>,
        payload: Payload<'_>,
        is_first: bool,
        into: &mut Vec<Arrival<Self>>,
    ) -> Result<Decoded, CloseReason>;

    /// What the request holds that only an executing thread may drop.
    fn foreign_parts(request: Self::Request) -> impl Iterator<Item = Self::Payload>;

    /// Whether any thread may drop it: nobody's destructor runs.
    fn is_plain(payload: &Self::Payload) -> bool;

    /// Runs a request of the peer's to its end and queues the answer. Never unwinds.
    fn execute(link: &Arc<Dispatcher<Self>>, request: Self::Request);

    /// Queues the answer to a request that isn't executed.
    fn refuse(link: &Dispatcher<Self>, request: &Self::Request, why: &Refusal);

    /// Queues the answer to the peer's CLOSE.
    fn answer_close(link: &Dispatcher<Self>, to: &ReplyTo);

    /// Queues a request between these threads, for whose answer no thread waits; says whether it can be sent.
    fn queue_posted(link: &Dispatcher<Self>, seq: u64, what: Posted, pair: ThreadPair) -> bool;

    /// The number of the next request.
    fn take_seq(&self) -> u64;

    /// Tells that the connection has ended.
    fn ended(link: &Arc<Dispatcher<Self>>);

    /// Gives up everything that is held for the connection.
    fn release_all(&self) -> Vec<Self::Payload>;

    /// Runs requests that can't run where they were read.
    fn executor(&self) -> Arc<dyn Executor>;

    /// Runs a request whose thread is this one: as [`Executor::run`] does.
    fn run_here(&self, request: &mut (dyn FnMut() + Send));

    /// How many bytes of answers the requests that run may add to those that are unread.
    fn max_answers(&self) -> usize;

    /// How many bytes the answers may take that have come and that nobody has taken; and what that is in words of
    /// the config's.
    fn max_held(&self) -> (usize, &'static str);

    /// How long a peer may leave unread what is sent to it.
    fn write_timeout(&self) -> Option<Duration>;

    /// What the connection is called in logs.
    fn name(&self) -> &str;

    /// Whether everything is to be logged.
    fn is_debug(&self) -> bool;

    /// Writes to the log.
    fn log(&self, level: log::Level, text: fmt::Arguments<'_>);
}

/// What this side asks of the peer by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    /// That it consents to the end of the connection.
    Close,
    /// Nothing but to answer.
    Probe,
}

/// Why a request isn't executed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Too many are nested.
    TooDeep,
    /// Too many are queued, while somebody here waits.
    QueueFull,
    /// There is no thread for it.
    NoThread(std::io::Error),
}

/// What [`Protocol::decode`] has found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    /// It was a message of the protocol.
    pub(crate) is_valid: bool,
    /// About how many bytes what it brought takes.
    pub(crate) memory: usize,
}

/// What has come, with its references resolved.
pub(crate) enum Arrival<P: Protocol> {
    Request {
        request: P::Request,
        bytes: usize,
    },
    Close(ReplyTo),
    Reply {
        seq: Seq,
        reply: Reply<P::Payload>,
        bytes: usize,
    },
    Garbage(P::Payload),
}

/// What the threads of one connection share: who reads, what runs where, when bytes go out.
pub(crate) struct Dispatcher<P: Protocol> {
    /// A number that no other connection of the process has.
    pub(crate) number: u64,
    pub(crate) stream: Arc<dyn Stream>,
    pub(crate) session: P,
    pub(crate) outbox: Outbox,
    pub(super) core: Mutex<Core<P>>,
    pub(super) notes: Notes,
    // Our requests, releases included, that the peer hasn't answered.
    pub(super) unanswered: AtomicU64,
    // The watchdog looks at this connection.
    pub(super) watched: AtomicBool,
    pub(super) this: Weak<Dispatcher<P>>,
}

/// What the lock guards.
pub(crate) struct Core<P: Protocol> {
    pub(super) reading: Reading<P>,
    pub(crate) scheduler: Scheduler<P::Request>,
    pub(crate) calls: Calls<P::Payload>,
    pub(super) sleepers: Sleepers,
    pub(super) lifecycle: Lifecycle,
    pub(super) health: HealthCheck,
    pub(super) garbage: Garbage<P::Payload>,
    pub(super) task_ends: TaskEnds,
    /// Keeps the connection in memory until the session has been told of its end.
    pub(super) kept: Option<Arc<Dispatcher<P>>>,
}

/// The core, locked.
pub(crate) type Locked<'a, P> = MutexGuard<'a, Core<P>>;

impl<P: Protocol> Dispatcher<P> {
    pub(crate) fn new(
        number: u64,
        stream: Arc<dyn Stream>,
        read_half: Box<ReadHalf>,
        bounds: Bounds,
        session: P,
    ) -> Arc<Dispatcher<P>> {
        let (max_held, as_configured) = session.max_held();
        let calls = Calls::new(max_held, as_configured);
        let outbox = Outbox::new(stream.bound_writes(WRITE_TIME));
        Arc::new_cyclic(|this| Dispatcher {
            number,
            stream,
            session,
            outbox,
            core: Mutex::new(Core {
                reading: Reading::new(read_half),
                scheduler: Scheduler::new(bounds),
                calls,
                sleepers: Sleepers::default(),
                lifecycle: Lifecycle::default(),
                health: HealthCheck::default(),
                garbage: Garbage::new(),
                task_ends: TaskEnds::default(),
                kept: None,
            }),
            notes: Notes::default(),
            unanswered: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            this: this.clone(),
        })
    }

    #[cfg(test)]
    pub(crate) fn lock(&self) -> Locked<'_, P> {
        self.core.lock()
    }

    /// A handle of this connection, unless it is about to be dropped.
    pub(crate) fn handle(&self) -> Option<Arc<Dispatcher<P>>> {
        self.this.upgrade()
    }

    /// A request of ours, or a release, is about to be queued.
    pub(crate) fn count_request(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// It isn't queued, or is answered.
    pub(crate) fn uncount_request(&self) {
        let less = |count: u64| count.checked_sub(1);
        let _ = self
            .unanswered
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Whether the peer may have more under way than one answer: another answer, or, behind the
    /// answer to a release, which it doesn't wait for us after, a request of its own. `waited_for`
    /// are the requests that wait for answers.
    pub(super) fn expects_more(&self, waited_for: usize) -> bool {
        let unanswered = self.unanswered.load(Ordering::Relaxed);
        unanswered > 1
            || usize::try_from(unanswered).is_ok_and(|unanswered| unanswered > waited_for)
    }

    /// Writes what is queued, unless somebody else does; a failure ends the connection.
    pub(crate) fn flush(&self) {
        if !self.outbox.needs_writer() {
            return;
        }
        self.wake_watchdog();
        self.fail_if_unwritten(self.outbox.flush(&*self.stream));
    }

    /// The same for a thread that has a deadline: what the peer doesn't read at once is left to
    /// another thread.
    pub(crate) fn flush_soon(self: &Arc<Self>) {
        if !self.outbox.needs_writer() {
            return;
        }
        self.wake_watchdog();
        match self.outbox.flush_unless_stalled(&*self.stream) {
            Ok(None) => {}
            Ok(Some(rest)) => self.write_elsewhere(rest),
            Err(error) => self.fail_if_unwritten(Err(error)),
        }
    }

    #[cold]
    fn write_elsewhere(self: &Arc<Self>, rest: Rest) {
        let link = self.clone();
        let write = move |rest| link.fail_if_unwritten(link.outbox.resume(&*link.stream, rest));
        if let Err((rest, error)) = hand_over(helpers(), rest, write.clone()) {
            self.warn_of_no_helper(&error);
            write(rest);
        }
    }

    /// Waits, where much is queued, until the peer has read most of it: a request that has piled
    /// it up doesn't end before, so that no other one takes its turn. What has a deadline waits for no longer.
    pub(super) fn wait_drained(self: &Arc<Self>, deadline: Option<Instant>) {
        if self.outbox.is_congested() {
            self.wake_watchdog();
            match deadline {
                None => self.flush(),
                Some(_) => self.flush_soon(),
            }
            self.outbox.wait_below(CONGESTED, deadline);
        }
    }

    fn fail_if_unwritten(&self, outcome: std::io::Result<()>) {
        if let Err(error) = outcome {
            self.end(CloseReason::Io(error.into()));
        }
    }

    /// New bounds hold from now on; requests that may start by them do.
    pub(crate) fn set_bounds(self: &Arc<Self>, bounds: Bounds) {
        let mut core = self.core.lock();
        *core.scheduler.bounds_mut() = bounds;
        while let Some(next) = core.scheduler.next(super::scheduler::Requester::Nobody) {
            core = self.send_off(core, next);
        }
        // A full queue may be none any more.
        self.pass_on_reading(&mut core);
    }
}

impl<P: Protocol> Core<P> {
    /// Whether no request of the peer's runs or is queued.
    pub(super) fn is_unused(&self) -> bool {
        self.scheduler.tasks() == 0 && self.scheduler.queued() == 0
    }

    /// Whether no request of the peer's is queued, or runs and doesn't itself wait for the end.
    pub(super) fn is_idle(&self) -> bool {
        self.scheduler.queued() == 0 && self.scheduler.tasks_at_work() == 0
    }

    /// The wait about which a peer that has said CLOSE is to be asked, and its threads.
    pub(super) fn may_probe(&self) -> Option<(WaiterId, ThreadPair)> {
        let may_probe = self.lifecycle.may_probe();
        may_probe.then(|| self.scheduler.stuck_wait()).flatten()
    }

    /// Whether a request, or the peer's CLOSE, waits for its turn.
    pub(super) fn something_is_due(&self) -> bool {
        self.scheduler.queued() > 0 || self.lifecycle.is_close_requested()
    }

    /// Wakes the waiter, if it sleeps.
    pub(super) fn wake(&mut self, waiter: WaiterId) {
        if self.sleepers.wake(waiter) {
            self.scheduler.set_state(waiter, ThreadState::Awake);
        }
    }
}

impl<P: Protocol> fmt::Debug for Dispatcher<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("name", &self.session.name())
            .finish_non_exhaustive()
    }
}
