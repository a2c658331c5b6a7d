//! This process's interpreter, as the bridge between Python's objects and RPyC's uses it.

use std::sync::Arc;
use std::thread::LocalKey;

use bytes::Bytes;
use num_bigint::BigInt;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{
    PyAttributeError, PyBaseException, PyMemoryError, PyTypeError, PyValueError,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyFrozenSetBuilder, PyInt, PySlice,
    PyString, PyTuple, PyType,
};
use rpyc_classic::bridge::{Answer, Plain, Runtime, Target, int, next_piece};
use rpyc_classic::interrupt::Work;
use rpyc_classic::peer::Current;
use rpyc_core::Exception;
use rpyc_core::wire::{Str, Value};

use crate::attach::{self, DeferredDrop};
use crate::ending::end_child;
use crate::here::{self, Here, PythonSession};
use crate::policy::policy;
use crate::thread_state::{self, Parked};
use crate::{interrupt, names, native};

impl Runtime for Here {
    type Vm<'a> = Python<'a>;
    type Object<'a> = Bound<'a, PyAny>;
    type Error = PyErr;
    type Held = DeferredDrop;
    type State = Parked;

    fn attached<R>(&self, work: impl for<'a> FnOnce(Self::Vm<'a>) -> R) -> Result<R, Exception> {
        attach::attached(work)
    }

    fn ask<R: Send>(py: Self::Vm<'_>, wait: impl FnOnce() -> R + Send) -> Result<R, Exception> {
        attach::ask(py, wait)
    }

    fn in_place<R>(
        py: Self::Vm<'_>,
        session: &Arc<PythonSession>,
        work: impl for<'a> FnOnce(Self::Vm<'a>) -> R,
    ) -> PyResult<R> {
        thread_state::in_place(py, session, |py| {
            let outcome = work(py);
            if attach::is_forked() {
                // The child of a fork has nobody to answer.
                end_child(py);
            }
            outcome
        })
    }

    fn current() -> &'static LocalKey<Current<PythonSession>> {
        here::current()
    }

    fn pause(py: Self::Vm<'_>) -> PyResult<()> {
        // Other threads get their turn, and exceptions are raised, where Python code begins.
        policy().pause.bind(py).call0().map(drop)
    }

    fn end(&self, work: &Arc<Work>, client: String) {
        interrupt::end(work, client);
    }

    fn session_ended(py: Self::Vm<'_>, session: &Arc<PythonSession>) -> PyResult<()> {
        thread_state::forget_limits(py, session)
    }

    fn hold(&self, object: Self::Object<'_>) -> DeferredDrop {
        DeferredDrop::new(object)
    }

    fn held<'a>(py: Self::Vm<'a>, held: &DeferredDrop) -> Self::Object<'a> {
        held.bind(py).clone()
    }

    fn take_apart<'a>(
        py: Self::Vm<'a>,
        object: &Self::Object<'a>,
    ) -> Option<Plain<Self::Object<'a>>> {
        let value = if let Ok(text) = object.cast_exact::<PyString>() {
            // A text with lone surrogates has no UTF-8.
            Value::Str(Str::from(text.to_str().ok()?))
        } else if let Ok(int) = object.cast_exact::<PyInt>() {
            match int.extract::<i64>() {
                Ok(small) => Value::from(small),
                Err(_) => large_int(int)?,
            }
        } else if object.is_none() {
            Value::None
        } else if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            return Some(Plain::Tuple(tuple.iter().collect()));
        } else if let Ok(flag) = object.cast_exact::<PyBool>() {
            Value::Bool(flag.is_true())
        } else if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            Value::Bytes(Bytes::copy_from_slice(bytes.as_bytes()))
        } else if let Ok(float) = object.cast_exact::<PyFloat>() {
            Value::Float(float.value())
        } else if let Ok(complex) = object.cast_exact::<PyComplex>() {
            Value::Complex(complex.real(), complex.imag())
        } else if object.is(py.NotImplemented()) {
            Value::NotImplemented
        } else if object.is(py.Ellipsis()) {
            Value::Ellipsis
        } else if let Ok(set) = object.cast_exact::<PyFrozenSet>() {
            return Some(Plain::FrozenSet(set.iter().collect()));
        } else if let Ok(slice) = object.cast_exact::<PySlice>() {
            let part = |name| slice.getattr(name).ok();
            return Some(Plain::Slice([part("start")?, part("stop")?, part("step")?]));
        } else {
            return None;
        };
        Some(Plain::Value(value))
    }

    fn make<'a>(py: Self::Vm<'a>, plain: Plain<Self::Object<'a>>) -> PyResult<Self::Object<'a>> {
        let value = match plain {
            Plain::Value(value) => value,
            Plain::Tuple(items) => return Ok(PyTuple::new(py, items)?.into_any()),
            Plain::FrozenSet(items) => {
                let mut set = PyFrozenSetBuilder::new(py)?;
                for item in items {
                    next_piece::<Here>(py)?;
                    set.add(item)?;
                }
                return Ok(set.finalize().into_any());
            }
            Plain::Slice(parts) => return py.get_type::<PySlice>().call1(PyTuple::new(py, parts)?),
        };
        Ok(match value {
            Value::None => py.None().into_bound(py),
            Value::NotImplemented => py.NotImplemented().into_bound(py),
            Value::Ellipsis => py.Ellipsis().into_bound(py),
            Value::Bool(flag) => flag.into_bound_py_any(py)?,
            Value::Int(int) => match int.to_i64() {
                Some(small) => small.into_bound_py_any(py)?,
                None => {
                    let bytes = PyBytes::new(py, &int.to_bigint().to_signed_bytes_le());
                    let class = py.get_type::<PyInt>();
                    let args = (bytes, "little");
                    class.call_method(intern!(py, "from_bytes"), args, Some(&signed(py)?))?
                }
            },
            Value::Float(float) => float.into_bound_py_any(py)?,
            Value::Complex(re, im) => PyComplex::from_doubles(py, re, im).into_any(),
            Value::Bytes(bytes) => PyBytes::new(py, &bytes).into_any(),
            Value::Str(text) => PyString::new(py, text.as_str()).into_any(),
            _ => return Err(PyTypeError::new_err("this is no plain value")),
        })
    }

    fn hash(_: Self::Vm<'_>, object: &Self::Object<'_>) -> PyResult<i64> {
        object.hash().map(|hash| hash as i64)
    }

    fn is(one: &Self::Object<'_>, other: &Self::Object<'_>) -> bool {
        one.is(other)
    }

    fn attr<'a>(
        _: Self::Vm<'a>,
        object: &Self::Object<'a>,
        name: &str,
    ) -> PyResult<Self::Object<'a>> {
        object.getattr(name)
    }

    fn set_attr<'a>(
        _: Self::Vm<'a>,
        object: &Self::Object<'a>,
        name: &str,
        value: Self::Object<'a>,
    ) -> PyResult<()> {
        match names::admit(name) {
            true => object.setattr(name, value),
            false => Err(no_room()),
        }
    }

    fn del_attr(py: Self::Vm<'_>, object: &Self::Object<'_>, name: &str) -> PyResult<()> {
        // The interpreter might keep the name, though there is no such attribute.
        if !names::is_known(name) {
            let is_plain_class = object.get_type().is(py.get_type::<PyType>());
            if is_plain_class && object.getattr_opt(name)?.is_none() {
                let class = object.cast::<PyType>()?.name()?;
                let message = format!("type object '{class}' has no attribute '{name}'");
                return Err(PyAttributeError::new_err(message));
            }
            if !names::admit(name) {
                return Err(no_room());
            }
        }
        object.delattr(name)
    }

    fn call<'a>(
        py: Self::Vm<'a>,
        function: &Self::Object<'a>,
        args: Vec<Self::Object<'a>>,
        named: Vec<(Str, Self::Object<'a>)>,
    ) -> PyResult<Self::Object<'a>> {
        let args = PyTuple::new(py, args)?;
        if named.is_empty() {
            return function.call1(args);
        }
        let keyword = PyDict::new(py);
        for (name, value) in named {
            keyword.set_item(name.as_str(), value)?;
        }
        function.call(args, Some(&keyword))
    }

    fn is_of_metaclass<'a>(object: &Self::Object<'a>, metaclass: &Self::Object<'a>) -> bool {
        object.get_type().get_type().is(metaclass)
    }

    fn target<'o>(object: &'o Self::Object<'_>) -> Option<&'o Target<Here>> {
        let target = object.cast::<native::Target>().ok()?;
        Some(target.get())
    }

    fn wrap(py: Self::Vm<'_>, target: Target<Here>) -> PyResult<Self::Object<'_>> {
        native::Target::new(target).into_bound_py_any(py)
    }

    fn wrap_answer<'a>(py: Self::Vm<'a>, answer: Answer<Here>) -> PyResult<Self::Object<'a>> {
        native::Answer::new(answer).into_bound_py_any(py)
    }

    fn admits_method(_: Self::Vm<'_>, name: &str) -> bool {
        names::admit(name)
    }

    fn admits_attribute(name: &str) -> bool {
        names::admit(name)
    }

    fn exception(py: Self::Vm<'_>, error: PyErr) -> Self::Object<'_> {
        // Before 3.12 the traceback is the exception's own from here on only.
        error.into_value(py).into_bound(py).into_any()
    }

    fn error(_: Self::Vm<'_>, object: Self::Object<'_>) -> Option<PyErr> {
        let is_one = object.is_instance_of::<PyBaseException>();
        is_one.then(|| PyErr::from_value(object))
    }

    fn own_error(_: Self::Vm<'_>, class: &str, message: String) -> PyErr {
        match class {
            "AttributeError" => PyAttributeError::new_err(message),
            "ValueError" => PyValueError::new_err(message),
            _ => PyTypeError::new_err(message),
        }
    }

    fn raised_meanwhile() -> Option<PyErr> {
        attach::take_raised()
    }

    fn unraisable(py: Self::Vm<'_>, error: PyErr, function: Self::Object<'_>) {
        error.write_unraisable(py, Some(&function));
    }

    fn class_name(object: &Self::Object<'_>) -> String {
        let name = object.get_type().name();
        name.map_or_else(
            |_| "object".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        )
    }
}

fn large_int(object: &Bound<'_, PyInt>) -> Option<Value> {
    let py = object.py();
    let bits = object.call_method0(intern!(py, "bit_length")).ok()?;
    let bits: u64 = bits.extract().ok()?;
    int(bits, || {
        let to_bytes = intern!(py, "to_bytes");
        let args = (bits / 8 + 1, "little");
        let bytes = object
            .call_method(to_bytes, args, Some(&signed(py).ok()?))
            .ok()?;
        Some(BigInt::from_signed_bytes_le(
            bytes.cast::<PyBytes>().ok()?.as_bytes(),
        ))
    })
}

fn signed(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let signed = PyDict::new(py);
    signed.set_item("signed", true)?;
    Ok(signed)
}

fn no_room() -> PyErr {
    PyMemoryError::new_err("no room for more names of attributes")
}
