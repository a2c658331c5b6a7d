//! [`Shared`]: what the threads of one connection share, and its lock rules.
//!
//! # Lock rules
//!
//! 1. `core` comes first. `exports`, `imports`, `config`, slots, a bell and the outbox's own lock are leaves:
//!    nothing is locked under them.
//! 2. No foreign code runs under any of them: no handler, no callback, no destructor of an object. What
//!    must be dropped goes into `Core::garbage` and is dropped by an executing thread.
//! 3. No read, no write and no wait happens under a lock, but for the condition variables' own. Ending
//!    the stream is a write: who fails the connection calls `Shared::cut_off` once the lock is given
//!    back. Nor is anything logged.
//! 4. A thread that stops waiting, or goes off to run a request, passes the reading on:
//!    `Shared::pass_on_reading`. So a free read half always has somebody who was told of it, or
//!    nobody who could take it; then the watchdog finds a helper.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::config::Config;
use crate::counter_hash::CounterState;
use crate::dispatch::calls::{Call, Pending};
use crate::dispatch::incoming::Arrival;
use crate::dispatch::outbox::Outbox;
use crate::dispatch::scheduler::{Job, Requester, Scheduler, ThreadPair, WaiterId};
use crate::dispatch::wait_several::Bell;
use crate::error::{CloseReason, Error};
use crate::object::peer::Peer;
use crate::object::{Any, ObjectRef};
use crate::service::Service;
use crate::session::dialect::{ReplyTo, Wire};
use crate::session::exports::Exports;
use crate::session::imports::Imports;
use crate::session::{AsyncResult, Connection, keep_alive};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex};
use crate::transport::{ReadHalf, Stream};
use crate::wire::{Handler, IdPack, Limits, Message, heap_size};

pub(crate) struct Shared {
    pub(crate) number: u64,
    pub(crate) connid: String,
    pub(crate) peer_label: String,
    pub(crate) stream: Arc<dyn Stream>,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) config: Mutex<Arc<Config>>,
    pub(crate) core: Mutex<Core>,
    pub(crate) exports: Mutex<Exports>,
    pub(crate) imports: Mutex<Imports>,
    pub(crate) outbox: Outbox,
    pub(crate) wire: Wire,
    pub(crate) limits: Limits,
    pub(crate) next_seq: AtomicU64,
    // Our requests, releases included, that the peer hasn't answered.
    pub(crate) unanswered: AtomicU64,
    pub(crate) requests_served: AtomicU64,
    // When the last asynchronous request was sent.
    pub(crate) last_detached: Mutex<Option<Instant>>,
    // There are notes for the log.
    pub(crate) noted: AtomicBool,
    // The watchdog looks at this connection.
    pub(crate) watched: AtomicBool,
    // `close` has been called here.
    pub(crate) closing_here: AtomicBool,
    // The peer's root, once it was asked for.
    pub(crate) root: Mutex<Option<Any>>,
    pub(crate) local_root: Mutex<Option<ObjectRef>>,
    pub(crate) this: Weak<Shared>,
}

/// What the lock guards.
pub(crate) struct Core {
    /// Whoever takes it out is the reader.
    pub(crate) read_half: Option<Box<ReadHalf>>, // boxed: every read moves it
    /// Who that is.
    pub(crate) reader: Option<Reader>,
    pub(crate) scheduler: Scheduler<Request>,
    pub(crate) pending: Pending,
    /// An empty vector with room for what the next read brings.
    pub(crate) room: Vec<Arrival>,
    /// How many messages have come.
    pub(crate) messages: u64,
    /// How many waits for replies have begun.
    pub(crate) waits: u64,
    /// How to wake the waiters that sleep.
    pub(crate) sleepers: HashMap<WaiterId, Sleeper, CounterState>,
    /// Told when a task ends after the connection has closed.
    pub(crate) ended: Arc<Condvar>,
    pub(crate) garbage: Vec<Garbage>,
    pub(crate) closing: Closing,
    pub(crate) health: crate::dispatch::health_check::HealthCheck,
    /// What is to be logged, once the lock is given back.
    pub(crate) notes: Vec<String>,
    /// Told when nobody reads, where no thread of the connection's own does.
    pub(crate) observer: Option<Arc<dyn crate::session::ReadinessObserver>>,
}

