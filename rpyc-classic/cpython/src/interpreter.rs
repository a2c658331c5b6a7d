//! Which of a process's interpreters the module is for.

use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi::{PyInterpreterState_Get, PyInterpreterState_GetID};
use pyo3::prelude::*;

/// To be called when the module is loaded: it keeps objects of the interpreter that loads it first, which
/// code of another one must not touch.
///
/// # Errors
/// In another interpreter of the process: an ImportError.
#[allow(unsafe_code)] // no safe function tells which interpreter this is
pub fn claim_interpreter(_: Python<'_>) -> PyResult<()> {
    static CLAIMED: AtomicI64 = AtomicI64::new(NONE);
    // Safe: this thread is attached to an interpreter, which lives as long as that.
    let this = unsafe { PyInterpreterState_GetID(PyInterpreterState_Get()) };
    let claimed = CLAIMED.compare_exchange(NONE, this, Ordering::AcqRel, Ordering::Acquire);
    match claimed {
        Err(other) if other != this => Err(PyImportError::new_err(
            "rpyc_rs is loaded in another interpreter of this process already, and serves one of them alone",
        )),
        _ => Ok(()),
    }
}

const NONE: i64 = -1;
