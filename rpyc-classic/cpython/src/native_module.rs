//! The native module as the Python sources import it, made of what [`native`](crate::native) and others have.

use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::{connect, interrupt, native, thread_state};

/// `_rpyc_native`.
pub(crate) fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "_rpyc_native")?;
    module.add_class::<native::Target>()?;
    module.add_class::<native::Answer>()?;
    module.add_function(wrap_pyfunction!(connect::connect, &module)?)?;
    module.add_function(wrap_pyfunction!(connect::current_connection, &module)?)?;
    module.add_function(wrap_pyfunction!(native::default_options, &module)?)?;
    module.add_function(wrap_pyfunction!(native::dump, &module)?)?;
    module.add_function(wrap_pyfunction!(native::dumpable, &module)?)?;
    module.add_function(wrap_pyfunction!(native::load, &module)?)?;
    module.add_function(wrap_pyfunction!(interrupt::raise_in_each_line, &module)?)?;
    thread_state::add_to(&module)?;
    Ok(module)
}
