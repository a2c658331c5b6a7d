//! Connections that Python code makes, and the one that it runs for, as functions of the native module.

use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rpyc_classic::connections::{Address, Offered};
use rpyc_classic::getconn::Keeper;
use rpyc_core::Exception;
use rpyc_core::object::Any;

use crate::attach::{ask, is_forked};
use crate::convert::{to_any, to_python, value_to_python};
use crate::exception::raise;
use crate::session::{OpenSession, PythonSession, shared};

#[pyfunction]
pub(crate) fn connect<'py>(
    py: Python<'py>,
    address: &Bound<'py, PyAny>,
    service: &Bound<'py, PyAny>,
    config: &Bound<'py, PyDict>,
    runs_code: bool,
    keepalive: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let shared =
        shared().ok_or_else(|| PyRuntimeError::new_err("the evaluator hasn't been started"))?;
    let keeper = Arc::<Keeper>::default();
    let session = PythonSession::keeping(shared.clone(), Arc::downgrade(&keeper), runs_code);
    let address = Address::new(to_any(py, &session, address)?);
    let address = address.map_err(|exception| raise(py, &exception))?;
    let offered = Offered {
        service: to_any(py, &session, service)?,
        config: to_any(py, &session, config)?,
        keepalive,
    };
    let open = Arc::new(OpenSession(session.clone()));
    let connected = ask(py, || {
        let executor = shared.executor.clone();
        let connections = &shared.connections;
        connections.connect(address, offered, &keeper, open, executor)
    });
    match connected.flatten() {
        Ok(this) => to_python(py, &session, Any::Local(this)),
        Err(exception) => Err(not_connected(py, &exception)),
    }
}

/// The connection of the client whose code runs on this thread, or None.
#[pyfunction]
pub(crate) fn current_connection(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let session = PythonSession::current().filter(|_| !is_forked());
    let Some(session) = session else {
        return Ok(None);
    };
    let Some((_, this)) = session.connection() else {
        return Ok(None);
    };
    to_python(py, &session, Any::Local(this)).map(Some)
}

/// An error of this side's own: of the class that its number belongs to, without a remote traceback.
fn not_connected(py: Python<'_>, exception: &Exception) -> PyErr {
    if !exception.is("OSError") {
        return raise(py, exception);
    }
    let args = exception.args().iter().cloned();
    let args: PyResult<Vec<_>> = args.map(|arg| value_to_python(py, arg)).collect();
    let made = args.and_then(|args| {
        let args = PyTuple::new(py, args)?;
        py.get_type::<PyOSError>().call1(args)
    });
    made.map_or_else(|_| raise(py, exception), PyErr::from_value)
}