/// How to wake a thread that sleeps.
pub(crate) enum Sleeper {
    /// As a waiter of this connection alone.
    Here(Arc<Condvar>),
    /// As one of several connections.
    Several(Arc<Bell>),
}

impl Sleeper {
    pub(crate) fn notify_one(&self) {
        match self {
            Sleeper::Here(condvar) => condvar.notify_one(),
            Sleeper::Several(bell) => bell.ring(),
        }
    }
}

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reader {
    /// This waiter's thread.
    Waiter(WaiterId),
    /// Nobody's thread, because all others are busy.
    Helper,
}

/// A request whose turn has not come.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) to: ReplyTo,
    pub(crate) handler: Handler,
    pub(crate) args: Vec<Any>,
}

impl Request {
    /// The memory that it takes while it is queued and while it runs.
    pub(super) fn memory(&self) -> usize {
        let Request {
            to,
            handler: _,
            args,
        } = self;
        size_of::<Request>()
            .saturating_add(to.seq.heap_size())
            .saturating_add(heap_size::items(args, Any::heap_size))
    }
}

impl Job for Request {
    fn handler(&self) -> Handler {
        self.handler
    }

    fn pair(&self) -> ThreadPair {
        ThreadPair {
            peers: self.to.threads.sender,
            ours: self.to.threads.recipient,
        }
    }
}

