//! Ending code from outside: an exception is raised in the thread that runs it.
//!
//! RustPython looks for signals between any two instructions, and when a system call is
//! interrupted. Every executing thread has a handler for one signal, which raises what the
//! thread was ordered to raise. The signal wakes a thread that sleeps in a system call; a thread that
//! waits for a lock isn't woken, and ends when it gets the lock.
//!
//! The mark that RustPython looks at is one for the whole process, and whoever sees it first clears
//! it. So an order stands until its thread has seen it, and the mark is set again until then.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_classic::threads::lock;
use rustpython_vm::signal::{SignalNum, set_interrupt_ex};
use rustpython_vm::stdlib::_thread::get_ident;
use rustpython_vm::{AsObject, PyResult, VirtualMachine};

use super::library::library;
use super::thread::Source;

/// What runs on behalf of one session, seen from outside.
pub(super) struct Work {
    number: u64,
    // Calls into the interpreter that haven't returned, nested ones counted as well.
    calls: AtomicUsize,
}

/// An executing thread, seen from outside.
struct Slot {
    thread: libc::pthread_t,
    // Which interpreter's it is.
    source: usize,
    // The work of the innermost call; 0: none.
    running: AtomicU64,
    // When the outermost call began, in milliseconds of `clock`.
    since: AtomicU64,
    order: Order,
}

/// What a thread is to raise, and in whose work.
#[derive(Default)]
struct Order(AtomicU64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The client has gone: KeyboardInterrupt.
    Gone,
    /// The request has run longer than it may: TimeoutError.
    Late,
}

impl Work {
    pub(super) fn new() -> Work {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Work {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            calls: AtomicUsize::new(0),
        }
    }

    /// From now on, until the result is dropped, this thread runs it.
    pub(super) fn begin(&self) -> Call<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let before = SLOT.with(|slot| {
            let Some(slot) = slot.get() else { return 0 };
            let before = slot.running.swap(self.number, Ordering::Relaxed);
            if before == 0 && IS_TIMED.load(Ordering::Relaxed) {
                slot.since.store(clock(), Ordering::Relaxed);
            }
            before
        });
        Call { work: self, before }
    }

    /// Whether some of it runs.
    pub(super) fn is_running(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
    }
}

/// A call into the interpreter.
pub(super) struct Call<'a> {
    work: &'a Work,
    before: u64,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        SLOT.with(|slot| {
            if let Some(slot) = slot.get() {
                slot.running.store(self.before, Ordering::Relaxed);
            }
        });
        self.work.calls.fetch_sub(1, Ordering::Release);
    }
}

impl Order {
    fn give(&self, work: u64, reason: Reason, is_last: bool) {
        let reason = u64::from(reason == Reason::Late);
        let order = work << 2 | reason << 1 | u64::from(is_last);
        self.0.store(order, Ordering::Relaxed);
    }

    /// Whether one for that work waits.
    fn stands(&self, work: u64) -> bool {
        self.0.load(Ordering::Relaxed) >> 2 == work
    }

    /// What to raise in that work, if anything; once, unless it was the last order.
    fn take(&self, work: u64) -> Option<(Reason, bool)> {
        let order = self.0.load(Ordering::Relaxed);
        if order >> 2 != work || work == 0 {
            return None;
        }
        let is_last = order & 1 == 1;
        if !is_last {
            self.0.store(0, Ordering::Relaxed);
        }
        let reason = if order & 2 == 0 {
            Reason::Gone
        } else {
            Reason::Late
        };
        Some((reason, is_last))
    }
}

