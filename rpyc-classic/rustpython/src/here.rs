//! [`Here`]: the interpreter. `runtime.rs` says how the bridge uses it.

use std::sync::Arc;
use std::thread::LocalKey;

use rpyc_classic::bridge::PySession;
use rpyc_classic::peer::Current;

use super::classes::Classes;
use super::thread::Source;

/// The interpreter.
pub(crate) struct Here {
    pub(crate) source: Arc<Source>,
    pub(crate) classes: Classes,
}

/// What one connection owns inside it.
pub(crate) type PythonSession = PySession<Here>;

impl Here {
    pub(crate) fn new(source: Arc<Source>) -> Here {
        Here {
            source,
            classes: Classes::default(),
        }
    }
}

/// The sessions whose code a thread runs.
pub(crate) fn current() -> &'static LocalKey<Current<PythonSession>> {
    &CURRENT
}

thread_local! {
    static CURRENT: Current<PythonSession> = const { Current::new() };
}
