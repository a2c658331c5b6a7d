//! The watchdog: one thread of the process that sees to it that everything gets on.
//!
//! It looks at a connection every 10 ms, and only while requests run there, writes block or
//! asynchronous replies are outstanding.

use std::io;
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::executor::ThreadPool;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Threads that read or write for a connection whose own threads are busy.
pub(crate) fn helpers() -> &'static ThreadPool {
    static HELPERS: LazyLock<ThreadPool> =
        LazyLock::new(|| ThreadPool::new("rpyc-helper", 256 << 10, 4096));
    &HELPERS
}

/// What the watchdog looks at.
pub(crate) trait Watched: Send + Sync {
    /// Looks once; says whether to come back. Nothing that goes wrong here may end the watchdog, nor
    /// hold it up.
    fn look(self: Arc<Self>) -> bool;
}

/// There is no thread that would look at a connection.
pub(crate) struct NoWatchdog {
    /// Why, where nobody has been told before.
    pub(crate) untold: Option<io::Error>,
}

struct Watchdog {
    connections: Mutex<Vec<Weak<dyn Watched>>>,
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
    // Whether a start has failed, which is told once. Locked by who starts it: only one is started.
    has_failed: Mutex<bool>,
    start: fn() -> io::Result<Thread>,
}

impl Watchdog {
    const fn new(start: fn() -> io::Result<Thread>) -> Watchdog {
        Watchdog {
            connections: Mutex::new(Vec::new()),
            asleep: AtomicBool::new(false),
            thread: OnceLock::new(),
            has_failed: Mutex::new(false),
            start,
        }
    }

    /// Has the thread look at the connection.
    fn add(&self, connection: Weak<dyn Watched>) -> Result<(), NoWatchdog> {
        let thread = self.thread.get().map_or_else(|| self.start(), Ok)?;
        self.connections.lock().push(connection);
        if self.asleep.swap(false, Ordering::SeqCst) {
            thread.unpark();
        }
        Ok(())
    }

    /// Starts the thread; what has failed before is tried again.
    #[cold]
    fn start(&self) -> Result<&Thread, NoWatchdog> {
        let mut has_failed = self.has_failed.lock();
        if self.thread.get().is_none() {
            let thread = (self.start)().map_err(|error| NoWatchdog {
                untold: (!std::mem::replace(&mut *has_failed, true)).then_some(error),
            })?;
            let _ = self.thread.set(thread);
        }
        self.thread.get().ok_or(NoWatchdog { untold: None })
    }

    fn run(watchdog: &Watchdog) {
        let mut next = Instant::now();
        loop {
            let looked_at = std::mem::take(&mut *watchdog.connections.lock());
            if looked_at.is_empty() {
                watchdog.asleep.store(true, Ordering::SeqCst);
                if watchdog.connections.lock().is_empty() {
                    thread::park();
                }
                watchdog.asleep.store(false, Ordering::SeqCst);
                next = Instant::now();
            }
            let kept =
                |connection: &Weak<dyn Watched>| connection.upgrade().is_some_and(Watched::look);
            let kept: Vec<_> = looked_at.into_iter().filter(kept).collect();
            watchdog.connections.lock().extend(kept);
            // A steady beat, that skips what it missed.
            next = (next + TICK).max(Instant::now());
            let wait = next.saturating_duration_since(Instant::now());
            thread::park_timeout(wait.max(TICK / 2));
        }
    }
}

static WATCHDOG: Watchdog = Watchdog::new(|| {
    let spawned = thread::Builder::new()
        .name("rpyc-watchdog".to_owned())
        .stack_size(256 << 10)
        .spawn(|| Watchdog::run(&WATCHDOG));
    let spawned = spawned.map_err(crate::executor::no_more_threads);
    Ok(spawned?.thread().clone())
});

/// Has the watchdog look at the connection from now on. Locks leaves, and logs nothing.
pub(crate) fn look_after(connection: Weak<dyn Watched>) -> Result<(), NoWatchdog> {
    WATCHDOG.add(connection)
}

/// How often the watchdog looks.
pub(crate) const TICK: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Watched for Nothing {
        fn look(self: Arc<Self>) -> bool {
            false
        }
    }

    /// It was missing for the process's life.
    #[test]
    fn a_thread_that_could_not_be_had_is_asked_for_again() {
        static ATTEMPTS: Mutex<u32> = Mutex::new(0);
        let watchdog = Watchdog::new(|| {
            let mut attempts = ATTEMPTS.lock();
            *attempts += 1;
            match *attempts {
                1 | 2 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(thread::current()),
            }
        });
        let untold = [(); 2].map(|()| {
            let refused = watchdog.add(Weak::<Nothing>::new());
            refused.is_err_and(|why| why.untold.is_some())
        });
        assert_eq!(untold, [true, false]);
        // They are added again by who needs them looked at.
        assert!(watchdog.connections.lock().is_empty());
        assert!(watchdog.add(Weak::<Nothing>::new()).is_ok());
        assert!(watchdog.add(Weak::<Nothing>::new()).is_ok());
        assert_eq!(*ATTEMPTS.lock(), 3);
        assert_eq!(watchdog.connections.lock().len(), 2);
    }
}
