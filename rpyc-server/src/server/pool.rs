//! A pool of threads for all clients: idle clients cost none.
//!
//! One thread watches the sockets of all clients (epoll). A client that has sent something is
//! queued for the workers, threads of its service's executor, of which there are as many as the
//! mode says. A worker serves what is there, down to half a frame, and turns to the next client.
//!
//! While all workers are busy, or a request of this client's runs, what it sends is taken in by a
//! thread that runs nothing, so that its socket is always drained and callbacks find their way.
//!
//! **Architecture Invariant:** a worker that waits for a client, its own or another (for the answer
//! to a callback, for a write to get on), is replaced while it waits: nobody's silence takes a worker
//! from the others.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use log::warn;
use parking_lot::{Mutex, MutexGuard};
use rpyc_core::Connection;
use rpyc_core::executor::Executor;
use rpyc_core::pool::{self, BlockedThreads, ReadinessObserver};
use rpyc_core::transport::PeerAddr;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::client::{Admitted, Served};
use super::raw::{Incoming, RawStream, Socket};
use super::refusal::Refused;
use super::shared::Shared;
use crate::threads::Joined;

/// The watching threads of a server; they end when it is dropped.
#[derive(Debug)]
pub(super) struct Pool {
    inner: Arc<Inner>,
    _threads: Vec<Joined>,
}

#[derive(Debug)]
struct Inner {
    epoll: Arc<OwnedFd>,
    workers: usize,
    start: Instant,
    stopping: AtomicBool,
    watched_connections: Mutex<HashMap<u64, Arc<WatchedConnection>>>,
    last: AtomicU64,
    queue: Mutex<Queue>,
    // The workers that wait for clients.
    blocked: BlockedThreads,
    // No thread could be had for the last worker: it has been told.
    short: AtomicBool,
    take_in: Sender<TakeIn>,
}

/// What the thread that takes in is told.
#[derive(Clone, Copy, Debug)]
enum TakeIn {
    /// Something has come from this connection.
    From(u64),
    /// A client waits for a worker, and there may be no more of them for now.
    Crowd,
    /// The pool has ended.
    End,
}

/// Clients that wait for a worker.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<WatchedConnection>>,
    workers: usize,
}

/// A client that is watched.
struct WatchedConnection {
    number: u64,
    socket: Socket,
    connection: Connection,
    executor: Arc<dyn Executor>,
    served: Mutex<Option<Served>>,
    // The socket's next event will be reported.
    armed: AtomicBool,
    // It is queued or a worker serves it.
    busy: AtomicBool,
    // Milliseconds since the pool's start; 0 is none.
    deadline: AtomicU64,
    // What `on_unread` needs: under a lock of the connection's it must not come to hold the last
    // handle of the pool.
    epoll: Arc<OwnedFd>,
    start: Instant,
    take_in: Sender<TakeIn>,
    inner: Weak<Inner>,
}

impl Pool {
    pub(super) fn start(workers: usize) -> io::Result<Pool> {
        let (take_in, taken_in) = unbounded();
        let inner = Arc::new(Inner {
            epoll: Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?),
            workers: workers.max(1),
            start: Instant::now(),
            stopping: AtomicBool::new(false),
            watched_connections: Mutex::default(),
            last: AtomicU64::new(0),
            queue: Mutex::default(),
            blocked: BlockedThreads::new(),
            short: AtomicBool::new(false),
            take_in,
        });
        let (watching, taking) = (inner.clone(), Arc::downgrade(&inner));
        let threads = vec![
            Joined::start("rpyc-poll", move || watching.watch())?,
            Joined::start("rpyc-take-in", move || take_in_all(&taken_in, &taking))?,
        ];
        Ok(Pool {
            inner,
            _threads: threads,
        })
    }

    /// Serves a client; says whether it was let in.
    pub(super) fn take(&self, shared: &Arc<Shared>, stream: RawStream, peer: PeerAddr) -> bool {
        let Some(client) = Admitted::new(shared, Incoming::Raw(stream), peer.clone()) else {
            return false;
        };
        let (executor, server) = (client.executor.clone(), shared.clone());
        let inner = self.inner.clone();
        // It may take its time, so it isn't the workers' business.
        let open = Box::new(move || {
            let executor = client.executor.clone();
            if let Some((served, Some(socket))) = client.open_watched(&server) {
                inner.watch_over(served, socket, executor);
            }
        });
        let started = executor.execute(open);
        if let Err(error) = &started {
            shared.refuse(Refused::System, &peer, error);
        }
        started.is_ok()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        // The clients that haven't ended by now have been given up.
        let left = std::mem::take(&mut *self.inner.watched_connections.lock());
        drop(left);
        let _ = self.inner.take_in.send(TakeIn::End);
    }
}