/// Lets this thread of that interpreter be interrupted while the result lives.
pub(super) fn listen(vm: &VirtualMachine, source: &Source) -> Listening {
    if let Err(error) = install(vm) {
        let class = error.class().name().to_owned();
        log::warn!("an executing thread can't be interrupted: {class}");
        return Listening(None);
    }
    let slot = Arc::new(Slot {
        // Safe: it has no conditions.
        thread: unsafe { libc::pthread_self() },
        source: number(source),
        running: AtomicU64::new(0),
        since: AtomicU64::new(0),
        order: Order::default(),
    });
    lock(&THREADS).push(slot.clone());
    SLOT.with(|own| {
        // A thread listens once.
        let _ = own.set(slot.clone());
    });
    Listening(Some(slot))
}

/// A thread's place among those that can be interrupted.
pub(super) struct Listening(Option<Arc<Slot>>);

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(slot) = &self.0 {
            lock(&THREADS).retain(|other| !Arc::ptr_eq(slot, other));
        }
    }
}

/// Sets the handler in this thread's part of the interpreter.
fn install(vm: &VirtualMachine) -> PyResult<()> {
    let signal = library(vm, "_signal")?.get_attr("signal", vm)?;
    let handler = vm.new_function(
        "interrupted",
        |_: rustpython_vm::function::FuncArgs, vm: &VirtualMachine| raise(vm),
    );
    let number = vm.ctx.new_int(SIGNAL);
    // Python lets its main thread alone set handlers, so this one is it for a moment, one after the
    // other. Waiting for the turn must not hold the garbage collector up.
    static TURN: Mutex<()> = Mutex::new(());
    let turn = vm.allow_threads(|| lock(&TURN));
    let main = vm.state.main_thread_ident.swap(get_ident());
    let set = signal.call((number, handler), vm);
    vm.state.main_thread_ident.store(main);
    drop(turn);
    set.map(drop)
}

/// Raises what this thread was ordered to raise.
fn raise(vm: &VirtualMachine) -> PyResult<()> {
    let order = SLOT.with(|slot| {
        let slot = slot.get()?;
        let work = slot.running.load(Ordering::Relaxed);
        if slot.order.stands(work) && is_delicate(vm) {
            // At one of the next instructions.
            mark();
            return None;
        }
        slot.order.take(work)
    });
    let Some((reason, is_last)) = order else {
        return Ok(());
    };
    if is_last {
        // Whoever catches it doesn't get as far as the next instruction.
        mark();
    }
    let exceptions = &vm.ctx.exceptions;
    let (class, message) = match reason {
        Reason::Gone => (exceptions.keyboard_interrupt, "the client has gone"),
        Reason::Late => (
            exceptions.timeout_error,
            "the request has run longer than the server allows",
        ),
    };
    Err(vm.new_exception_msg(class.to_owned(), message.into()))
}

/// Whether this thread is within Python code that takes locks which others need, and that an
/// exception would keep from giving them back: that which imports modules, and `threading`. Told by
/// the module that the code is of: a client's file may have any name.
fn is_delicate(vm: &VirtualMachine) -> bool {
    if rustpython_vm::frame::current_code().is_none() {
        return false;
    }
    let globals = vm.current_globals();
    let Ok(modules) = vm.sys_module.get_attr("modules", vm) else {
        return false;
    };
    DELICATE.iter().any(|name| {
        let module = modules.get_item(*name, vm).ok();
        let names = module.and_then(|module| module.dict());
        names.is_some_and(|names| names.is(&globals))
    })
}

/// Ends what still runs of the work of a client that has gone; returns at once.
pub(super) fn end(source: &Arc<Source>, work: &Arc<Work>, client: String) {
    if !work.is_running() {
        return;
    }
    let job_source = source.clone();
    let work = work.clone();
    let job = Box::new(move || {
        log::info!("{client}: its code still runs, and is interrupted");
        let number = work.number;
        let is_meant =
            |slot: &Slot| (slot.running.load(Ordering::Relaxed) == number).then_some(number);
        insist(&job_source, Reason::Gone, &is_meant, &|| work.is_running());
    });
    if !source.execute(job) {
        log::warn!("no thread to interrupt the code of a client that has gone");
    }
}

