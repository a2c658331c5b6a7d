//! The native module that the Python sources stand on: `_rpyc_native.pyi` is its contract.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyBaseException, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use rpyc_classic::getconn::Keeper;
use rpyc_classic::target::{self, Operation};
use rpyc_core::object::{Any, Netref, ObjectRef, Raised};
use rpyc_core::wire::{Handler, Limits, decode_value_strict, encode_to_vec};
use rpyc_core::{AsyncResult, Exception};

use crate::attach::{DeferredDrop, ask, attached, check_not_forked, is_forked, let_go};
use crate::convert::{to_any, to_anys, to_args, to_python, to_value, value_to_python};
use crate::exception::{raise, raise_of_peer, to_exception};
use crate::names;
use crate::policy::policy;
use crate::session::PythonSession;

/// What a netref stands for.
#[pyclass(frozen, module = "_rpyc_native")]
pub(crate) struct Target {
    // None within drop alone.
    target: Option<target::Target>,
    session: Arc<PythonSession>,
    // Keeps a connection open that Python code has made.
    keeper: Option<Arc<Keeper>>,
}

impl Target {
    pub(crate) fn peer(session: &Arc<PythonSession>, netref: Netref) -> Target {
        Target {
            keeper: session.connections().keeper(netref.peer_number()),
            target: Some(target::Target::Peer(netref)),
            session: session.clone(),
        }
    }

    pub(crate) fn here(session: &Arc<PythonSession>, object: ObjectRef) -> Target {
        Target {
            target: Some(target::Target::Here(object)),
            session: session.clone(),
            keeper: None,
        }
    }

    /// The netref that stands for it.
    pub(crate) fn into_netref(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        policy().netref.bind(py).call1((self,))
    }

    pub(crate) fn to_any(&self) -> Any {
        self.target().to_any()
    }

    fn target(&self) -> &target::Target {
        match &self.target {
            Some(target) => target,
            None => unreachable!("it is taken out by drop alone"),
        }
    }

    /// Has the object do something, whoever's it is.
    fn ask<'py>(&self, py: Python<'py>, operation: Operation<'_>) -> PyResult<Bound<'py, PyAny>> {
        let connection = || self.session.peer().asking();
        let answer = ask(py, || self.target().perform(operation, connection));
        self.received(py, answer.flatten())
    }

    fn received<'py>(
        &self,
        py: Python<'py>,
        answer: Result<Any, Exception>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match answer {
            Ok(answer) => to_python(py, &self.session, answer),
            Err(exception) => Err(raise_of_peer(py, &self.session, &exception)),
        }
    }

    fn netref(&self, py: Python<'_>) -> PyResult<&Netref> {
        let netref = self.target().netref();
        netref.map_err(|exception| raise(py, &exception))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if is_forked() {
            // It is the parent's to give back.
            std::mem::forget((self.target.take(), self.keeper.take()));
        }
        if let Some(keeper) = self.keeper.take() {
            // It may be the last of its connection, which is closed then.
            let_go(keeper);
        }
    }
}

#[pymethods]
impl Target {
    #[getter]
    fn name(&self) -> String {
        self.target().name().to_string()
    }

    #[getter]
    fn is_class(&self) -> bool {
        self.target().is_class()
    }

    #[getter]
    fn runs_code(&self) -> bool {
        let connections = self.session.connections();
        let netref = self.target().netref();
        !is_forked() && netref.is_ok_and(|netref| connections.runs_code(netref.peer_number()))
    }

    #[getter]
    fn key(&self) -> Option<(u64, u64, u64)> {
        self.target().key()
    }

    #[getter]
    fn address(&self) -> usize {
        self.target().address()
    }