impl Inner {
    fn watch_over(self: &Arc<Self>, served: Served, socket: Socket, executor: Arc<dyn Executor>) {
        let watched = Arc::new(WatchedConnection {
            number: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            socket,
            connection: served.connection.clone(),
            executor,
            served: Mutex::new(Some(served)),
            armed: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            deadline: AtomicU64::new(0),
            epoll: self.epoll.clone(),
            start: self.start,
            take_in: self.take_in.clone(),
            inner: Arc::downgrade(self),
        });
        let data = epoll::EventData::new_u64(watched.number);
        // Nothing is reported before it is armed, except that the peer has gone.
        let added = epoll::add(
            &self.epoll,
            &watched.socket,
            data,
            epoll::EventFlags::ONESHOT,
        );
        self.watched_connections
            .lock()
            .insert(watched.number, watched.clone());
        if let Err(error) = added {
            warn!("{}: can't be watched: {error}", watched.connection.connid());
            watched.connection.shut_down(Duration::ZERO);
            watched.end();
            return;
        }
        pool::observe_readiness(&watched.connection, watched.clone());
        // What came before is reported now, and what has been read by on_connect is queued.
        self.look_after(&watched);
    }

    /// Waits for events until the pool ends.
    fn watch(self: Arc<Self>) {
        let mut events = Vec::with_capacity(MAX_EVENTS);
        let mut looked = Instant::now();
        while !self.stopping.load(Ordering::SeqCst) {
            events.clear();
            let pause = Timespec::try_from(TICK).ok();
            let buffer = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, buffer, pause.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    warn!("the clients' sockets can't be watched for now: {error}");
                    thread::sleep(TICK); // else it would try without a pause
                }
            }
            for event in &events {
                let watched = self
                    .watched_connections
                    .lock()
                    .get(&event.data.u64())
                    .cloned();
                if let Some(watched) = watched {
                    watched.armed.store(false, Ordering::SeqCst);
                    self.report(watched);
                }
            }
            if looked.elapsed() >= TICK {
                looked = Instant::now();
                self.report_overdue();
            }
        }
    }

    /// Something can be read from the client, or its time is up.
    fn report(self: &Arc<Self>, watched: Arc<WatchedConnection>) {
        let crowded = {
            let queue = self.queue.lock();
            queue.workers >= self.workers
        };
        if watched.busy.load(Ordering::SeqCst) || crowded {
            // It fails when the pool has ended.
            let _ = self.take_in.send(TakeIn::From(watched.number));
        } else {
            self.enqueue(watched);
        }
    }

    /// Queues the client if it needs a worker and has none.
    fn look_after(self: &Arc<Self>, watched: &Arc<WatchedConnection>) {
        if pool::wants_thread(&watched.connection) {
            self.enqueue(watched.clone());
        }
    }

    fn enqueue(self: &Arc<Self>, watched: Arc<WatchedConnection>) {
        if watched.busy.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut queue = self.queue.lock();
        queue.waiting.push_back(watched);
        if !self.start_worker(queue) {
            let _ = self.take_in.send(TakeIn::Crowd);
        }
    }

    /// Starts a worker if clients wait and there may be one more; says whether none waits without.
    fn start_worker(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>) -> bool {
        let Some(watched) = queue.waiting.front() else {
            return true;
        };
        if queue.workers >= self.workers + self.blocked.count() {
            return false;
        }
        let executor = watched.executor.clone();
        queue.workers += 1;
        drop(queue);
        let (inner, kind) = (self.clone(), executor.clone());
        if let Err(error) = executor.execute(Box::new(move || inner.work(&kind))) {
            // It is tried again a hundred times a second.
            if !self.short.swap(true, Ordering::Relaxed) {
                warn!("no thread for another worker, trying again: {error}");
            }
            self.queue.lock().workers -= 1;
            return false;
        }
        self.short.store(false, Ordering::Relaxed);
        true
    }

    /// A worker's life, on a thread of this executor.
    fn work(self: Arc<Self>, executor: &Arc<dyn Executor>) {
        let _registered = self.blocked.register();
        while let Some(watched) = self.next(executor) {
            let closed = pool::serve_ready(&watched.connection).is_some();
            if closed {
                watched.end();
                continue;
            }
            watched.busy.store(false, Ordering::SeqCst);
            // What was taken in meanwhile found it busy.
            self.look_after(&watched);
        }
    }

    /// The next client for a worker of this executor's; none ends the worker.
    fn next(self: &Arc<Self>, executor: &Arc<dyn Executor>) -> Option<Arc<WatchedConnection>> {
        let mut queue = self.queue.lock();
        let enough = self.workers + self.blocked.count();
        let ours = |watched: &&Arc<WatchedConnection>| Arc::ptr_eq(&watched.executor, executor);
        if queue.workers <= enough && queue.waiting.front().is_some_and(|watched| ours(&watched)) {
            return queue.waiting.pop_front();
        }
        queue.workers -= 1;
        if !self.start_worker(queue) {
            let _ = self.take_in.send(TakeIn::Crowd);
        }
        None
    }

    /// Has those looked at whose time is up.
    fn report_overdue(self: &Arc<Self>) {
        let now = millis(self.start, Instant::now());
        let overdue = |watched: &&Arc<WatchedConnection>| {
            let deadline = watched.deadline.load(Ordering::Relaxed);
            deadline > 0 && deadline <= now
        };
        let overdue: Vec<_> = self
            .watched_connections
            .lock()
            .values()
            .filter(overdue)
            .cloned()
            .collect();
        for watched in overdue {
            watched.deadline.store(0, Ordering::Relaxed);
            self.report(watched);
        }
    }
}

