//! Ending code from outside: an exception is raised in the thread that runs it.
//!
//! CPython raises it between two instructions. A thread that sleeps in a system call or waits for a lock isn't woken,
//! and ends when it goes on.
//!
//! All that is decided here is decided attached, by one thread at a time: so an exception is ordered
//! for a thread only while it runs the work that is meant, and one that wasn't raised in time is
//! taken back when that work ends.

use std::os::raw::c_ulong;
use std::sync::Arc;
use std::time::Duration;

use pyo3::ffi::PyThreadState_SetAsyncExc;
use pyo3::prelude::*;
use rpyc_classic::interrupt::{self, Interpreter, Listening, Orders, Reason, ThreadId, Work};
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
            withdraw: Some(|ident| raise(ident, None)),
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
                    raise(thread.id(), Some(class(orders.reason())));
                }
            }
        });
        ordered.is_ok()
    }
}

/// Has a thread raise an exception of that class, or takes back what it was to raise.
#[allow(unsafe_code)] // there is no other way to raise an exception in another thread
fn raise(ident: c_ulong, class: Option<&Permanent>) {
    let class = class.map_or(std::ptr::null_mut(), Permanent::as_ptr);
    // Safe: all callers are attached, and the class lives as long as the process.
    unsafe { PyThreadState_SetAsyncExc(ident.cast_signed(), class) };
}

fn is_delicate(py: Python<'_>, ident: c_ulong) -> bool {
    let delicate = policy().is_delicate.bind(py).call1((ident,));
    delicate
        .and_then(|delicate| delicate.extract())
        .unwrap_or(false)
}

fn class(reason: Reason) -> &'static Permanent {
    match reason {
        Reason::Gone => &policy().gone,
        Reason::Late => &policy().late,
    }
}

/// The one interpreter of the process.
const THIS: usize = 0;
