//! Ending code from outside: which thread runs whose code, and what it is to raise. For those who make an
//! evaluator, whose [`Interpreter`] raises it.

use std::cell::OnceCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::executor::Job;

use crate::threads::lock;

/// How an interpreter's threads are interrupted.
pub trait Interpreter: Send + Sync + 'static {
    /// Whether it has been stopped.
    fn is_stopped(&self) -> bool;

    /// Runs the job on an executing thread; false where none can be had.
    fn execute(&self, job: Job) -> bool;

    /// Gives the order to each of [`Orders::threads`] that it is for, and has it raised; false where that will
    /// never succeed.
    fn order(&self, orders: &Orders<'_>) -> bool;

    /// Waits for a moment, in which the threads may see their orders.
    fn wait(&self, _: &Orders<'_>) {
        thread::sleep(TICK); // nothing tells of the end of the work
    }
}

/// Why code is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The client has gone: KeyboardInterrupt.
    Gone,
    /// The request has run longer than it may: TimeoutError.
    Late,
}

/// What runs on behalf of one session, seen from outside.
#[derive(Debug)]
pub struct Work {
    number: u64,
    // Calls into the interpreter that haven't returned, nested ones counted as well.
    calls: AtomicUsize,
}

impl Work {
    /// Nothing of it runs yet.
    #[must_use]
    #[allow(clippy::new_without_default)] // each is another
    pub fn new() -> Work {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Work {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            calls: AtomicUsize::new(0),
        }
    }

    /// What tells it apart from that of each other session.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// From now on, until the result is dropped, this thread runs it. Both attached.
    #[must_use]
    pub fn begin(&self) -> Call<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let before = with_current(|thread| {
            let before = thread.running.load(Ordering::Relaxed);
            if before == 0 && IS_TIMED.load(Ordering::Relaxed) {
                // First: whoever sees the work sees since when it runs.
                thread.since.store(clock(), Ordering::Relaxed);
            }
            thread.running.store(self.number, Ordering::Release);
            if before != self.number {
                // What was ordered for the work beneath isn't for this one; it is ordered again.
                thread.withdraw();
            }
            before
        });
        Call {
            work: self,
            before: before.unwrap_or(0),
        }
    }

    fn is_running(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
    }
}

/// A call into the interpreter.
#[derive(Debug)]
pub struct Call<'a> {
    work: &'a Work,
    before: u64,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        with_current(|thread| {
            thread.running.store(self.before, Ordering::Relaxed);
            if self.before != self.work.number {
                thread.withdraw();
            }
        });
        self.work.calls.fetch_sub(1, Ordering::Release);
    }
}

/// An executing thread, seen from outside.
pub struct Thread {
    id: ThreadId,
    // The work of the innermost call; 0: none.
    running: AtomicU64,
    // When the outermost call began, in milliseconds of `clock`.
    since: AtomicU64,
    // A work, a reason and whether it is the last order; 0: none.
    order: AtomicU64,
}

/// By which an interpreter knows its thread.
#[derive(Clone, Copy, Debug)]
pub struct ThreadId {
    /// The system's.
    pub thread: libc::pthread_t,
    /// Which interpreter's it is.
    pub interpreter: usize,
    /// Takes back what was ordered, where the thread would raise it in any work.
    pub withdraw: Option<fn(libc::pthread_t)>,
}

impl Thread {
    /// The system's number of it.
    #[must_use]
    pub fn id(&self) -> libc::pthread_t {
        self.id.thread
    }

    /// Whether it has an order for the work that it runs.
    pub fn is_ordered(&self) -> bool {
        self.running().is_some_and(|work| self.is_ordered_for(work))
    }

    /// What it is to raise in the work that it runs, if anything, and whether that was the last order, which
    /// stands until the work has ended.
    pub fn take_order(&self) -> Option<(Reason, bool)> {
        if !self.is_ordered() {
            return None;
        }
        let order = self.order.load(Ordering::Relaxed);
        let is_last = order & 1 == 1;
        if !is_last {
            self.order.store(0, Ordering::Relaxed);
        }
        Some((reason_of(order), is_last))
    }