impl WatchedConnection {
    /// The connection has closed: its service is told, on this thread unless requests still run.
    fn end(self: &Arc<Self>) {
        let Some(served) = self.served.lock().take() else {
            return;
        };
        if let Some(inner) = self.inner.upgrade() {
            inner.watched_connections.lock().remove(&self.number);
            // It fails if it was never added.
            let _ = epoll::delete(&inner.epoll, &self.socket);
        }
        if self.connection.running_requests() == 0 {
            served.serve();
        } else if let Err(error) = self.executor.execute(Box::new(move || served.serve())) {
            warn!(
                "{}: no thread to wait for its last request: {error}",
                self.connection.connid()
            );
        }
    }
}

impl ReadinessObserver for WatchedConnection {
    fn on_unread(&self, within: Option<Duration>) {
        if within == Some(Duration::ZERO) {
            // It fails when the pool has ended.
            let _ = self.take_in.send(TakeIn::From(self.number));
            return;
        }
        let deadline = within.and_then(|within| Instant::now().checked_add(within));
        let deadline =
            deadline.map_or(0, |deadline| millis(self.start, deadline).saturating_add(1));
        self.deadline.store(deadline, Ordering::Relaxed);
        if self.armed.swap(true, Ordering::SeqCst) {
            return;
        }
        let data = epoll::EventData::new_u64(self.number);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ONESHOT;
        if let Err(error) = epoll::modify(&self.epoll, &self.socket, data, flags)
            && error != Errno::NOENT
        {
            warn!("{}: can't be watched: {error}", self.connection.connid());
        }
    }
}

impl std::fmt::Debug for WatchedConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchedConnection")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

/// Reads for clients that have no worker, and finds workers for those that wait for one.
fn take_in_all(reports: &Receiver<TakeIn>, inner: &Weak<Inner>) {
    let mut crowded = false;
    loop {
        let report = match crowded {
            true => reports.recv_timeout(SHORT),
            false => reports.recv().map_err(RecvTimeoutError::from),
        };
        let Some(inner) = inner.upgrade() else {
            return;
        };
        match report {
            Ok(TakeIn::From(number)) => {
                let watched = inner.watched_connections.lock().get(&number).cloned();
                if let Some(watched) = watched
                    && pool::take_in(&watched.connection)
                {
                    inner.enqueue(watched);
                }
            }
            Ok(TakeIn::Crowd) => crowded = true,
            Err(RecvTimeoutError::Timeout) => {}
            Ok(TakeIn::End) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if crowded {
            // In place of workers that wait for clients, or of a thread that couldn't be had.
            inner.start_worker(inner.queue.lock());
            crowded = !inner.queue.lock().waiting.is_empty();
        }
    }
}

fn millis(start: Instant, at: Instant) -> u64 {
    let millis = at.saturating_duration_since(start).as_millis();
    u64::try_from(millis).unwrap_or(u64::MAX)
}

/// How many events are taken at a time.
const MAX_EVENTS: usize = 256;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(200);

/// How often it is looked whether workers are held up, while clients wait for one.
const SHORT: Duration = Duration::from_millis(10);
