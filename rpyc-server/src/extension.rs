//! The program `rpyc-server` as an extension module of the user's Python: what `--python` runs, and what
//! the package `rpyc_rs` is made of.

mod registry;
mod server;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::program::{self, Host, HostPython};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};
use rpyc_cpython::CPython;

/// The module `rpyc_rs._native`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    rpyc_cpython::claim_interpreter(module.py())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<registry::Registry>()?;
    module.add_class::<server::Server>()?;
    module.add_function(wrap_pyfunction!(log_to, module)?)?;
    module.add_function(wrap_pyfunction!(prepare, module)?)?;
    module.add_function(wrap_pyfunction!(stop, module)?)?;
    module.add_function(wrap_pyfunction!(run, module)?)
}

/// Makes this Python fit for connections. The modules of Python's rpyc that there are here: names to pairs of
/// is_package and text.
#[pyfunction]
fn prepare(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    rpyc_cpython::prepare(py)
}

/// The end of a program with servers, which are closed: says whether no code of clients' runs any more.
#[pyfunction]
fn stop(py: Python<'_>, seconds: f64) -> bool {
    rpyc_cpython::stop_embedded(py, seconds)
}

/// Has the log written by a function of a level's number, a logger's name and a text.
#[pyfunction]
fn log_to(write: Bound<'_, PyAny>) {
    rpyc_cpython::log_to(write);
}

/// Runs the program with its arguments, behind its name, and ends the process.
#[pyfunction]
fn run(py: Python<'_>, arguments: Vec<Vec<u8>>, module: PathBuf, is_chosen: bool) -> PyResult<()> {
    let arguments = arguments.into_iter().map(OsString::from_vec);
    let arguments = ["rpyc-server".into()]
        .into_iter()
        .chain(arguments)
        .collect();
    let (executable, description) = rpyc_cpython::describe(py)?;
    let mut python = HostPython::new(executable, module, description);
    python.is_chosen = is_chosen;
    let host = Host::inside(python, start, rpyc_cpython::exit);
    rpyc_cpython::run(py, move || program::main(arguments, host))?;
    Ok(())
}

fn start(options: EvaluatorOptions) -> Result<Arc<dyn Evaluator>, StartError> {
    let evaluator = CPython::start(&options)?;
    Ok(evaluator)
}