    /// What it is to raise again and again in the work that it runs, until that has ended.
    pub fn last_order(&self) -> Option<Reason> {
        let order = self.order.load(Ordering::Relaxed);
        (order & 1 == 1 && self.is_ordered()).then(|| reason_of(order))
    }

    fn running(&self) -> Option<u64> {
        Some(self.running.load(Ordering::Acquire)).filter(|running| *running != 0)
    }

    fn running_in(&self, interpreter: usize) -> Option<u64> {
        self.running()
            .filter(|_| self.id.interpreter == interpreter)
    }

    fn is_ordered_for(&self, work: u64) -> bool {
        self.order.load(Ordering::Relaxed) >> 2 == work
    }

    fn withdraw(&self) {
        if let Some(withdraw) = self.id.withdraw
            && self.order.swap(0, Ordering::Relaxed) != 0
        {
            withdraw(self.id.thread);
        }
    }
}

fn reason_of(order: u64) -> Reason {
    match order & 2 {
        0 => Reason::Gone,
        _ => Reason::Late,
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// What is asked of this thread, if it [listens](listen).
pub fn with_current<R>(ask: impl FnOnce(&Thread) -> R) -> Option<R> {
    CURRENT.with(|thread| thread.get().map(|thread| ask(thread)))
}

/// Lets this thread be interrupted while the result lives.
#[must_use]
pub fn listen(id: ThreadId) -> Listening {
    let thread = Arc::new(Thread {
        id,
        running: AtomicU64::new(0),
        since: AtomicU64::new(0),
        order: AtomicU64::new(0),
    });
    lock(&THREADS).push(thread.clone());
    CURRENT.with(|own| {
        // A thread listens once.
        let _ = own.set(thread.clone());
    });
    Listening(thread)
}

/// A thread's place among those that can be interrupted.
#[derive(Debug)]
pub struct Listening(Arc<Thread>);

impl Drop for Listening {
    fn drop(&mut self) {
        lock(&THREADS).retain(|other| !Arc::ptr_eq(&self.0, other));
    }
}

/// Ends what still runs of the work of a client that has gone; returns at once.
pub fn end(interpreter: &Arc<impl Interpreter>, work: &Arc<Work>, client: String) {
    if !work.is_running() {
        return;
    }
    let (its, work) = (interpreter.clone(), work.clone());
    let job = Box::new(move || {
        log::info!("{client}: its code still runs, and is interrupted");
        let is_meant = |thread: &Thread| thread.running().filter(|running| *running == work.number);
        insist(&*its, Reason::Gone, &is_meant, &|| work.is_running());
    });
    if !interpreter.execute(job) {
        log::warn!("no thread to interrupt the code of a client that has gone");
    }
}

/// Interrupts whatever runs longer than `limit` on threads of the interpreter with that number, for as long as
/// `find` finds it and it isn't stopped.
///
/// # Errors
/// When the system refuses a thread.
pub fn limit<I: Interpreter>(
    limit: Duration,
    number: usize,
    find: impl Fn() -> Option<Arc<I>> + Send + 'static,
) -> std::io::Result<()> {
    IS_TIMED.store(true, Ordering::Relaxed);
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let is_late = move |thread: &Thread| {
        let running = thread.running_in(number)?;
        let age = clock().saturating_sub(thread.since.load(Ordering::Relaxed));
        (age > limit).then_some(running)
    };
    let any_late = move || {
        lock(&THREADS)
            .iter()
            .any(|thread| is_late(thread).is_some())
    };
    let pause = Duration::from_millis((limit / 8).clamp(1, 250));
    let look = move || {
        loop {
            thread::sleep(pause); // a look now and then: nothing tells of time that passes
            match find() {
                Some(interpreter) if !interpreter.is_stopped() => {
                    if any_late() {
                        insist(&*interpreter, Reason::Late, &is_late, &any_late);
                    }
                }
                _ => return,
            }
        }
    };
    let builder = thread::Builder::new().name("rpyc-time-limit".to_owned());
    builder.spawn(look).map(drop)
}

/// Whether any request runs in the interpreter with that number.
#[must_use]
pub fn is_busy(number: usize) -> bool {
    let threads = lock(&THREADS);
    let mut running = threads.iter().map(|thread| thread.running_in(number));
    running.any(|running| running.is_some())
}

/// Orders exceptions for the threads that are meant, until none is needed.
fn insist(
    interpreter: &dyn Interpreter,
    reason: Reason,
    is_meant: &dyn Fn(&Thread) -> Option<u64>,
    is_needed: &dyn Fn() -> bool,
) {
    let start = Instant::now();
    while is_needed() && !interpreter.is_stopped() {
        let orders = Orders {
            reason,
            is_last: start.elapsed() > POLITE,
            is_meant,
        };
        if !interpreter.order(&orders) {
            return;
        }
        // Whoever it reaches needs time to end in its own way; who goes on catching it, gets none.
        let pause = match orders.is_last {
            true => TICK,
            false => REPEAT,
        };
        let next = Instant::now() + pause;
        while is_needed() && Instant::now() < next {
            interpreter.wait(&orders);
        }
    }
}

/// Exceptions that threads are to raise.
pub struct Orders<'a> {
    reason: Reason,
    is_last: bool,
    is_meant: &'a dyn Fn(&Thread) -> Option<u64>,
}

impl Orders<'_> {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Whether what they raise is raised until the work has ended.
    #[must_use]
    pub fn are_last(&self) -> bool {
        self.is_last
    }

    /// All threads that can be interrupted.
    #[must_use]
    pub fn threads(&self) -> Vec<Arc<Thread>> {
        lock(&THREADS).clone()
    }

    /// Does something for all threads that can be interrupted, none of which ends meanwhile.
    pub fn for_each_thread(&self, act: impl FnMut(&Arc<Thread>)) {
        lock(&THREADS).iter().for_each(act);
    }

    /// Whether that thread is meant.
    #[must_use]
    pub fn are_for(&self, thread: &Thread) -> bool {
        (self.is_meant)(thread).is_some()
    }

    /// Whether that thread is meant, and hasn't seen its order.
    #[must_use]
    pub fn stand_for(&self, thread: &Thread) -> bool {
        (self.is_meant)(thread).is_some_and(|work| thread.is_ordered_for(work))
    }

    /// Gives that thread its order for what it runs; false if it isn't meant.
    pub fn give(&self, thread: &Thread) -> bool {
        let work = (self.is_meant)(thread);
        if let Some(work) = work {
            let reason = u64::from(self.reason == Reason::Late);
            let order = work << 2 | reason << 1 | u64::from(self.is_last);
            thread.order.store(order, Ordering::Relaxed);
        }
        work.is_some()
    }
}

impl fmt::Debug for Orders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

/// Milliseconds since the first use.
fn clock() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let passed = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(passed).unwrap_or(u64::MAX)
}

thread_local! {
    static CURRENT: OnceCell<Arc<Thread>> = const { OnceCell::new() };
}

/// The threads that can be interrupted. No Python runs under this lock.
static THREADS: Mutex<Vec<Arc<Thread>>> = Mutex::new(Vec::new());

/// Whether any interpreter of this process has a time limit.
static IS_TIMED: AtomicBool = AtomicBool::new(false);

/// For how long code may catch the exception and go on at leisure.
const POLITE: Duration = Duration::from_secs(2);

/// The time between two exceptions.
const REPEAT: Duration = Duration::from_millis(250);

/// The time between two looks.
pub const TICK: Duration = Duration::from_millis(5);
