//! Ending code from outside: an exception is raised in the thread that runs it.
//!
//! CPython raises it between two instructions. A thread that sleeps in a system call or waits for a lock isn't woken,
//! and ends when it goes on.
//!
//! All that is decided here is decided attached, by one thread at a time: so an exception is ordered
//! for a thread only while it runs the work that is meant, and one that wasn't raised in time is
//! taken back when that work ends.

use std::cell::OnceCell;
use std::os::raw::c_ulong;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::ffi::PyThreadState_SetAsyncExc;
use pyo3::prelude::*;

use crate::attach::{self, Permanent, attached, lock};
use crate::policy::policy;

/// What runs on behalf of one session, seen from outside.
pub(crate) struct Work {
    number: u64,
    // Calls into the interpreter that haven't returned, nested ones counted as well.
    calls: AtomicUsize,
}

/// An executing thread, seen from outside.
struct Slot {
    // By which Python knows it.
    ident: c_ulong,
    // The work of the innermost call; 0: none.
    running: AtomicU64,
    // When the outermost call began, in milliseconds of `clock`.
    since: AtomicU64,
    // Whether an exception was ordered that may not have been raised yet.
    is_ordered: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The client has gone: KeyboardInterrupt.
    Gone,
    /// The request has run longer than it may: TimeoutError.
    Late,
}

impl Work {
    pub(crate) fn new() -> Work {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Work {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            calls: AtomicUsize::new(0),
        }
    }

    /// What tells it apart from that of each other session.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// From now on, until the result is dropped, this thread runs it. Both attached.
    pub(crate) fn begin(&self, _: Python<'_>) -> Call<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let before = SLOT.with(|slot| {
            let Some(slot) = slot.get() else { return 0 };
            let before = slot.running.swap(self.number, Ordering::Relaxed);
            if before != self.number {
                // What was ordered for the work beneath isn't for this one; it is ordered again.
                slot.take_back();
            }
            if before == 0 && IS_TIMED.load(Ordering::Relaxed) {
                slot.since.store(clock(), Ordering::Relaxed);
            }
            before
        });
        Call { work: self, before }
    }

    fn is_running(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
    }
}

/// A call into the interpreter.
pub(crate) struct Call<'a> {
    work: &'a Work,
    before: u64,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        SLOT.with(|slot| {
            if let Some(slot) = slot.get() {
                slot.running.store(self.before, Ordering::Relaxed);
                slot.take_back();
            }
        });
        self.work.calls.fetch_sub(1, Ordering::Release);
    }
}

impl Slot {
    fn take_back(&self) {
        if self.is_ordered.swap(false, Ordering::Relaxed) {
            order(self.ident, None);
        }
    }
}

/// Orders an exception of that class for a thread, or takes back what was ordered.
#[allow(unsafe_code)] // there is no other way to raise an exception in another thread
fn order(ident: c_ulong, class: Option<&Permanent>) {
    let class = class.map_or(std::ptr::null_mut(), Permanent::as_ptr);
    // Safe: both callers are attached, and the class lives as long as the process.
    unsafe { PyThreadState_SetAsyncExc(ident.cast_signed(), class) };
}

/// Lets this thread be interrupted while the result lives.
pub(crate) fn listen(py: Python<'_>) -> Listening {
    let ident = policy().get_ident.bind(py).call0();
    let ident = ident.and_then(|ident| ident.extract());
    let ident = match ident {
        Ok(ident) => ident,
        Err(error) => {
            log::warn!("an executing thread can't be interrupted: {error}");
            return Listening(None);
        }
    };
    let slot = Arc::new(Slot {
        ident,
        running: AtomicU64::new(0),
        since: AtomicU64::new(0),
        is_ordered: AtomicBool::new(false),
    });
    lock(&THREADS).push(slot.clone());
    SLOT.with(|own| {
        // A thread listens once.
        let _ = own.set(slot.clone());
    });
    Listening(Some(slot))
}

