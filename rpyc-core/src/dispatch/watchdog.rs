//! The watchdog: one thread of the process that sees to it that nothing stands still.
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

    /// Says whether there is a thread that will look at the connection.
    fn add(&self, connection: Weak<dyn Watched>) -> bool {
        let Some(thread) = self.thread.get().or_else(|| self.start()) else {
            return false;
        };
        self.connections.lock().push(connection);
        if self.asleep.swap(false, Ordering::SeqCst) {
            thread.unpark();
        }
        true
    }

    /// Starts the thread; what has failed before is tried again.
    #[cold]
    fn start(&self) -> Option<&Thread> {
        let mut has_failed = self.has_failed.lock();
        if self.thread.get().is_none() {
            match (self.start)() {
                Ok(thread) => {
                    let _ = self.thread.set(thread);
                }
                Err(error) => {
                    if !std::mem::replace(&mut *has_failed, true) {
                        log::error!(target: "rpyc", "no watchdog thread can be had yet: {error}");
                    }
                }
            }
        }
        self.thread.get()
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

/// Has the watchdog look at the connection from now on; says whether it will.
pub(crate) fn look_after(connection: Weak<dyn Watched>) -> bool {
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
        assert!(!watchdog.add(Weak::<Nothing>::new()));
        assert!(!watchdog.add(Weak::<Nothing>::new()));
        // They are added again by who needs them looked at.
        assert!(watchdog.connections.lock().is_empty());
        assert!(watchdog.add(Weak::<Nothing>::new()));
        assert!(watchdog.add(Weak::<Nothing>::new()));
        assert_eq!(*ATTEMPTS.lock(), 3);
        assert_eq!(watchdog.connections.lock().len(), 2);
    }
}
