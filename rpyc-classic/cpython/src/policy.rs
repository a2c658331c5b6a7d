//! The Python sources, loaded into the interpreter, and the functions of theirs that Rust calls.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyModule};

use crate::attach::{self, Permanent};
use crate::names;
use rpyc_classic::python::{PACKAGE, SOURCES, TELEPORTATION};

macro_rules! policy {
    ($($module:literal: $($name:ident)*;)*) => {
        /// Functions and classes of the Python sources, and of Python's own modules.
        pub(crate) struct Policy {
            $($(pub(crate) $name: Permanent,)*)*
        }

        impl Policy {
            fn find(
                of: impl Fn(&'static str, &'static str) -> PyResult<Permanent>,
            ) -> PyResult<Policy> {
                Ok(Policy {
                    $($($name: of($module, stringify!($name))?,)*)*
                })
            }
        }
    };
}

policy! {
    "_rpyc_host": context finish flush gone gone_at_last is_delicate late late_at_last may_end_in pause
        thread_ended version;
    "_rpyc_native": run_in_context;
    "_rpyc_thread_state": put session_ended take;
    "_thread": get_ident;
    "sys": getprofile gettrace setprofile settrace;
}

static POLICY: OnceLock<Policy> = OnceLock::new();

/// What [`load`] has loaded.
///
/// # Panics
/// Before that.
pub(crate) fn policy() -> &'static Policy {
    match POLICY.get() {
        Some(policy) => policy,
        None => unreachable!("the sources are loaded before anything runs"),
    }
}

/// Whether [`load`] has been called.
pub(crate) fn is_loaded() -> bool {
    POLICY.get().is_some()
}

/// How the interpreter is set up.
pub(crate) struct Setup<'a> {
    pub(crate) search_path: &'a [String],
    pub(crate) argv: &'a [String],
    pub(crate) stack_size: usize,
    pub(crate) on_main_thread: bool,
    /// Whether the interpreter is a program's own, which stays as it is.
    pub(crate) is_embedded: bool,
}

/// Loads the sources into the interpreter, with the native module that they stand on, and makes it fit for many clients.
pub(crate) fn load(py: Python<'_>, native: Bound<'_, PyModule>, setup: &Setup<'_>) -> PyResult<()> {
    let modules = PyModule::import(py, "sys")?.getattr("modules")?;
    modules.set_item("_rpyc_native", native)?;
    // Builtins of their own: clients may delete or replace those that all share.
    let builtins = PyModule::import(py, "builtins")?.dict().copy()?;
    for (name, source) in SOURCES.iter().chain(OWN) {
        let module = PyModule::new(py, name)?;
        module.setattr("__builtins__", &builtins)?;
        modules.set_item(name, &module)?;
        let compiled = builtins.as_any().get_item("compile")?;
        let code = compiled.call1((*source, format!("<{name}>"), "exec"))?;
        builtins
            .as_any()
            .get_item("exec")?
            .call1((code, module.dict()))?;
    }
    let host = modules.get_item("_rpyc_host")?;
    let loaded =
        Policy::find(|module, name| Ok(modules.get_item(module)?.getattr(name)?.unbind()))?;
    names::know_pythons(py)?;
    // Set once: there is one evaluator in a process.
    let _ = POLICY.set(loaded);
    let after_fork = PyCFunction::new_closure(py, None, None, |_, _| attach::disarm())?;
    if setup.is_embedded {
        host.call_method1("prepare_embedded", (after_fork,))?;
    } else {
        let setup = (
            setup.search_path.to_vec(),
            setup.argv.to_vec(),
            setup.stack_size,
            setup.on_main_thread,
            after_fork,
        );
        host.call_method1("prepare", setup)?;
    }
    let package = PyDict::new(py);
    package.set_item("_rpyc_teleportation", (false, TELEPORTATION))?;
    for (name, is_package, source) in PACKAGE {
        // A program's own interpreter gets no `rpyc`.
        if !setup.is_embedded || name.starts_with('_') {
            package.set_item(name, (*is_package, *source))?;
        }
    }
    host.call_method1("offer_package", (package,)).map(drop)
}

/// What is CPython's own among the sources.
const OWN: &[(&str, &str)] = &[
    ("_rpyc_locals", include_str!("python/locals.py")),
    ("_rpyc_thread_state", include_str!("python/thread_state.py")),
    ("_rpyc_host", include_str!("python/host.py")),
];