/// What an executing thread is to drop or to call.
pub(crate) enum Garbage {
    Any(#[allow(dead_code)] Any), // held only to be dropped in the right place
    Object(#[allow(dead_code)] ObjectRef), // likewise
    Call(Call),
}

/// This side closes without anybody who waits for it.
pub(crate) struct Leaving {
    pub(crate) state: LeavingState,
    /// Why the connection ends.
    pub(crate) reason: CloseReason,
    /// When the peer is told, answered or not.
    pub(crate) say_by: Instant,
    /// When it ends without an answer.
    pub(crate) deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeavingState {
    /// What was sent before is being answered.
    Answering,
    /// The CLOSE is being queued.
    Saying,
    /// It is queued, with this seq.
    Said(u64),
}

/// How far the end of the connection has come.
#[derive(Default)]
pub(crate) struct Closing {
    /// The peer's CLOSE: where its answer goes, and when the requests ahead of it must have ended.
    pub(crate) asked: Option<(ReplyTo, Instant)>,
    /// The peer's CLOSE has come, answered or not.
    pub(crate) close_received: bool,
    /// Nothing more comes from the peer, though the connection isn't closed yet.
    pub(crate) half_closed: bool,
    /// This side closes, and nobody waits for that.
    pub(crate) leaving: Option<Leaving>,
    /// Keeps the connection in memory until the service has been told of its end.
    pub(crate) kept: Option<Arc<Shared>>,
    /// This side waits for the running requests to end, to close then.
    pub(crate) draining: bool,
    /// The first reason; it sticks.
    pub(crate) reason: Option<CloseReason>,
    /// The stream is still to be ended.
    pub(crate) shutdown_pending: bool,
    /// Somebody has taken it on to tell the service.
    pub(crate) finalizing: bool,
    /// The service has been told.
    pub(crate) done: bool,
}

impl Shared {
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.lock().clone()
    }

    /// Puts a new config in the place of the one that it was made of, unless that isn't the
    /// connection's any more; says whether it did. Requests that may start by it do.
    pub(crate) fn replace_config(self: &Arc<Self>, old: &Arc<Config>, new: Config) -> bool {
        let bounds = crate::session::opening::bounds(&new);
        let mut core = self.core.lock();
        {
            let mut config = self.config.lock();
            if !Arc::ptr_eq(&config, old) {
                return false;
            }
            *config = Arc::new(new);
        }
        *core.scheduler.bounds_mut() = bounds;
        while let Some(next) = core.scheduler.next(Requester::Nobody) {
            core = self.send_off(core, next);
        }
        // A full queue may be none any more.
        self.pass_on_reading(&mut core);
        true
    }

    /// The error of every call once the connection is closed.
    pub(crate) fn closed_error(core: &Core) -> Option<Error> {
        let half_closed = core.closing.half_closed.then_some(CloseReason::Peer);
        core.closing
            .reason
            .clone()
            .or(half_closed)
            .map(Error::Closed)
    }

    pub(crate) fn take_seq(&self) -> u64 {
        self.next_seq.fetch_add(1, Ordering::Relaxed)
    }

    /// Logs a message that came, decoded, where the config wants that.
    pub(crate) fn trace_incoming(&self, message: &Message) {
        // Asked first, because it takes no lock.
        if log::max_level() < log::Level::Debug {
            return;
        }
        let config = self.config();
        if config.debug {
            log::debug!(target: &config.logger, "{} <- {message:?}", self.connid);
        }
    }

    /// Notes what is to be logged where the config wants everything: the log is foreign code, and
    /// not written under the lock.
    pub(crate) fn note(&self, core: &mut Core, what: impl FnOnce(&Core) -> String) {
        if log::max_level() >= log::Level::Debug && self.config().debug {
            let note = what(core);
            core.notes.push(note);
            self.noted.store(true, Ordering::Relaxed);
        }
    }

    /// Logs what was noted.
    pub(crate) fn log_notes(&self) {
        // Noted by this thread, or to be logged by the one that did.
        if !self.noted.load(Ordering::Relaxed) || !self.noted.swap(false, Ordering::Relaxed) {
            return;
        }
        let notes = std::mem::take(&mut self.core.lock().notes);
        if !notes.is_empty() {
            let config = self.config();
            for note in notes {
                log::debug!(target: &config.logger, "{}: {note}", self.connid);
            }
        }
    }

    /// Logs a message that goes; it is put together only where the config wants that.
    pub(crate) fn trace_outgoing(&self, config: &Config, message: impl FnOnce() -> Message) {
        if config.debug {
            log::debug!(target: &config.logger, "{} -> {:?}", self.connid, message());
        }
    }
}

impl Peer for Shared {
    fn request(&self, handler: Handler, args: Vec<Any>) -> Result<Any, Error> {
        match self.this.upgrade() {
            Some(shared) => shared.sync_request(handler, args),
            None => Err(Error::Closed(CloseReason::Local)),
        }
    }

    fn async_request(&self, handler: Handler, args: Vec<Any>) -> Result<AsyncResult, Error> {
        match self.this.upgrade() {
            Some(shared) => AsyncResult::send(&shared, handler, args),
            None => Err(Error::Closed(CloseReason::Local)),
        }
    }

    fn post(&self, handler: Handler, args: Vec<Any>, what: &'static str) {
        self.post_request(handler, args, what);
    }

    fn connection(&self) -> Option<Connection> {
        self.this.upgrade().map(Connection::internal)
    }

    fn retain_for(&self, other: u64) {
        keep_alive::retain(self.number, other);
    }

    fn release_for(&self, other: u64) {
        if keep_alive::release(self.number, other)
            && let Some(shared) = self.this.upgrade()
        {
            shared.leave(CloseReason::Dropped, crate::dispatch::lifecycle::GRACE);
        }
    }

    fn release(&self, id_pack: &IdPack, count: u64) {
        self.imports.lock().forget(id_pack);
        self.send_release(id_pack, count);
    }

    fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("connid", &self.connid)
            .finish_non_exhaustive()
    }
}
