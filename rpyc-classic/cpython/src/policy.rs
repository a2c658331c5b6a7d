//! The Python sources, loaded into the interpreter, and the functions of theirs that Rust calls.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyModule};

use crate::attach::{self, Permanent};
use crate::names;
use rpyc_classic::python::{PACKAGE, SOURCES, TELEPORTATION};

/// Functions and classes of the Python sources.
pub(crate) struct Policy {
    pub(crate) buffiter: Permanent,
    pub(crate) compare: Permanent,
    pub(crate) context: Permanent,
    pub(crate) describe: Permanent,
    pub(crate) dumps: Permanent,
    pub(crate) finish: Permanent,
    pub(crate) flush: Permanent,
    pub(crate) get_ident: Permanent,
    pub(crate) gone: Permanent,
    pub(crate) gone_at_last: Permanent,
    pub(crate) getprofile: Permanent,
    pub(crate) gettrace: Permanent,
    pub(crate) id_parts: Permanent,
    pub(crate) import_module: Permanent,
    pub(crate) is_delicate: Permanent,
    pub(crate) late: Permanent,
    pub(crate) late_at_last: Permanent,
    pub(crate) leave: Permanent,
    pub(crate) may_end_in: Permanent,
    pub(crate) methods: Permanent,
    pub(crate) names_as_text: Permanent,
    pub(crate) netref: Permanent,
    pub(crate) netref_metaclass: Permanent,
    pub(crate) pause: Permanent,
    pub(crate) put_state: Permanent,
    pub(crate) rebuild: Permanent,
    pub(crate) restrict_imports: Permanent,
    pub(crate) run_init: Permanent,
    pub(crate) run_in_context: Permanent,
    pub(crate) session: Permanent,
    pub(crate) session_ended: Permanent,
    pub(crate) setprofile: Permanent,
    pub(crate) settrace: Permanent,
    pub(crate) take_state: Permanent,
    pub(crate) target_of: Permanent,
    pub(crate) thread_ended: Permanent,
    pub(crate) version: Permanent,
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
    PyModule::import(py, "contextvars")?;
    // What `pickle` has, which brings much along.
    PyModule::import(py, "_pickle")?;
    let of = |module: &str, name: &str| -> PyResult<Permanent> {
        Ok(modules.get_item(module)?.getattr(name)?.unbind())
    };
    let loaded = Policy {
        buffiter: of("_rpyc_objects", "buffiter")?,
        compare: of("_rpyc_proxies", "compare")?,
        context: of("contextvars", "Context")?,
        describe: of("_rpyc_raised", "describe")?,
        dumps: of("_pickle", "dumps")?,
        finish: of("_rpyc_host", "finish")?,
        flush: of("_rpyc_host", "flush")?,
        get_ident: of("_thread", "get_ident")?,
        gone: of("_rpyc_host", "Gone")?,
        gone_at_last: of("_rpyc_host", "GoneAtLast")?,
        getprofile: of("sys", "getprofile")?,
        gettrace: of("sys", "gettrace")?,
        id_parts: of("_rpyc_objects", "id_parts")?,
        import_module: of("_rpyc_session", "import_module")?,
        is_delicate: of("_rpyc_host", "is_delicate")?,
        late: of("_rpyc_host", "Late")?,
        late_at_last: of("_rpyc_host", "LateAtLast")?,
        leave: of("_rpyc_raised", "leave")?,
        may_end_in: of("_rpyc_host", "may_end_in")?,
        methods: of("_rpyc_objects", "methods")?,
        names_as_text: of("_rpyc_plain_names", "as_text")?,
        netref: of("_rpyc_proxies", "netref")?,
        netref_metaclass: of("_rpyc_proxies", "NetrefMetaclass")?,
        pause: py.eval(c"lambda: None", None, None)?.unbind(),
        put_state: of("_rpyc_thread_state", "put")?,
        rebuild: of("_rpyc_exceptions", "load")?,
        restrict_imports: of("_rpyc_session", "restrict_imports")?,
        run_init: of("_rpyc_session", "run_init")?,
        run_in_context: of("_rpyc_native", "run_in_context")?,
        session: of("_rpyc_session", "Session")?,
        session_ended: of("_rpyc_thread_state", "session_ended")?,
        setprofile: of("sys", "setprofile")?,
        settrace: of("sys", "settrace")?,
        take_state: of("_rpyc_thread_state", "take")?,
        target_of: of("_rpyc_proxies", "target_of")?,
        thread_ended: of("_rpyc_host", "thread_ended")?,
        version: of("_rpyc_host", "version")?,
    };
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