    #[getter]
    fn id_pack<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let id_pack = self.target().id_pack();
        id_pack.map(|value| value_to_python(py, value)).transpose()
    }

    fn connection<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        check_not_forked().map_err(|exception| raise(py, &exception))?;
        let this = match self.target() {
            target::Target::Peer(netref) => self.session.connections().this(netref.peer_number()),
            target::Target::Here(_) => self.session.connection().map(|(_, this)| this),
        };
        let this = this.ok_or_else(|| raise(py, &closed_attribute()))?;
        to_python(py, &self.session, Any::Local(this))
    }

    fn methods<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let connection = || self.session.peer().asking();
        let methods = ask(py, || self.target().methods(connection()));
        let methods = methods.flatten();
        let methods = methods.map_err(|exception| raise(py, &exception))?;
        let names = methods.iter().map(|name| name.as_str());
        let names: Vec<_> = names.filter(|name| names::admit(name)).collect();
        PyTuple::new(py, names)
    }

    fn attr<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Operation::Attr(name))
    }

    fn set_attr(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = to_any(py, &self.session, value)?;
        self.ask(py, Operation::SetAttr(name, value)).map(drop)
    }

    fn del_attr(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.ask(py, Operation::DelAttr(name)).map(drop)
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args = to_args(py, &self.session, args, kwargs)?;
        self.ask(py, Operation::Call(args))
    }

    fn call_method<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args = to_args(py, &self.session, args, kwargs)?;
        self.ask(py, Operation::CallMethod(name, args))
    }

    fn compare<'py>(
        &self,
        py: Python<'py>,
        operator: &str,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let other = to_any(py, &self.session, other)?;
        self.ask(py, Operation::Compare(operator, other))
    }

    fn dir<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Operation::Dir)
    }

    fn exit<'py>(
        &self,
        py: Python<'py>,
        exception: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let netref = self.target().netref();
        let by_value = netref.is_ok_and(Netref::is_left_by_value);
        let exception = match exception.cast::<PyBaseException>() {
            Ok(raised) if by_value => {
                let raised = PyErr::from_value(raised.clone().into_any());
                Any::object(Raised::new(to_exception(py, &self.session, raised)))
            }
            _ => to_any(py, &self.session, exception)?,
        };
        self.ask(py, Operation::Exit(exception))
    }

    fn hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Operation::Hash)
    }

    fn pickle<'py>(&self, py: Python<'py>, protocol: i64) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Operation::Pickle(protocol))
    }

    fn repr<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Operation::Repr)
    }

    fn str<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, Operation::Str)
    }

    fn request<'py>(
        &self,
        py: Python<'py>,
        handler: i64,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let netref = self.netref(py)?;
        let args = to_anys(py, &self.session, args)?;
        let handler = Handler::from_number(handler);
        let answer = ask(py, || netref.request(handler, args).map_err(target::raised));
        self.received(py, answer.flatten())
    }

    fn request_later(
        &self,
        py: Python<'_>,
        handler: i64,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<Answer> {
        let netref = self.netref(py)?;
        let args = to_anys(py, &self.session, args)?;
        let handler = Handler::from_number(handler);
        let sent = ask(py, || {
            netref.async_request(handler, args).map_err(target::raised)
        });
        match sent.flatten() {
            Ok(result) => Ok(Answer {
                result: Some(result),
                session: self.session.clone(),
            }),
            Err(exception) => Err(raise(py, &exception)),
        }
    }
}

/// The answer to a request, now or later.
#[pyclass(frozen, module = "_rpyc_native")]
pub(crate) struct Answer {
    // None within drop alone.
    result: Option<AsyncResult>,
    session: Arc<PythonSession>,
}

impl Answer {
    /// What is waited for. In the child of a fork it is the parent's.
    fn result(&self, py: Python<'_>) -> PyResult<&AsyncResult> {
        check_not_forked().map_err(|exception| raise(py, &exception))?;
        match &self.result {
            Some(result) => Ok(result),
            None => unreachable!("it is taken out by drop alone"),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if is_forked() {
            std::mem::forget(self.result.take());
        }
    }
}

#[pymethods]
impl Answer {
    fn wait(&self, py: Python<'_>) -> PyResult<bool> {
        let result = self.result(py)?;
        let waited = ask(py, || result.wait().is_ok());
        waited.map_err(|exception| raise(py, &exception))
    }

    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let result = self.result(py)?;
        let value = ask(py, || result.value().map_err(target::raised));
        match value.flatten() {
            Ok(value) => to_python(py, &self.session, value),
            Err(exception) => Err(raise_of_peer(py, &self.session, &exception)),
        }
    }

    fn ready(&self, py: Python<'_>) -> PyResult<bool> {
        self.result(py).map(AsyncResult::ready)
    }

    fn is_error(&self, py: Python<'_>) -> PyResult<bool> {
        self.result(py).map(AsyncResult::error)
    }

    fn expired(&self, py: Python<'_>) -> PyResult<bool> {
        self.result(py).map(AsyncResult::expired)
    }

    #[pyo3(signature = (seconds = None))]
    fn set_expiry(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<()> {
        let timeout = seconds.map(Duration::try_from_secs_f64).transpose();
        let timeout =
            timeout.map_err(|_| PyValueError::new_err("an expiry is in 0 seconds or more"))?;
        self.result(py)?.set_expiry(timeout);
        Ok(())
    }

    /// What the function raises is nobody's: it goes where Python's threads send it.
    fn add_callback(&self, py: Python<'_>, function: Bound<'_, PyAny>) -> PyResult<()> {
        let function = DeferredDrop::new(function);
        let callback = move |_| {
            let called = attached(|py| {
                let function = function.bind(py);
                if let Err(error) = function.call0() {
                    error.write_unraisable(py, Some(function));
                }
            });
            drop(called);
        };
        let result = self.result(py)?;
        let added = ask(py, || result.add_callback(callback));
        added.map_err(|exception| raise(py, &exception))
    }
}

#[pyfunction]
pub(crate) fn dumpable(object: &Bound<'_, PyAny>) -> bool {
    to_value(object).is_some()
}

#[pyfunction]
pub(crate) fn dump<'py>(
    py: Python<'py>,
    object: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let Some(value) = to_value(object) else {
        let class = object.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "cannot dump {class}: it doesn't go by value"
        )));
    };
    let bytes = encode_to_vec(&value, &Limits::default());
    let bytes = bytes.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &bytes))
}

#[pyfunction]
pub(crate) fn default_options(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    value_to_python(py, rpyc_classic::options::defaults())
}

#[pyfunction]
pub(crate) fn load<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let data = bytes::Bytes::copy_from_slice(data);
    let value = decode_value_strict(&data, &Limits::default());
    let value = value.map_err(|error| PyValueError::new_err(error.to_string()))?;
    value_to_python(py, value)
}

fn closed_attribute() -> Exception {
    Exception::attribute_error("the connection is closed")
}
