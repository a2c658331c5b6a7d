//! Who may touch the interpreter, and when.
//!
//! A thread is *attached* while it works with Python objects: it holds the global interpreter lock. The
//! rules, each of which stands for a deadlock:
//!
//! - [`attached`] is the way in. Executing threads are *pinned*: they are known to the interpreter for
//!   their whole life, so that attaching is cheap and `threading.local` lasts, and are detached
//!   but for the time of an operation.
//! - [`ask`] is the only way out, to a peer or to anything else that blocks: it detaches.
//! - No lock is held over anything that touches Python, not even over letting go of an object: any
//!   destructor may call a client.
//! - Python objects that Rust keeps are [`DeferredDrop`]s. pyo3 would let go of an object some time
//!   later, on whichever thread attaches next: its destructor would run as another client's code.
//!
//! clippy.toml keeps pyo3's own ways to this file. Builds with assertions, which those of the profile
//! `release` are, look whether a lock of a connection is held wherever a thread attaches.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // they are made safe to use here

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use pyo3::prelude::*;
use rpyc_classic::target::panicked;
pub(crate) use rpyc_classic::threads::lock;
use rpyc_core::Exception;
use rpyc_core::executor::{Executor, Job, interruptible, is_unlocked, retire};

/// Runs `work` attached to the interpreter. A panic comes out as an exception.
///
/// # Errors
/// When the interpreter has been stopped, or is that of a fork's child.
pub(crate) fn attached<R>(work: impl FnOnce(Python<'_>) -> R) -> Result<R, Exception> {
    let _inside = Inside::enter()
        .ok_or_else(|| Exception::runtime_error("the Python interpreter has been stopped"))?;
    attach(|py| {
        drain(py);
        catch_unwind(AssertUnwindSafe(|| work(py))).map_err(|panic| {
            retire();
            panicked(&*panic)
        })
    })
}

/// Runs `work` attached: for the program's beginning and end, which have nobody to tell of a panic.
pub(crate) fn attach<R>(work: impl FnOnce(Python<'_>) -> R) -> R {
    debug_assert!(is_unlocked(), "it attaches, and holds a lock");
    Python::attach(work)
}

/// Does what may block on one of the program's own threads, which runs no requests meanwhile.
pub fn rest<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> R {
    py.detach(work)
}

/// Lets go of something of the core's, outside of the interpreter: that may end a connection.
pub(crate) fn let_go(held: impl Send) {
    attach(|py| py.detach(|| drop(held)));
}

/// The only way out of the interpreter: `wait` may block, and run other requests on this thread. On Python's
/// main thread a signal whose handler raises ends it.
///
/// # Errors
/// In the child of a fork, whose connections are its parent's; what [`take_raised`] gives.
pub(crate) fn ask<R: Send>(
    py: Python<'_>,
    wait: impl FnOnce() -> R + Send,
) -> Result<R, Exception> {
    check_not_forked()?;
    let is_main = is_main_thread(py);
    let (answer, was_interrupted) = py.detach(|| {
        let before = RUNS_PYTHON.replace(true);
        let answer = match is_main {
            true => interruptible(has_signal_raised, || outside(wait)),
            false => (outside(wait), false),
        };
        RUNS_PYTHON.set(before);
        answer
    });
    match was_interrupted {
        true => Err(Exception::builtin("KeyboardInterrupt")),
        false => Ok(answer),
    }
}

/// Whether this thread is the one that runs handlers of signals.
fn is_main_thread(py: Python<'_>) -> bool {
    IS_MAIN.get().unwrap_or_else(|| {
        let is_main = || -> PyResult<bool> {
            let main = py.import("threading")?.call_method0("main_thread")?;
            let this = py.import("_thread")?.call_method0("get_ident")?;
            main.getattr("ident")?.eq(this)
        };
        let is_main = is_main().unwrap_or(false);
        IS_MAIN.set(Some(is_main));
        is_main
    })
}

/// Runs the handlers of signals that have come; whether one has raised.
fn has_signal_raised() -> bool {
    let raised = attached(|py| py.check_signals().err()).ok().flatten();
    let has_raised = raised.is_some();
    RAISED.set(raised);
    has_raised
}

/// What the handler of a signal has raised, instead of whatever else is to be raised.
pub(crate) fn take_raised() -> Option<PyErr> {
    RAISED.take()
}

/// Runs `work` detached on this thread, which is known to the interpreter meanwhile and may run Python.
pub(crate) fn run_detached(py: Python<'_>, work: &mut (dyn FnMut() + Send)) {
    py.detach(|| {
        let before = RUNS_PYTHON.replace(true);
        if outside(|| catch_unwind(AssertUnwindSafe(work))).is_err() {
            log::error!("an executing thread panicked outside of a request");
        }
        RUNS_PYTHON.set(before);
    });
    drain(py);
}

/// A Python object that is there for as long as the process.
pub(crate) type Permanent = Py<PyAny>;

/// A Python object that Rust keeps, and may let go of on any thread.
///
/// An executing thread lets go of it at once; any other leaves that to one.
pub(crate) struct DeferredDrop(Option<Py<PyAny>>);

impl DeferredDrop {
    pub(crate) fn new(object: Bound<'_, PyAny>) -> DeferredDrop {
        DeferredDrop(Some(object.unbind()))
    }

    /// The object.
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        match &self.0 {
            Some(object) => object.bind(py),
            None => unreachable!("the object is taken out by drop alone"),
        }
    }
}

impl Drop for DeferredDrop {
    fn drop(&mut self) {
        let Some(object) = self.0.take() else {
            return;
        };
        if IS_STOPPED.load(Ordering::Acquire) || is_forked() {
            std::mem::forget(object);
        } else if RUNS_PYTHON.get() {
            match Inside::enter() {
                Some(_inside) => attach(|_| drop(object)),
                None => std::mem::forget(object),
            }
        } else {
            lock(&PENDING).push_back(object);
            if !IS_DRAIN_DUE.swap(true, Ordering::AcqRel) {
                // Whichever thread attaches next does it; this makes sure that there is one.
                execute(Box::new(|| drop(attached(|_| ()))));
            }
        }
    }
}

/// Lets go of what other threads couldn't, if there is any.
fn drain(py: Python<'_>) {
    // In the child of a fork another thread may have the lock, for ever.
    if !is_forked() && IS_DRAIN_DUE.swap(false, Ordering::AcqRel) {
        drain_all(py);
    }
}

/// Lets go of what other threads couldn't. One by one: whoever else comes here helps, as the end of the program does.
pub(crate) fn drain_all(_: Python<'_>) {
    loop {
        // A statement of its own: destructors run Python, and may come back here.
        let next = lock(&PENDING).pop_front();
        match next {
            Some(object) => drop(object),
            None => return,
        }
    }
}

/// Runs the job on an executing thread; false where none can be had.
pub(crate) fn execute(job: Job) -> bool {
    let executor = EXECUTOR.get().and_then(Weak::upgrade);
    executor.is_some_and(|executor| executor.execute(job).is_ok())
}

/// The executor whose threads let go of objects.
pub(crate) fn set_executor(executor: &Arc<dyn Executor>) {
    // Set once: there is one evaluator.
    let _ = EXECUTOR.set(Arc::downgrade(executor));
}

/// From now on no thread attaches, and what is let go of stays in memory.
pub(crate) fn stop() {
    IS_STOPPED.store(true, Ordering::SeqCst);
}

/// While it lives, the thread may touch the interpreter, and is counted.
pub(crate) struct Inside(());

impl Inside {
    /// None once the interpreter has been stopped.
    pub(crate) fn enter() -> Option<Inside> {
        // Counted before it looks: so that whoever stops the interpreter sees it, or is seen.
        ALL_INSIDE.fetch_add(1, Ordering::SeqCst);
        INSIDE.set(INSIDE.get() + 1);
        let inside = Inside(());
        (!IS_STOPPED.load(Ordering::SeqCst)).then_some(inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get() - 1);
        ALL_INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Does something outside of the interpreter. A thread that came back to one which has ended would be ended
/// itself, in the middle of Rust: it stays out for the rest of the process.
fn outside<R>(work: impl FnOnce() -> R) -> R {
    let inside = INSIDE.replace(0);
    ALL_INSIDE.fetch_sub(inside, Ordering::SeqCst);
    let done = work();
    ALL_INSIDE.fetch_add(inside, Ordering::SeqCst);
    if IS_STOPPED.load(Ordering::SeqCst) {
        ALL_INSIDE.fetch_sub(inside, Ordering::SeqCst);
        loop {
            std::thread::park();
        }
    }
    INSIDE.set(inside);
    done
}

/// Whether a thread is in the interpreter, or on its way there.
pub(crate) fn is_anybody_inside() -> bool {
    ALL_INSIDE.load(Ordering::SeqCst) > 0
}

static ALL_INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Whether [`stop`] was called.
pub(crate) fn is_stopped() -> bool {
    IS_STOPPED.load(Ordering::Acquire)
}

/// This process is the child of a fork: the connections aren't its. Nothing here may take a lock there: a
/// thread that isn't there may have had it.
pub(crate) fn disarm() {
    IS_FORKED.store(true, Ordering::Release);
}

/// Whether [`disarm`] was called.
pub(crate) fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Acquire)
}

/// Whether there are connections here.
///
/// # Errors
/// In the child of a fork.
pub(crate) fn check_not_forked() -> Result<(), Exception> {
    match is_forked() {
        true => Err(Exception::eof_error(
            "the connection is the parent process's: this one is the child of a fork",
        )),
        false => Ok(()),
    }
}

thread_local! {
    // How often this thread has entered the interpreter.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
    // Whether this thread is Python's main one, once that is known.
    static IS_MAIN: Cell<Option<bool>> = const { Cell::new(None) };
    static RAISED: Cell<Option<PyErr>> = const { Cell::new(None) };
    // Whether this thread, when it isn't attached, may attach to run a destructor.
    static RUNS_PYTHON: Cell<bool> = const { Cell::new(false) };
}

static PENDING: Mutex<VecDeque<Py<PyAny>>> = Mutex::new(VecDeque::new());
static IS_DRAIN_DUE: AtomicBool = AtomicBool::new(false);
static IS_STOPPED: AtomicBool = AtomicBool::new(false);
static IS_FORKED: AtomicBool = AtomicBool::new(false);
static EXECUTOR: OnceLock<Weak<dyn Executor>> = OnceLock::new();
