//! The end of the process.

use pyo3::prelude::*;

use crate::policy::policy;

/// The end of a fork's child that has come back to the server.
pub(crate) fn end_child(py: Python<'_>) -> ! {
    let flushed = policy().flush.bind(py).call0();
    drop(flushed);
    exit_now(0)
}

/// Ends the process without any clean-up of Rust's or C's: threads still run.
#[allow(unsafe_code)] // std has no such exit
pub(crate) fn exit_now(code: i32) -> ! {
    // Safe: it doesn't return.
    unsafe { libc::_exit(code) }
}
