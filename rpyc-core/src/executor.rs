//! Where requests run: [`Executor`], and the thread pool that is its default.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{SendError, Sender, bounded};

/// Work for one thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// Supplies threads that run requests.
///
/// A service whose objects need threads of a certain make (attached to an interpreter, with a
/// large stack) brings its own.
pub trait Executor: Send + Sync {
    /// Runs the job on a thread of its own, at once: it is never queued behind another job, and who calls this
    /// isn't held up.
    ///
    /// # Errors
    /// When no thread can be had: the system refuses one, or the cap is reached. The job
    /// is dropped.
    fn execute(&self, job: Job) -> io::Result<()>;

    /// Runs a request whose thread is this one, and returns when it has run. Where requests are to run
    /// on a thread that the program has for them, that calls `request`, once, while this one waits; if it
    /// isn't called, the peer is told that there is no thread. Default: here.
    fn run(&self, request: &mut (dyn FnMut() + Send)) {
        request();
    }
}

impl fmt::Debug for dyn Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Executor")
    }
}

/// What surrounds the life of a pool's thread: it must call its argument exactly once.
pub type ThreadBody = Arc<dyn Fn(&mut (dyn FnMut() + Send)) + Send + Sync>;

/// Threads that are started when needed and kept for a while when idle.
#[derive(Clone)]
pub struct ThreadPool {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    stack_size: usize,
    max_threads: usize,
    body: ThreadBody,
    threads: AtomicUsize,
    // Each waits for one job. The one that was busy last gets the next: the others come to be idle
    // for long enough to end, however many jobs there are, and its stack is still in the cache.
    idle: Mutex<Vec<Sender<Job>>>,
}

impl Inner {
    /// It is never left half changed.
    fn idle(&self) -> MutexGuard<'_, Vec<Sender<Job>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the job to an idle thread; gives it back where there is none.
    fn hand_over(&self, mut job: Job) -> Result<(), Job> {
        loop {
            let Some(thread) = self.idle().pop() else {
                return Err(job);
            };
            match thread.send(job) {
                Ok(()) => return Ok(()),
                Err(SendError(back)) => job = back,
            }
        }
    }

    /// A thread's life between its body's begin and end.
    fn run_jobs(&self, first: &mut Option<Job>) {
        let (jobs, more) = bounded(1);
        let mut next = first.take();
        while let Some(job) = next {
            job();
            if IS_RETIRED.get() {
                return;
            }
            self.idle().push(jobs.clone());
            next = more.recv_timeout(IDLE).ok().or_else(|| {
                let mut idle = self.idle();
                let place = idle.iter().position(|one| one.same_channel(&jobs));
                match place.map(|place| idle.remove(place)) {
                    Some(_) => None,
                    // Somebody is about to send it one.
                    None => {
                        drop(idle);
                        more.recv().ok()
                    }
                }
            });
        }
    }
}

impl ThreadPool {
    /// Threads with `stack_size` bytes of stack, `max_threads` of them at the most.
    pub fn new(name: &str, stack_size: usize, max_threads: usize) -> ThreadPool {
        ThreadPool::with_body(name, stack_size, max_threads, Arc::new(|work| work()))
    }

    /// The same, with `body` around the life of each thread: it prepares the thread, calls its
    /// argument, which runs jobs until the thread isn't needed any more, and cleans up.
    pub fn with_body(
        name: &str,
        stack_size: usize,
        max_threads: usize,
        body: ThreadBody,
    ) -> ThreadPool {
        ThreadPool {
            inner: Arc::new(Inner {
                name: without_nul(name),
                stack_size,
                max_threads,
                body,
                threads: AtomicUsize::new(0),
                idle: Mutex::default(),
            }),
        }
    }

    /// The pool of this process that connections use unless they are given another one:
    /// 4,096 threads of 2 MiB at the most.
    pub fn shared() -> Arc<dyn Executor> {
        static SHARED: LazyLock<Arc<ThreadPool>> =
            LazyLock::new(|| Arc::new(ThreadPool::new("rpyc", 2 << 20, 4096)));
        SHARED.clone()
    }

