//! [`Here`]: this process's interpreter. `runtime.rs` says how the bridge uses it.

use std::sync::{Arc, OnceLock};
use std::thread::LocalKey;

use rpyc_classic::bridge::{PySession, Shared};
use rpyc_classic::peer::Current;

/// The interpreter of this process.
pub(crate) struct Here;

/// What one connection owns inside it.
pub(crate) type PythonSession = PySession<Here>;

/// The sessions whose code a thread runs.
pub(crate) fn current() -> &'static LocalKey<Current<PythonSession>> {
    &CURRENT
}

/// What the evaluator of this process shares, once it is started.
pub(crate) fn shared() -> Option<&'static Arc<Shared<Here>>> {
    SHARED.get()
}

/// Sets what [`shared`] gives: once, there is one evaluator.
pub(crate) fn share(shared: &Arc<Shared<Here>>) {
    let _ = SHARED.set(shared.clone());
}

static SHARED: OnceLock<Arc<Shared<Here>>> = OnceLock::new();

thread_local! {
    static CURRENT: Current<PythonSession> = const { Current::new() };
}