/// Interrupts whatever runs longer than `limit`, as long as the interpreter does.
pub(super) fn limit(source: &Arc<Source>, limit: Duration) -> std::io::Result<()> {
    IS_TIMED.store(true, Ordering::Relaxed);
    let own = number(source);
    let source: Weak<Source> = Arc::downgrade(source);
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let is_late = move |slot: &Slot| {
        let running = slot.running.load(Ordering::Relaxed);
        let age = clock().saturating_sub(slot.since.load(Ordering::Relaxed));
        (slot.source == own && running != 0 && age > limit).then_some(running)
    };
    let any_late = move || lock(&THREADS).iter().any(|slot| is_late(slot).is_some());
    thread::Builder::new()
        .name("rpyc-time-limit".to_owned())
        .spawn(move || {
            let pause = Duration::from_millis((limit / 8).clamp(1, 250));
            loop {
                thread::sleep(pause); // a look now and then: nothing tells of time that passes
                let Some(source) = source.upgrade() else {
                    return;
                };
                if source.is_stopped() {
                    return;
                }
                if any_late() {
                    insist(&source, Reason::Late, &is_late, &any_late);
                }
            }
        })
        .map(drop)
}

/// Whether any request runs in that interpreter.
pub(super) fn is_busy(source: &Source) -> bool {
    let own = number(source);
    let runs = |slot: &Arc<Slot>| slot.source == own && slot.running.load(Ordering::Relaxed) != 0;
    lock(&THREADS).iter().any(runs)
}

/// Gives orders to the threads for which `is_meant` names a work, until `is_needed` says no.
fn insist(
    source: &Arc<Source>,
    reason: Reason,
    is_meant: &dyn Fn(&Slot) -> Option<u64>,
    is_needed: &dyn Fn() -> bool,
) {
    let start = Instant::now();
    while is_needed() && !source.is_stopped() {
        let is_last = start.elapsed() > POLITE;
        for slot in &*lock(&THREADS) {
            if let Some(work) = is_meant(slot) {
                slot.order.give(work, reason, is_last);
            }
        }
        // Until the next order: whoever it reaches needs time to end in its own way.
        let next = Instant::now() + REPEAT;
        while is_needed() && Instant::now() < next {
            for slot in &*lock(&THREADS) {
                if is_meant(slot).is_some_and(|work| slot.order.stands(work)) {
                    mark();
                    // Safe: a thread leaves the list, under its lock, before it ends.
                    unsafe { libc::pthread_kill(slot.thread, SIGNAL) };
                }
            }
            thread::sleep(TICK); // nothing tells whether the order was seen
            // Where nobody has seen the mark it would keep slowing everybody down.
            let _ = source.attached(|vm| vm.check_signals().is_ok());
        }
    }
}

/// Makes the interpreter look for signals.
fn mark() {
    // Safe: the number is one of a signal.
    let signal = unsafe { SignalNum::new_unchecked(SIGNAL) };
    // It fails for no signal that has a handler.
    let _ = set_interrupt_ex(signal);
}

/// By which threads know their interpreter.
fn number(source: &Source) -> usize {
    std::ptr::from_ref(source).addr()
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

/// Whether any interpreter of this process has a time limit.
static IS_TIMED: AtomicBool = AtomicBool::new(false);

/// Ignored where nobody handles it, so that a stray one does no harm.
const SIGNAL: i32 = libc::SIGURG;

/// The modules whose code isn't interrupted.
const DELICATE: [&str; 3] = [
    "_frozen_importlib",
    "_frozen_importlib_external",
    "threading",
];

/// For how long code may catch the exception and go on; then it is raised at every instruction.
const POLITE: Duration = Duration::from_secs(2);

/// The time between two exceptions.
const REPEAT: Duration = Duration::from_millis(250);

/// The time between two marks for an exception that hasn't been raised yet.
const TICK: Duration = Duration::from_millis(5);
