//! Python exceptions to RPyC's and back.

use std::sync::Arc;

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use rpyc_core::Exception;
use rpyc_core::wire::{Str, Value};

use crate::attach::take_raised;
use crate::convert::{to_value, value_to_python};
use crate::handle::text;
use crate::names;
use crate::policy::policy;
use crate::session::PythonSession;

/// What was raised, as it goes to a peer; the session remembers its traceback.
pub(crate) fn to_exception(
    py: Python<'_>,
    session: &Arc<PythonSession>,
    raised: PyErr,
) -> Exception {
    // Before 3.12 the traceback is the exception's own from here on only.
    let raised = raised.into_value(py).into_bound(py);
    if raised.get_type().is(py.get_type::<PyStopIteration>()) {
        return Exception::stop_iteration();
    }
    let described = describe(raised.as_any()).and_then(|(exception, trail)| {
        session.remember_traceback(py, trail)?;
        Ok(exception)
    });
    match described {
        Ok(exception) => exception,
        // Out of stack, or of memory.
        Err(error) => {
            let name = raised.get_type().name();
            let name = name.map_or_else(|_| Str::from_static("Exception"), |name| text(&name));
            let what = format!("it can't be described: {error}");
            Exception::new(Str::from_static("builtins"), name).with_arg(what)
        }
    }
}

/// What a script of the program's raised.
pub(crate) fn of_program(py: Python<'_>, raised: PyErr) -> Exception {
    let shown = raised.to_string();
    let described = describe(raised.into_value(py).bind(py).as_any());
    described.map_or_else(
        |_| Exception::runtime_error(shown),
        |(exception, _)| exception,
    )
}

type Parts<'py> = (
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    Bound<'py, PyTuple>,
    Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>,
    Bound<'py, PyString>,
    Bound<'py, PyAny>,
);

/// The exception as it goes to a peer, and its traceback.
fn describe<'py>(raised: &Bound<'py, PyAny>) -> PyResult<(Exception, Bound<'py, PyAny>)> {
    let parts = policy().describe.bind(raised.py()).call1((raised,))?;
    let (module, class, args, attributes, traceback, trail): Parts<'_> = parts.extract()?;
    let value = |object: &Bound<'_, PyAny>| to_value(object).unwrap_or(Value::None);
    let mut exception = Exception::new(text(&module), text(&class));
    for arg in &args {
        exception = exception.with_arg(value(&arg));
    }
    for (name, attribute) in &attributes {
        exception = exception.with_attr(text(name), value(attribute));
    }
    Ok((exception.with_traceback(text(&traceback)), trail))
}

/// The exception in Python, to be raised: one of this side's own.
pub(crate) fn raise(py: Python<'_>, exception: &Exception) -> PyErr {
    rebuild(py, (true, false), exception).unwrap_or_else(|failure| failure)
}

/// The exception in Python, to be raised: one of the session's peer.
pub(crate) fn raise_of_peer(
    py: Python<'_>,
    session: &PythonSession,
    exception: &Exception,
) -> PyErr {
    rebuild(py, session.peer().custom_exceptions(), exception).unwrap_or_else(|failure| failure)
}

fn rebuild(
    py: Python<'_>,
    (instantiate, may_import): (bool, bool),
    exception: &Exception,
) -> PyResult<PyErr> {
    if let Some(raised) = take_raised() {
        return Ok(raised);
    }
    if exception.is("StopIteration") {
        return Ok(PyStopIteration::new_err(()));
    }
    let args = exception.args().iter().cloned();
    let args = args.map(|arg| value_to_python(py, arg));
    let args = PyTuple::new(py, args.collect::<PyResult<Vec<_>>>()?)?;
    let attributes = exception.attrs().iter();
    let attributes = attributes
        .filter(|(name, _)| names::admit(name))
        .map(|(name, value)| Ok((name.as_str(), value_to_python(py, value.clone())?)))
        .collect::<PyResult<Vec<_>>>()?;
    let traceback = exception.traceback().map(|text| text.as_str());
    let (module, class) = (exception.module(), exception.class());
    let parts = (
        &**module,
        &**class,
        args,
        attributes,
        traceback,
        instantiate,
        may_import,
    );
    let raised = policy().rebuild.bind(py).call1(parts)?;
    Ok(PyErr::from_value(raised))
}
