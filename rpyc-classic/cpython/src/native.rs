//! The native module that the Python sources stand on: `_rpyc_native.pyi` is its contract.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::exceptions::{PyBaseException, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyModule, PyTuple};
use rpyc_classic::getconn::Keeper;
use rpyc_core::object::{Any, Context, Method, Netref, Object, ObjectRef, ObjectResult, Raised};
use rpyc_core::wire::Limits;
use rpyc_core::wire::{Handler, Value, decode_value_strict, encode_to_vec};
use rpyc_core::{AsyncResult, Exception};

use crate::attach::{DeferredDrop, ask, attached, check_not_forked, is_forked, lock};
use crate::connect;
use crate::convert::{to_any, to_anys, to_args, to_python, to_value, value_to_python};
use crate::exception::{raise, to_exception};
use crate::policy::policy;
use crate::session::{PythonSession, closed};
use crate::thread_state;

/// What a netref stands for.
#[pyclass(frozen, module = "_rpyc_native")]
pub(crate) struct Target {
    // None within drop alone.
    kind: Option<Kind>,
    session: Arc<PythonSession>,
    // Keeps a connection open that Python code has made.
    keeper: Option<Arc<Keeper>>,
}

#[derive(Clone)]
enum Kind {
    /// An object of a peer.
    Peer(Netref),
    /// An object of this process, outside of the interpreter.
    Here(ObjectRef),
}

impl Target {
    pub(crate) fn peer(session: &Arc<PythonSession>, netref: Netref) -> Target {
        Target {
            keeper: session.connections().keeper(netref.peer_number()),
            kind: Some(Kind::Peer(netref)),
            session: session.clone(),
        }
    }

    pub(crate) fn here(session: &Arc<PythonSession>, object: ObjectRef) -> Target {
        Target {
            kind: Some(Kind::Here(object)),
            session: session.clone(),
            keeper: None,
        }
    }

    /// The netref that stands for it.
    pub(crate) fn into_netref(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        policy().netref.bind(py).call1((self,))
    }

    pub(crate) fn to_any(&self) -> Any {
        match self.kind() {
            Kind::Peer(netref) => Any::Netref(netref.clone()),
            Kind::Here(object) => Any::Local(object.clone()),
        }
    }

    fn kind(&self) -> &Kind {
        match &self.kind {
            Some(kind) => kind,
            None => unreachable!("it is taken out by drop alone"),
        }
    }

    fn netref(&self) -> PyResult<&Netref> {
        match self.kind() {
            Kind::Peer(netref) => Ok(netref),
            Kind::Here(_) => Err(PyTypeError::new_err(
                "this object lives here: there is nobody to ask",
            )),
        }
    }

    /// Has the object do something, whoever's it is.
    fn ask<'py>(
        &self,
        py: Python<'py>,
        at_peer: impl FnOnce(&Netref) -> Result<Any, rpyc_core::Error> + Send,
        here: impl FnOnce(&dyn Object, &Context<'_>) -> ObjectResult + Send,
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = ask(py, || match self.kind() {
            Kind::Peer(netref) => at_peer(netref).map_err(Exception::from),
            Kind::Here(object) => {
                let (connection, _) = self.session.connection().ok_or_else(closed)?;
                here(&**object, &Context::new(&connection))
            }
        });
        match answer.flatten() {
            Ok(answer) => to_python(py, &self.session, answer),
            Err(exception) => Err(raise(py, &exception)),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if is_forked() {
            // It is the parent's to give back.
            std::mem::forget((self.kind.take(), self.keeper.take()));
        }
        if let Some(keeper) = self.keeper.take() {
            // It may be the last of its connection, which is closed then.
            Python::attach(|py| py.detach(|| drop(keeper)));
        }
    }
}

#[pymethods]
impl Target {
    #[getter]
    fn name(&self) -> String {
        match self.kind() {
            Kind::Peer(netref) => netref.id_pack().name.to_string(),
            Kind::Here(object) => object.id_parts().name.to_string(),
        }
    }