/// A thread's place among those that can be interrupted.
pub(crate) struct Listening(Option<Arc<Slot>>);

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(slot) = &self.0 {
            lock(&THREADS).retain(|other| !Arc::ptr_eq(slot, other));
        }
    }
}

/// Ends what still runs of the work of a client that has gone; returns at once.
pub(crate) fn end(work: &Arc<Work>, client: String) {
    if !work.is_running() {
        return;
    }
    let work = work.clone();
    let job = Box::new(move || {
        log::info!("{client}: its code still runs, and is interrupted");
        let number = work.number;
        let is_meant = |slot: &Slot| slot.running.load(Ordering::Relaxed) == number;
        insist(Reason::Gone, &is_meant, &|| work.is_running());
    });
    if !attach::execute(job) {
        log::warn!("no thread to interrupt the code of a client that has gone");
    }
}

/// Interrupts whatever runs longer than `limit`, as long as the interpreter does.
pub(crate) fn limit(limit: Duration) -> std::io::Result<()> {
    IS_TIMED.store(true, Ordering::Relaxed);
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let is_late = move |slot: &Slot| {
        let age = clock().saturating_sub(slot.since.load(Ordering::Relaxed));
        slot.running.load(Ordering::Relaxed) != 0 && age > limit
    };
    let any_late = move || lock(&THREADS).iter().any(|slot| is_late(slot));
    thread::Builder::new()
        .name("rpyc-time-limit".to_owned())
        .spawn(move || {
            let pause = Duration::from_millis((limit / 8).clamp(1, 250));
            while !attach::is_stopped() {
                thread::sleep(pause); // a look now and then: nothing tells of time that passes
                if any_late() {
                    insist(Reason::Late, &is_late, &any_late);
                }
            }
        })
        .map(drop)
}

/// Orders exceptions for the threads that are meant, until none is needed.
fn insist(reason: Reason, is_meant: &dyn Fn(&Slot) -> bool, is_needed: &dyn Fn() -> bool) {
    let start = Instant::now();
    while is_needed() && !attach::is_stopped() {
        let ordered = attached(|py| {
            let threads = lock(&THREADS).clone();
            for slot in threads {
                // The second look is the one that counts: Python ran in between.
                if is_meant(&slot) && !is_delicate(py, slot.ident) && is_meant(&slot) {
                    slot.is_ordered.store(true, Ordering::Relaxed);
                    order(slot.ident, Some(reason.class()));
                }
            }
        });
        if ordered.is_err() {
            return;
        }
        // Whoever it reaches needs time to end in its own way; who goes on catching it, gets none.
        let pause = match start.elapsed() > POLITE {
            true => TICK,
            false => REPEAT,
        };
        let next = Instant::now() + pause;
        while is_needed() && Instant::now() < next {
            thread::sleep(TICK); // nothing tells of the end of the work
        }
    }
}

fn is_delicate(py: Python<'_>, ident: c_ulong) -> bool {
    let delicate = policy().is_delicate.bind(py).call1((ident,));
    delicate
        .and_then(|delicate| delicate.extract())
        .unwrap_or(false)
}

impl Reason {
    fn class(self) -> &'static Permanent {
        match self {
            Reason::Gone => &policy().gone,
            Reason::Late => &policy().late,
        }
    }
}

/// Milliseconds since the first use.
fn clock() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let passed = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(passed).unwrap_or(u64::MAX)
}

thread_local! {
    static SLOT: OnceCell<Arc<Slot>> = const { OnceCell::new() };
}

/// The threads that can be interrupted. Nothing else is done under this lock.
static THREADS: Mutex<Vec<Arc<Slot>>> = Mutex::new(Vec::new());

/// Whether there is a time limit.
static IS_TIMED: AtomicBool = AtomicBool::new(false);

/// For how long code may catch the exception and go on at leisure.
const POLITE: Duration = Duration::from_secs(2);

/// The time between two exceptions.
const REPEAT: Duration = Duration::from_millis(250);

/// The time between two looks.
const TICK: Duration = Duration::from_millis(5);
