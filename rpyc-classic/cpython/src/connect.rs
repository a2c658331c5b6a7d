//! Connections that Python code makes, and the one that it runs for, as functions of the native module.

use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use rpyc_core::object::Any;
use rpyc_core::{Config, Exception};

use crate::attach::{ask, is_forked};
use crate::connections::{self, Address, ConnectOptions};
use crate::convert::{to_python, value_to_python};
use crate::exception::raise;
use crate::session::{PythonSession, shared};

#[pyfunction]
pub(crate) fn connect<'py>(
    py: Python<'py>,
    host: String,
    port: Option<u16>,
    is_classic: bool,
    config: &Bound<'py, PyDict>,
    keepalive: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let shared =
        shared().ok_or_else(|| PyRuntimeError::new_err("the evaluator hasn't been started"))?;
    let address = match port {
        Some(port) => Address::Tcp(host, port),
        None => Address::Unix(host),
    };
    let options = ConnectOptions {
        is_classic,
        keepalive,
        config: read_config(config)?,
    };
    let connected = ask(py, || connections::connect(shared, &address, options));
    match connected.flatten() {
        Ok((this, session)) => to_python(py, &session, Any::Local(this)),
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

/// A connection's config from a dict with the names of Python's rpyc.
fn read_config(given: &Bound<'_, PyDict>) -> PyResult<Config> {
    let mut config = Config::default();
    for (name, value) in given {
        let name = name.cast::<PyString>()?.to_string_lossy().into_owned();
        if name == "sync_request_timeout" {
            let seconds: Option<f64> = value.extract()?;
            let timeout = seconds.map(Duration::try_from_secs_f64).transpose();
            config.sync_request_timeout =
                timeout.map_err(|_| PyValueError::new_err("a timeout is 0 or more"))?;
            continue;
        }
        let option = match &*name {
            "allow_all_attrs" => &mut config.allow_all_attrs,
            "allow_delattr" => &mut config.allow_delattr,
            "allow_exposed_attrs" => &mut config.allow_exposed_attrs,
            "allow_getattr" => &mut config.allow_getattr,
            "allow_pickle" => &mut config.allow_pickle,
            "allow_public_attrs" => &mut config.allow_public_attrs,
            "allow_safe_attrs" => &mut config.allow_safe_attrs,
            "allow_setattr" => &mut config.allow_setattr,
            "import_custom_exceptions" => &mut config.import_custom_exceptions,
            "include_local_traceback" => &mut config.include_local_traceback,
            "include_local_version" => &mut config.include_local_version,
            "instantiate_custom_exceptions" => &mut config.instantiate_custom_exceptions,
            _ => {
                let what = format!("'{name}' can't be configured here");
                return Err(PyValueError::new_err(what));
            }
        };
        *option = value.is_truthy()?;
    }
    Ok(config)
}