    /// How many threads there are now.
    pub fn threads(&self) -> usize {
        self.inner.threads.load(Ordering::Relaxed)
    }
}

impl Executor for ThreadPool {
    fn execute(&self, job: Job) -> io::Result<()> {
        let Err(job) = self.inner.hand_over(job) else {
            return Ok(());
        };
        let inner = self.inner.clone();
        let before = inner.threads.fetch_add(1, Ordering::Relaxed);
        let place = ThreadSlot(inner.clone());
        if before >= inner.max_threads {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("all {} threads are busy", inner.max_threads),
            ));
        }
        let mut first = Some(job);
        thread::Builder::new()
            .name(inner.name.clone())
            .stack_size(inner.stack_size)
            .spawn(move || {
                let inner = &place.0;
                (inner.body)(&mut || inner.run_jobs(&mut first));
            })
            .map_err(no_more_threads)?;
        Ok(())
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("name", &self.inner.name)
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

/// Starts a thread that works for `whom`: it is named `rpyc-` and that.
///
/// # Errors
/// When the system refuses; that it has no more threads is said in words.
pub fn spawn<T: Send + 'static>(
    whom: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    let builder = thread::Builder::new().name(without_nul(&format!("rpyc-{whom}")));
    builder.spawn(work).map_err(no_more_threads)
}

/// Why no thread can be started, in words: the system's own is "Resource temporarily unavailable".
pub(crate) fn no_more_threads(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::WouldBlock {
        return error;
    }
    let what = "the system has no more threads for this program (ulimit -u, a container's limit on \
                processes, memory)";
    io::Error::new(error.kind(), what)
}

/// A name with a NUL is none for the system.
fn without_nul(name: &str) -> String {
    name.replace('\0', "\u{fffd}")
}

/// A thread's place in the count, given back however the thread ends.
struct ThreadSlot(Arc<Inner>);

impl Drop for ThreadSlot {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has the executor run this with the value, which is given back where there is no thread for it.
pub(crate) fn hand_over<T: Send + 'static>(
    executor: &dyn Executor,
    value: T,
    run: impl FnOnce(T) + Send + 'static,
) -> Result<(), (T, io::Error)> {
    // The job is dropped where it is refused.
    let slot = Arc::new(crate::sync::Mutex::new(Some(value)));
    let taken = slot.clone();
    let job = move || {
        // A statement of its own: it doesn't run under the lock.
        let value = taken.lock().take();
        if let Some(value) = value {
            run(value);
        }
    };
    let refused = executor.execute(Box::new(job)).err();
    let left = refused.and_then(|error| Some((slot.lock().take()?, error)));
    left.map_or(Ok(()), Err)
}

/// Has this thread of a [`ThreadPool`] end with the job that it runs, instead of running others:
/// for a thread that isn't fit for them any more. On any other thread it does nothing.
///
/// ```
/// use rpyc_core::executor::{Executor, ThreadPool, retire};
///
/// let pool = ThreadPool::new("workers", 2 << 20, 4);
/// pool.execute(Box::new(retire))?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn retire() {
    IS_RETIRED.set(true);
}

/// Whether this thread holds none of the locks of connections and their parts, as is so wherever code of
/// others runs: handlers, callbacks, destructors. For assertions: a build without them always says so.
///
/// ```
/// debug_assert!(rpyc_core::executor::is_unlocked());
/// ```
#[must_use]
pub fn is_unlocked() -> bool {
    crate::sync::holds_none()
}

