//! The watchdog: one thread of the process that sees to it that nothing stands still.
//!
//! It looks at a connection every 10 ms, and only while requests run there, writes block or
//! asynchronous replies are outstanding.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::shared::Shared;
use crate::executor::{Executor, ThreadPool};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

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
            let kept = |connection: &Weak<Shared>| connection.upgrade().is_some_and(look_at);
            let kept: Vec<_> = looked_at.into_iter().filter(kept).collect();
            watchdog.connections.lock().extend(kept);
            // A steady beat, that skips what it missed.
            next = (next + TICK).max(Instant::now());
            let wait = next.saturating_duration_since(Instant::now());
            thread::park_timeout(wait.max(TICK / 2));
        }
    }
}

/// Looks at one connection. Nothing that goes wrong there may end the watchdog, nor hold it up.
fn look_at(connection: Arc<Shared>) -> bool {
    let ticked = catch_unwind(AssertUnwindSafe(|| connection.check_health()));
    let kept = ticked.unwrap_or_else(|_| {
        log::error!(target: "rpyc", "looking after a connection panicked");
        true
    });
    if let Some(last) = Arc::into_inner(connection).map(Box::new) {
        // The service and what it holds are dropped with it: foreign code.
        let _ = helpers().execute(Box::new(move || drop(last)));
    }
    kept
}

static WATCHDOG: LazyLock<Watchdog> = LazyLock::new(|| {
    let spawned = thread::Builder::new()
        .name("rpyc-watchdog".to_owned())
        .stack_size(256 << 10)
        .spawn(Watchdog::run);
    let thread = match spawned {
        Ok(handle) => Some(handle.thread().clone()),
        Err(error) => {
            let error = crate::executor::no_more_threads(error);
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

/// Has the watchdog look at the connection from now on.
pub(super) fn look_after(connection: Weak<Shared>) {
    WATCHDOG.add(connection);
}

/// How often the watchdog looks.
pub(super) const TICK: Duration = Duration::from_millis(10);
