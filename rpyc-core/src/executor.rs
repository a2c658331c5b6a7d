//! Where requests run: [`Executor`], and the thread pool that is its default.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// Work for one thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// Supplies threads that run requests.
///
/// A service whose objects need threads of a certain make (attached to an interpreter, with a
/// large stack) brings its own.
pub trait Executor: Send + Sync {
    /// Runs the job on a thread of its own, at once: it is never queued behind another job.
    ///
    /// # Errors
    /// When no thread can be had: the system refuses one, or the cap is reached. The job
    /// is dropped.
    fn execute(&self, job: Job) -> io::Result<()>;
}

impl fmt::Debug for dyn Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Executor")
    }
}

/// What surrounds the life of a pool's thread: it must call its argument exactly once.
pub type ThreadBody = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// Threads that are started when needed and kept for a while when idle.
#[derive(Clone)]
pub struct ThreadPool {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    stack_size: usize,
    max_threads: usize,
    body: Option<ThreadBody>,
    threads: AtomicUsize,
    // A rendezvous: a send succeeds only if an idle thread takes the job in that moment.
    hand_over: Sender<Job>,
    take_over: Receiver<Job>,
}

impl ThreadPool {
    /// Threads with `stack_size` bytes of stack, `max_threads` of them at the most.
    pub fn new(name: &str, stack_size: usize, max_threads: usize) -> ThreadPool {
        ThreadPool::build(name, stack_size, max_threads, None)
    }

    /// The same, with `body` around the life of each thread: it prepares the thread, calls its
    /// argument, which runs jobs until the thread isn't needed any more, and cleans up.
    pub fn with_body(
        name: &str,
        stack_size: usize,
        max_threads: usize,
        body: ThreadBody,
    ) -> ThreadPool {
        ThreadPool::build(name, stack_size, max_threads, Some(body))
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

    fn build(
        name: &str,
        stack_size: usize,
        max_threads: usize,
        body: Option<ThreadBody>,
    ) -> ThreadPool {
        let (hand_over, take_over) = bounded(0);
        ThreadPool {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                stack_size,
                max_threads,
                body,
                threads: AtomicUsize::new(0),
                hand_over,
                take_over,
            }),
        }
    }
}

impl Executor for ThreadPool {
    fn execute(&self, job: Job) -> io::Result<()> {
        let job = match self.inner.hand_over.try_send(job) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => job,
        };
        let inner = self.inner.clone();
        let before = inner.threads.fetch_add(1, Ordering::Relaxed);
        let place = Place(inner.clone());
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
                let mut work = || run_jobs(&mut first, &inner.take_over);
                match &inner.body {
                    Some(body) => body(&mut work),
                    None => work(),
                }
            })?;
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

/// A thread's place in the count, given back however the thread ends.
struct Place(Arc<Inner>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

fn run_jobs(first: &mut Option<Job>, more: &Receiver<Job>) {
    let mut next = first.take();
    while let Some(job) = next {
        job();
        next = more.recv_timeout(IDLE).ok();
    }
}

/// How long an idle thread is kept: bursts of callbacks shouldn't pay for starting threads.
const IDLE: Duration = Duration::from_secs(5);
