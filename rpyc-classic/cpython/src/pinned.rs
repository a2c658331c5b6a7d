//! The life of threads that run Python for clients: known to the interpreter all the while, and detached.

use std::sync::Arc;

use pyo3::prelude::*;
use rpyc_core::executor::ThreadBody;

use crate::attach::{Inside, attach, run_detached};
use crate::interrupt;
use crate::policy::policy;
use crate::thread_state;

/// The life of an executing thread.
pub(crate) fn thread_body() -> ThreadBody {
    Arc::new(|work| match Inside::enter() {
        Some(_inside) => attach(|py| pinned(py, work)),
        None => work(),
    })
}

/// Runs `work` detached on this thread, which may be interrupted meanwhile.
pub(crate) fn pinned(py: Python<'_>, work: &mut (dyn FnMut() + Send)) {
    let listening = interrupt::listen(py);
    thread_state::prepare_thread();
    run_detached(py, work);
    drop(listening);
    if let Err(error) = policy().thread_ended.call0(py) {
        log::debug!("a thread's end: {error}");
    }
}