    #[getter]
    fn is_class(&self) -> bool {
        match self.kind() {
            Kind::Peer(netref) => netref.is_class(),
            Kind::Here(object) => object.id_parts().instance.is_none(),
        }
    }

    #[getter]
    fn runs_code(&self) -> bool {
        match self.kind() {
            Kind::Peer(netref) if !is_forked() => {
                self.session.connections().runs_code(netref.peer_number())
            }
            Kind::Peer(_) | Kind::Here(_) => false,
        }
    }

    #[getter]
    fn key(&self) -> Option<(u64, u64, u64)> {
        match self.kind() {
            Kind::Peer(netref) => {
                let id_pack = netref.id_pack();
                Some((netref.peer_number(), id_pack.class.0, id_pack.instance.0))
            }
            Kind::Here(_) => None,
        }
    }

    #[getter]
    fn address(&self) -> usize {
        match self.kind() {
            Kind::Peer(_) => 0,
            Kind::Here(object) => Arc::as_ptr(object).addr(),
        }
    }

    #[getter]
    fn id_pack<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.kind() {
            Kind::Peer(netref) => value_to_python(py, netref.id_pack().to_value()),
            Kind::Here(_) => Ok(py.None().into_bound(py)),
        }
    }

    fn connection<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        check_not_forked().map_err(|exception| raise(py, &exception))?;
        let this = match self.kind() {
            Kind::Peer(netref) => self.session.connections().this(netref.peer_number()),
            Kind::Here(_) => self.session.connection().map(|(_, this)| this),
        };
        let this = this.ok_or_else(|| raise(py, &closed_attribute()))?;
        to_python(py, &self.session, Any::Local(this))
    }

    fn methods<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let methods: Result<Vec<Method>, Exception> = ask(py, || match self.kind() {
            Kind::Peer(netref) => netref.inspect().map_err(Exception::from),
            Kind::Here(object) => match self.session.connection() {
                Some((connection, _)) => {
                    let methods = object.methods(&Context::new(&connection))?;
                    Ok(methods.to_vec())
                }
                None => Ok(Vec::new()),
            },
        })
        .flatten();
        let methods = methods.map_err(|exception| raise(py, &exception))?;
        PyTuple::new(py, methods.iter().map(|(name, _)| name.as_str()))
    }

    fn attr<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.ask(
            py,
            |netref| netref.attr(name),
            |object, cx| object.attr(cx, name),
        )
    }

    fn set_attr(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = to_any(py, &self.session, value)?;
        let again = value.clone();
        let set = self.ask(
            py,
            |netref| netref.request(Handler::SetAttr, [Any::from(name), value]),
            |object, cx| object.set_attr(cx, name, again).map(|()| Any::NONE),
        );
        set.map(drop)
    }

    fn del_attr(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        let deleted = self.ask(
            py,
            |netref| netref.request(Handler::DelAttr, [Any::from(name)]),
            |object, cx| object.del_attr(cx, name).map(|()| Any::NONE),
        );
        deleted.map(drop)
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args = Mutex::new(to_args(py, &self.session, args, kwargs)?);
        let args = || std::mem::take(&mut *lock(&args));
        self.ask(
            py,
            |netref| netref.call(args()),
            |object, cx| object.call(cx, args()),
        )
    }

    fn call_method<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args = Mutex::new(to_args(py, &self.session, args, kwargs)?);
        let args = || std::mem::take(&mut *lock(&args));
        self.ask(
            py,
            |netref| netref.call_method(name, args()),
            |object, cx| object.call_method(cx, name, args()),
        )
    }

    fn compare<'py>(
        &self,
        py: Python<'py>,
        operator: &str,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let other = to_any(py, &self.session, other)?;
        let again = other.clone();
        self.ask(
            py,
            |netref| netref.request(Handler::Cmp, [other, Any::from(operator)]),
            |object, cx| object.compare(cx, operator, &again),
        )
    }

    fn dir<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(
            py,
            |netref| netref.request(Handler::Dir, []),
            |object, cx| {
                let names = object.dir(cx)?.into_iter();
                Ok(Any::tuple(names.map(|name| Any::from(Value::Str(name)))))
            },
        )
    }

    fn exit<'py>(
        &self,
        py: Python<'py>,
        exception: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let by_value = self.netref().is_ok_and(Netref::is_left_by_value);
        let exception = match exception.cast::<PyBaseException>() {
            Ok(raised) if by_value => {
                let raised = PyErr::from_value(raised.clone().into_any());
                Any::object(Raised::new(to_exception(py, &self.session, raised)))
            }
            _ => to_any(py, &self.session, exception)?,
        };
        let again = exception.clone();
        self.ask(
            py,
            |netref| netref.leave(exception),
            |object, cx| object.exit(cx, again),
        )
    }

    fn hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(
            py,
            |netref| netref.request(Handler::Hash, []),
            |object, cx| object.hash(cx).map(Any::from),
        )
    }

    fn pickle<'py>(&self, py: Python<'py>, protocol: i64) -> PyResult<Bound<'py, PyAny>> {
        self.ask(
            py,
            |netref| netref.request(Handler::Pickle, [Any::from(protocol)]),
            |object, cx| Ok(Any::from(Value::Bytes(object.pickle(cx, protocol)?))),
        )
    }

    fn repr<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(
            py,
            |netref| netref.request(Handler::Repr, []),
            |object, cx| Ok(Any::from(Value::Str(object.repr(cx)?))),
        )
    }

    fn str<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(
            py,
            |netref| netref.request(Handler::Str, []),
            |object, cx| Ok(Any::from(Value::Str(object.str(cx)?))),
        )
    }

    fn request<'py>(
        &self,
        py: Python<'py>,
        handler: i64,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let netref = self.netref()?;
        let args = to_anys(py, &self.session, args)?;
        let handler = Handler::from_number(handler);
        let answer = ask(py, || {
            netref.request(handler, args).map_err(Exception::from)
        });
        match answer.flatten() {
            Ok(answer) => to_python(py, &self.session, answer),
            Err(exception) => Err(raise(py, &exception)),
        }
    }

    fn request_later(
        &self,
        py: Python<'_>,
        handler: i64,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<Answer> {
        let netref = self.netref()?;
        let args = to_anys(py, &self.session, args)?;
        let handler = Handler::from_number(handler);
        let sent = ask(py, || {
            netref.async_request(handler, args).map_err(Exception::from)
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
        let value = ask(py, || result.value().map_err(Exception::from));
        match value.flatten() {
            Ok(value) => to_python(py, &self.session, value),
            Err(exception) => Err(raise(py, &exception)),
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
fn dumpable(object: &Bound<'_, PyAny>) -> bool {
    to_value(object).is_some()
}

#[pyfunction]
fn dump<'py>(py: Python<'py>, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
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
fn load<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let data = bytes::Bytes::copy_from_slice(data);
    let value = decode_value_strict(&data, &Limits::default());
    let value = value.map_err(|error| PyValueError::new_err(error.to_string()))?;
    value_to_python(py, value)
}

/// The module, as the sources import it.
pub(crate) fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "_rpyc_native")?;
    module.add_class::<Target>()?;
    module.add_class::<Answer>()?;
    module.add_function(wrap_pyfunction!(connect::connect, &module)?)?;
    module.add_function(wrap_pyfunction!(connect::current_connection, &module)?)?;
    module.add_function(wrap_pyfunction!(dump, &module)?)?;
    module.add_function(wrap_pyfunction!(dumpable, &module)?)?;
    module.add_function(wrap_pyfunction!(load, &module)?)?;
    thread_state::add_to(&module)?;
    Ok(module)
}

fn closed_attribute() -> Exception {
    Exception::attribute_error("the connection is closed")
}