/// Does something that may wait for peers on this thread, and lets it be interrupted: `is_interrupted` is
/// asked several times a second while it waits, and at once where a signal has come. From the moment that it says
/// so each wait of this scope ends as if its time were over. Says whether that has happened, too.
///
/// ```
/// use rpyc_core::executor::interruptible;
///
/// let (sum, was_interrupted) = interruptible(|| false, || 1 + 1);
/// assert_eq!((sum, was_interrupted), (2, false));
/// ```
pub fn interruptible<R>(is_interrupted: fn() -> bool, work: impl FnOnce() -> R) -> (R, bool) {
    struct Restored(Interruption);

    impl Drop for Restored {
        fn drop(&mut self) {
            INTERRUPTION.with(|now| now.set(self.0));
        }
    }

    let _outer =
        Restored(INTERRUPTION.with(|now| now.replace(Interruption::Asked(is_interrupted))));
    let done = work();
    (
        done,
        matches!(INTERRUPTION.with(Cell::get), Interruption::Happened),
    )
}

/// Whether waits of this thread can be interrupted.
pub(crate) fn is_interruptible() -> bool {
    !matches!(INTERRUPTION.with(Cell::get), Interruption::None)
}

/// Whether the wait is to end. Foreign code runs.
pub(crate) fn is_interrupted() -> bool {
    match INTERRUPTION.with(Cell::get) {
        Interruption::None => false,
        Interruption::Happened => true,
        Interruption::Asked(is_interrupted) => {
            let it_is = is_interrupted();
            if it_is {
                INTERRUPTION.with(|now| now.set(Interruption::Happened));
            }
            it_is
        }
    }
}

#[derive(Clone, Copy)]
enum Interruption {
    None,
    Asked(fn() -> bool),
    Happened,
}

thread_local! {
    static IS_RETIRED: Cell<bool> = const { Cell::new(false) };
}

#[cfg(not(shuttle))]
thread_local! {
    static INTERRUPTION: Cell<Interruption> = const { Cell::new(Interruption::None) };
}

#[cfg(shuttle)]
shuttle::thread_local! {
    static INTERRUPTION: Cell<Interruption> = Cell::new(Interruption::None);
}

/// How long an idle thread is kept: bursts of callbacks shouldn't pay for starting threads.
const IDLE: Duration = Duration::from_secs(5);

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_thread_that_was_busy_last_is_busy_next_so_that_others_can_end() {
        let pool = ThreadPool::new("test", 64 << 10, 3);
        let settle = |idle: usize| within_patience(|| pool.inner.idle().len() == idle);
        let (tell, told) = mpsc::channel();
        let held: Vec<_> = (0..3)
            .map(|_| {
                let (release, released) = mpsc::channel::<()>();
                let job = Box::new(move || released.recv().unwrap_or_default());
                pool.execute(job).expect("a thread");
                release
            })
            .collect();
        assert!(pool.execute(Box::new(|| ())).is_err(), "all are busy");
        for (idle, release) in held.into_iter().enumerate() {
            drop(release);
            settle(idle + 1);
        }
        for _ in 0..10 {
            let tell = tell.clone();
            let job = Box::new(move || tell.send(thread::current().id()).unwrap_or_default());
            pool.execute(job).expect("a thread");
            settle(3);
        }
        let mut ran: Vec<_> = told.try_iter().collect();
        assert_eq!(ran.len(), 10);
        ran.dedup();
        assert_eq!(ran.len(), 1, "{ran:?}");
        assert_eq!(pool.threads(), 3);
    }

    #[test]
    fn a_thread_that_retires_runs_no_other_job() {
        let pool = ThreadPool::new("test", 64 << 10, 1);
        let (tell, told) = mpsc::channel();
        let job = |retires: bool| {
            let tell = tell.clone();
            Box::new(move || {
                if retires {
                    retire();
                }
                tell.send(thread::current().id()).unwrap_or_default();
            })
        };
        pool.execute(job(true)).expect("a thread");
        // An idle thread would take it at once; the place of one that ends is free a little later.
        within_patience(|| pool.execute(job(false)).is_ok());
        let ran: Vec<_> = told.iter().take(2).collect();
        assert_ne!(ran[0], ran[1]);
    }

    fn within_patience(mut is_true: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !is_true() {
            assert!(Instant::now() < end, "it never comes");
            thread::yield_now();
        }
    }
}
