//! Ending code from outside: an exception is raised in the thread that runs it.
//!
//! CPython raises it between two instructions, but not between those that lead from an `except` back into the `try`:
//! a loop that catches everything would go on for ever. So the last order is raised in each line that the thread
//! comes to, until the work has ended. A thread that sleeps in a system call or waits for a lock isn't woken, and
//! ends when it goes on.
//!
//! All that is decided here is decided attached, by one thread at a time: so an exception is ordered
//! for a thread only while it runs the work that is meant, and one that wasn't raised in time is
//! taken back when that work ends.

use std::cell::Cell;
use std::os::raw::{c_int, c_ulong};
use std::sync::Arc;
use std::time::Duration;

use pyo3::ffi::{PyFrameObject, PyObject, PyThreadState_SetAsyncExc};
use pyo3::prelude::*;
use rpyc_classic::interrupt::{
    self, Interpreter, Listening, Orders, Reason, Thread, ThreadId, Work,
};
use rpyc_core::executor::Job;

use crate::attach::{self, Permanent, attached};
use crate::policy::policy;

/// Lets this thread be interrupted while the result lives.
pub(crate) fn listen(py: Python<'_>) -> Option<Listening> {
    let ident = policy().get_ident.bind(py).call0();
    let ident = ident.and_then(|ident| ident.extract::<c_ulong>());
    match ident {
        Ok(ident) => Some(interrupt::listen(ThreadId {
            thread: ident,
            interpreter: THIS,
            withdraw: Some(withdraw),
        })),
        Err(error) => {
            log::warn!("an executing thread can't be interrupted: {error}");
            None
        }
    }
}

/// Ends what still runs of the work of a client that has gone; returns at once.
pub(crate) fn end(work: &Arc<Work>, client: String) {
    interrupt::end(&Arc::new(Threads), work, client);
}

/// Interrupts whatever runs longer than `limit`, as long as the interpreter does.
pub(crate) fn limit(limit: Duration) -> std::io::Result<()> {
    interrupt::limit(limit, THIS, || Some(Arc::new(Threads)))
}

/// Those of this process's interpreter.
struct Threads;

impl Interpreter for Threads {
    fn is_stopped(&self) -> bool {
        attach::is_stopped()
    }

    fn execute(&self, job: Job) -> bool {
        attach::execute(job)
    }

    fn order(&self, orders: &Orders<'_>) -> bool {
        let ordered = attached(|py| {
            for thread in orders.threads() {
                // The second look, in `give`, is the one that counts: Python ran in between.
                if orders.are_for(&thread) && !is_delicate(py, thread.id()) && orders.give(&thread)
                {
                    raise(thread.id(), class(orders.reason(), orders.are_last()));
                }
            }
        });
        ordered.is_ok()
    }
}

/// Has a thread raise an exception of that class.
#[allow(unsafe_code)] // there is no other way to raise an exception in another thread
fn raise(ident: c_ulong, class: &Permanent) {
    // Safe: all callers are attached, and the class lives as long as the process.
    unsafe { PyThreadState_SetAsyncExc(ident.cast_signed(), class.as_ptr()) };
}

/// Takes back what this thread, which is attached, was to raise.
///
/// It is raised where it does no harm: Pythons before 3.12 wait for one that is only taken back, and where a trace
/// function is set they wait for ever.
#[allow(unsafe_code)] // this thread's trace function is this module's, and it is attached
fn withdraw(ident: c_ulong) {
    if IS_TRACED.take() {
        unsafe { PyEval_SetTrace(None, std::ptr::null_mut()) };
    }
    raise(ident, &policy().gone);
    let raised = policy()
        .pause
        .bind(unsafe { Python::assume_attached() })
        .call0();
    drop(raised);
}

fn is_delicate(py: Python<'_>, ident: c_ulong) -> bool {
    let delicate = policy().is_delicate.bind(py).call1((ident,));
    delicate
        .and_then(|delicate| delicate.extract())
        .unwrap_or(false)
}

fn class(reason: Reason, is_last: bool) -> &'static Permanent {
    let policy = policy();
    match (reason, is_last) {
        (Reason::Gone, false) => &policy.gone,
        (Reason::Gone, true) => &policy.gone_at_last,
        (Reason::Late, false) => &policy.late,
        (Reason::Late, true) => &policy.late_at_last,
    }
}

/// Has this thread raise its last order in each line that it comes to.
#[pyfunction]
#[allow(unsafe_code)] // no safe function, and none of the stable ABI, sets a trace function
pub(crate) fn raise_in_each_line() {
    IS_TRACED.set(true);
    // Safe: this thread is attached, and the function takes no object.
    unsafe { PyEval_SetTrace(Some(raise_in_line), std::ptr::null_mut()) };
}

/// What Python calls for each line of a thread that has its last order.
#[allow(unsafe_code)] // Python calls it
unsafe extern "C" fn raise_in_line(
    _: *mut PyObject,
    frame: *mut PyFrameObject,
    what: c_int,
    _: *mut PyObject,
) -> c_int {
    if what != LINE {
        return 0;
    }
    let Some(reason) = interrupt::with_current(Thread::last_order).flatten() else {
        // Code has made such an exception itself. Safe: as above.
        IS_TRACED.set(false);
        unsafe { PyEval_SetTrace(None, std::ptr::null_mut()) };
        return 0;
    };
    // Safe: Python calls it attached, with its frame.
    let py = unsafe { Python::assume_attached() };
    let frame = unsafe { Bound::from_borrowed_ptr(py, frame.cast()) };
    let may_end = policy().may_end_in.bind(py).call1((frame,));
    if !may_end
        .and_then(|may_end| may_end.extract())
        .unwrap_or(false)
    {
        return 0;
    }
    let exception = class(reason, false).bind(py).call0();
    let error = exception.map_or_else(|error| error, PyErr::from_value);
    error.restore(py);
    -1
}

/// `Py_tracefunc`.
type TraceFunction =
    unsafe extern "C" fn(*mut PyObject, *mut PyFrameObject, c_int, *mut PyObject) -> c_int;

#[allow(unsafe_code)]
unsafe extern "C" {
    // In each Python since 2.2, though not in the stable ABI.
    fn PyEval_SetTrace(function: Option<TraceFunction>, object: *mut PyObject);
}

/// `PyTrace_LINE`.
const LINE: c_int = 2;

thread_local! {
    /// Whether this thread is to raise its last order in each line.
    static IS_TRACED: Cell<bool> = const { Cell::new(false) };
}

/// The one interpreter of the process.
const THIS: usize = 0;
