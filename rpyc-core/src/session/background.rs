//! Serving while the program does something else: [`BackgroundServing`], and several threads at
//! once.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::dispatch::shared::Shared;
use crate::dispatch::wait_loop::{WaitFor, WaitOutcome};
use crate::error::{CloseReason, Error};
use crate::executor::{no_more_threads, thread_name};
use crate::session::Connection;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A thread that serves a connection: callbacks run while the program does something else. Made by
/// [`Connection::serve_in_background`]; it stops when this is dropped.
#[derive(Debug)]
pub struct BackgroundServing {
    shared: Arc<Shared>,
    state: Arc<BackgroundState>,
    thread: Option<JoinHandle<()>>,
}

/// What a background thread looks at between two messages.
#[derive(Debug, Default)]
pub(crate) struct BackgroundState {
    over: AtomicBool,
    // How many waits there had been when it looked last.
    waits: AtomicU64,
}

impl BackgroundState {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Whether threads have begun to wait for replies since the last look. While they do, they
    /// read for themselves: a reply that the background thread read would have to be
    /// handed over, each time.
    pub(crate) fn yields_reading(&self, waits: u64) -> bool {
        self.waits.swap(waits, Ordering::Relaxed) != waits
    }
}

impl Connection {
    /// Serves the connection on a thread of its own until the handle is dropped, or the connection
    /// closes. Calls of other threads stay as fast as they are.
    ///
    /// The handle doesn't keep the connection open.
    ///
    /// # Errors
    /// [`Error::Io`] when no thread can be had.
    pub fn serve_in_background(&self) -> Result<BackgroundServing, Error> {
        let state = Arc::new(BackgroundState::default());
        let (shared, for_thread) = (self.shared.clone(), state.clone());
        let spawned = thread::Builder::new()
            .name(thread_name(&format!("{}-background", self.shared.connid)))
            .spawn(move || shared.serve_until_over(&for_thread));
        let thread = spawned.map_err(|error| Error::Io {
            doing: "starting a background thread",
            source: Arc::new(no_more_threads(error)),
        })?;
        Ok(BackgroundServing {
            shared: self.shared.clone(),
            state,
            thread: Some(thread),
        })
    }

    /// Serves on `threads` threads, this one among them, until the connection has closed; up to so
    /// many of the peer's requests run at the same time, in no particular order. Says why the
    /// connection closed.
    ///
    /// Where the system has no more threads, it serves on those that there are.
    pub fn serve_threaded(&self, threads: usize) -> CloseReason {
        self.update_config(|config| config.concurrency = threads);
        let serve = |number: usize| {
            let connection = Connection::internal(self.shared.clone());
            let spawned = thread::Builder::new()
                .name(thread_name(&format!("{}-{number}", self.shared.connid)))
                .spawn(move || connection.serve_all());
            let spawned = spawned.map_err(no_more_threads);
            if let Err(error) = &spawned {
                log::warn!(target: &self.config().logger, "{}: no thread to serve on: {error}", self.shared.connid);
            }
            spawned.ok()
        };
        let others: Vec<_> = (1..threads).map_while(serve).collect();
        let reason = self.serve_all();
        for other in others {
            // A thread that panicked has said so.
            let _ = other.join();
        }
        reason
    }
}

impl Shared {
    fn serve_until_over(self: &Arc<Self>, state: &BackgroundState) {
        while !state.is_over() {
            // A read can't be interrupted, but it can be short.
            let deadline = Instant::now() + LOOK_UP;
            if let WaitOutcome::Closed(_) = self.run_until(WaitFor::Over(state), Some(deadline)) {
                self.finish_within(crate::dispatch::lifecycle::GRACE);
                return;
            }
        }
    }
}

impl BackgroundServing {
    /// Stops serving and waits until the thread has ended: half a second, or as long as the request
    /// takes that it runs.
    pub fn stop(mut self) {
        self.dismiss();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }

    fn dismiss(&self) {
        self.state.over.store(true, Ordering::SeqCst);
        let core = self.shared.core.lock();
        for sleeper in core.sleepers.values() {
            sleeper.notify_one();
        }
    }
}

impl Drop for BackgroundServing {
    fn drop(&mut self) {
        self.dismiss();
    }
}

/// How often a background thread looks whether it should stop; a little over a power of two of
/// milliseconds, because reads are bounded by those.
const LOOK_UP: Duration = Duration::from_millis(513);

/// How long a background thread leaves the reading to others.
pub(crate) const REST: Duration = Duration::from_millis(10);
