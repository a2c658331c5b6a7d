//! The native module that the Python sources stand on: `_rpyc_native.pyi` is its contract.

use std::ops::Deref;
use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyModule;
use rpyc_classic::bridge;
use rpyc_core::Exception;

use crate::attach::{check_not_forked, is_forked, let_go};
use crate::here::{self, Here};
use crate::{interrupt, thread_state};

/// The parent process's, in the child of a fork, which leaves it alone.
struct Parents<T>(Option<T>);

impl<T> Deref for Parents<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(held) => held,
            None => unreachable!("it is taken out by drop alone"),
        }
    }
}

impl<T> Drop for Parents<T> {
    fn drop(&mut self) {
        if is_forked() {
            std::mem::forget(self.0.take());
        }
    }
}

/// What a netref stands for.
#[pyclass(frozen, module = "_rpyc_native")]
pub(crate) struct Target(Parents<bridge::Target<Here>>);

impl Target {
    pub(crate) fn new(target: bridge::Target<Here>) -> Target {
        Target(Parents(Some(target)))
    }
}

impl Deref for Target {
    type Target = bridge::Target<Here>;

    fn deref(&self) -> &bridge::Target<Here> {
        &self.0
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !is_forked() && self.is_keeping() {
            let_go(self.0.0.take());
        }
    }
}

type Object<'py> = Bound<'py, PyAny>;

#[pymethods]
impl Target {
    #[getter]
    fn name(&self) -> String {
        (**self).name().to_string()
    }

    #[getter]
    fn is_class(&self) -> bool {
        (**self).is_class()
    }

    #[getter]
    fn runs_code(&self) -> bool {
        !is_forked() && (**self).runs_code()
    }

    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        (**self).key(py)
    }

    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        (**self).address(py)
    }

    #[getter]
    fn id_pack<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        (**self).id_pack(py)
    }

    fn connection<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        parents_only()?;
        (**self).connection(py)
    }

    fn methods<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        (**self).methods(py)
    }

    fn attr<'py>(&self, py: Python<'py>, name: Object<'py>) -> PyResult<Object<'py>> {
        (**self).attr(py, &name)
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        args: Object<'py>,
        pairs: Object<'py>,
    ) -> PyResult<Object<'py>> {
        (**self).call(py, &args, &pairs)
    }

    fn call_method<'py>(
        &self,
        py: Python<'py>,
        name: Object<'py>,
        args: Object<'py>,
        pairs: Object<'py>,
    ) -> PyResult<Object<'py>> {
        (**self).call_method(py, &name, &args, &pairs)
    }

    fn request<'py>(
        &self,
        py: Python<'py>,
        handler: i64,
        args: Object<'py>,
    ) -> PyResult<Object<'py>> {
        (**self).request(py, handler, &args)
    }

    #[pyo3(signature = (handler, args, seconds = None))]
    fn request_later<'py>(
        &self,
        py: Python<'py>,
        handler: i64,
        args: Object<'py>,
        seconds: Option<f64>,
    ) -> PyResult<Object<'py>> {
        (**self).request_later(py, handler, &args, seconds)
    }
}

/// The answer to a request, now or later.
#[pyclass(frozen, module = "_rpyc_native")]
pub(crate) struct Answer(Parents<bridge::Answer<Here>>);

impl Answer {
    pub(crate) fn new(answer: bridge::Answer<Here>) -> Answer {
        Answer(Parents(Some(answer)))
    }

    /// What is waited for.
    fn it(&self) -> PyResult<&bridge::Answer<Here>> {
        parents_only()?;
        Ok(&self.0)
    }
}

#[pymethods]
impl Answer {
    fn wait(&self, py: Python<'_>) -> PyResult<bool> {
        self.it()?.wait(py)
    }

    fn value<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        self.it()?.value(py)
    }

    fn ready(&self) -> PyResult<bool> {
        Ok(self.it()?.ready())
    }

    fn is_error(&self) -> PyResult<bool> {
        Ok(self.it()?.is_error())
    }

    fn expired(&self) -> PyResult<bool> {
        Ok(self.it()?.expired())
    }

    #[pyo3(signature = (seconds = None))]
    fn set_expiry(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<()> {
        self.it()?.set_expiry(py, seconds)
    }

    fn add_callback(&self, py: Python<'_>, function: Object<'_>) -> PyResult<()> {
        self.it()?.add_callback(py, function)
    }
}

/// # Errors
/// In the child of a fork, whose connections these aren't.
fn parents_only() -> PyResult<()> {
    check_not_forked()
        .map_err(|exception: Exception| pyo3::exceptions::PyEOFError::new_err(exception.message()))
}

fn shared() -> PyResult<&'static Arc<bridge::Shared<Here>>> {
    let none = || PyRuntimeError::new_err("the evaluator hasn't been started");
    here::shared().ok_or_else(none)
}

#[pyfunction]
fn connect<'py>(
    py: Python<'py>,
    address: Object<'py>,
    service: Object<'py>,
    config: Object<'py>,
    runs_code: bool,
    keepalive: bool,
) -> PyResult<Object<'py>> {
    let offered = [address, service, config];
    bridge::connect(py, shared()?, offered, runs_code, keepalive)
}

#[pyfunction]
fn current_connection(py: Python<'_>) -> PyResult<Option<Object<'_>>> {
    match is_forked() {
        true => Ok(None),
        false => bridge::current_connection::<Here>(py).map(Some),
    }
}

#[pyfunction]
fn default_options(py: Python<'_>) -> PyResult<Object<'_>> {
    bridge::default_options(py, shared()?)
}

#[pyfunction]
fn dumpable<'py>(py: Python<'py>, object: Object<'py>) -> bool {
    bridge::dumpable::<Here>(py, &object)
}

#[pyfunction]
fn dump<'py>(py: Python<'py>, object: Object<'py>) -> PyResult<Object<'py>> {
    bridge::dump::<Here>(py, &object)
}

#[pyfunction]
fn load<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Object<'py>> {
    bridge::load(py, shared()?, data)
}

/// `_rpyc_native`.
pub(crate) fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "_rpyc_native")?;
    module.add_class::<Target>()?;
    module.add_class::<Answer>()?;
    module.add_function(wrap_pyfunction!(connect, &module)?)?;
    module.add_function(wrap_pyfunction!(current_connection, &module)?)?;
    module.add_function(wrap_pyfunction!(default_options, &module)?)?;
    module.add_function(wrap_pyfunction!(dump, &module)?)?;
    module.add_function(wrap_pyfunction!(dumpable, &module)?)?;
    module.add_function(wrap_pyfunction!(load, &module)?)?;
    module.add_function(wrap_pyfunction!(interrupt::raise_in_each_line, &module)?)?;
    thread_state::add_to(&module)?;
    Ok(module)
}
