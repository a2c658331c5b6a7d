//! RPyC's values to Python objects and back.

use std::any::Any as StdAny;
use std::sync::Arc;

use num_bigint::BigInt;
use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PySlice, PyString, PyTuple,
    PyType,
};
use rpyc_core::object::{Any, Args};
use rpyc_core::wire::{Int, PlainType, Str, Value};

use crate::handle::PyHandle;
use crate::native::Target;
use crate::pieces;
use crate::policy::policy;
use crate::session::PythonSession;

/// An object as it leaves the interpreter: by value if it is exactly of one of the types that travel
/// so, as itself if it came from outside, else by reference.
pub(crate) fn to_any(
    py: Python<'_>,
    session: &Arc<PythonSession>,
    object: &Bound<'_, PyAny>,
) -> PyResult<Any> {
    to_any_at(py, session, object, 0)
}

fn to_any_at(
    py: Python<'_>,
    session: &Arc<PythonSession>,
    object: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<Any> {
    if depth < MAX_DEPTH
        && let Ok(tuple) = object.cast_exact::<PyTuple>()
    {
        let items = tuple.iter();
        let items = items.map(|item| to_any_at(py, session, &item, depth + 1));
        return Ok(Any::tuple(items.collect::<PyResult<Vec<_>>>()?));
    }
    if let Some(value) = to_value_at(object, depth) {
        return Ok(Any::Value(value));
    }
    if is_netref(object) {
        let target = policy().target_of.bind(py).call1((object,))?;
        return Ok(target.cast::<Target>()?.get().to_any());
    }
    PyHandle::new(py, session, object).map(|handle| Any::Local(Arc::new(handle)))
}

/// Whether it is a netref, whatever it claims to be.
pub(crate) fn is_netref(object: &Bound<'_, PyAny>) -> bool {
    let metaclass = object.get_type().get_type();
    metaclass.is(&policy().netref_metaclass)
}

/// The value, if the object travels by value as a whole.
pub(crate) fn to_value(object: &Bound<'_, PyAny>) -> Option<Value> {
    to_value_at(object, 0)
}

fn to_value_at(object: &Bound<'_, PyAny>, depth: usize) -> Option<Value> {
    let py = object.py();
    if let Ok(text) = object.cast_exact::<PyString>() {
        // A text with lone surrogates has no UTF-8.
        return text.to_str().ok().map(|text| Value::Str(Str::from(text)));
    }
    if let Ok(int) = object.cast_exact::<PyInt>() {
        return int_value(int);
    }
    if object.is_none() {
        return Some(Value::None);
    }
    if let Ok(flag) = object.cast_exact::<PyBool>() {
        return Some(Value::Bool(flag.is_true()));
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return Some(Value::from(bytes.as_bytes().to_vec()));
    }
    if let Ok(float) = object.cast_exact::<PyFloat>() {
        return Some(Value::Float(float.value()));
    }
    if let Ok(complex) = object.cast_exact::<PyComplex>() {
        return Some(Value::Complex(complex.real(), complex.imag()));
    }
    if object.is(py.NotImplemented()) {
        return Some(Value::NotImplemented);
    }
    if object.is(py.Ellipsis()) {
        return Some(Value::Ellipsis);
    }
    if depth >= MAX_DEPTH {
        return None;
    }
    if let Ok(tuple) = object.cast_exact::<PyTuple>() {
        let items = tuple.iter().map(|item| to_value_at(&item, depth + 1));
        return items.collect::<Option<_>>().map(Value::Tuple);
    }
    if let Ok(set) = object.cast_exact::<PyFrozenSet>() {
        let items = set.iter().map(|item| to_value_at(&item, depth + 1));
        return items.collect::<Option<_>>().map(Value::FrozenSet);
    }
    if let Ok(slice) = object.cast_exact::<PySlice>() {
        let part = |name| to_value_at(&slice.getattr(name).ok()?, depth + 1);
        let parts = [part("start")?, part("stop")?, part("step")?];
        return Some(Value::Slice(Box::new(parts)));
    }
    None
}

fn int_value(int: &Bound<'_, PyInt>) -> Option<Value> {
    if let Ok(small) = int.extract::<i64>() {
        return Some(Value::from(small));
    }
    let py = int.py();
    let bits = int.call_method0(intern!(py, "bit_length")).ok()?;
    let bits: u64 = bits.extract().ok()?;
    // Not all peers read an int of more digits.
    if bits > MAX_INT_BITS {
        return None;
    }
    let signed = PyDict::new(py);
    signed.set_item("signed", true).ok()?;
    let length = bits / 8 + 1;
    let bytes = int.call_method(intern!(py, "to_bytes"), (length, "little"), Some(&signed));
    let bytes = bytes.ok()?;
    let int = BigInt::from_signed_bytes_le(bytes.cast::<PyBytes>().ok()?.as_bytes());
    let digits = int.magnitude().to_string().len();
    (digits <= MAX_INT_DIGITS).then(|| Value::Int(Int::from(int)))
}

/// What came in, as a Python object.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    session: &Arc<PythonSession>,
    any: Any,
) -> PyResult<Bound<'py, PyAny>> {
    match any {
        Any::Value(value) => value_to_python(py, value),
        Any::Tuple(items) => {
            let items = items.into_iter().map(|item| {
                pieces::next(py)?;
                to_python(py, session, item)
            });
            let items = items.collect::<PyResult<Vec<_>>>()?;
            Ok(PyTuple::new(py, items)?.into_any())
        }
        Any::Netref(netref) => Target::peer(session, netref).into_netref(py),
        Any::Local(object) => {
            let known: &dyn StdAny = &*object;
            if let Some(handle) = known.downcast_ref::<PyHandle>() {
                return Ok(handle.object(py).clone());
            }
            Target::here(session, object).into_netref(py)
        }
    }
}

/// A plain value as a Python object.
pub(crate) fn value_to_python(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    let all = |items: Vec<Value>| -> PyResult<Vec<Bound<'_, PyAny>>> {
        let items = items.into_iter().map(|item| {
            pieces::next(py)?;
            value_to_python(py, item)
        });
        items.collect()
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
                let signed = PyDict::new(py);
                signed.set_item("signed", true)?;
                let class = py.get_type::<PyInt>();
                class.call_method(intern!(py, "from_bytes"), (bytes, "little"), Some(&signed))?
            }
        },
        Value::Float(float) => float.into_bound_py_any(py)?,
        Value::Complex(re, im) => PyComplex::from_doubles(py, re, im).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, &bytes).into_any(),
        Value::Str(text) => PyString::new(py, text.as_str()).into_any(),
        Value::Tuple(items) => PyTuple::new(py, all(items)?)?.into_any(),
        Value::FrozenSet(items) => pieces::frozenset(py, all(items)?)?.into_any(),
        Value::Slice(parts) => {
            let parts = PyTuple::new(py, all(parts.to_vec())?)?;
            py.get_type::<PySlice>().call1(parts)?
        }
        Value::Type(plain) => class_of(py, plain).into_any(),
    })
}

/// The class that the object is, if some peers take it by value.
pub(crate) fn plain_type(object: &Bound<'_, PyAny>) -> Option<PlainType> {
    object.cast::<PyType>().ok()?;
    let mut all = PlainType::ALL.into_iter();
    all.find(|plain| object.is(class_of(object.py(), *plain)))
}

fn class_of(py: Python<'_>, plain: PlainType) -> Bound<'_, PyType> {
    match plain {
        PlainType::None => py.None().bind(py).get_type(),
        PlainType::Int => py.get_type::<PyInt>(),
        PlainType::Bool => py.get_type::<PyBool>(),
        PlainType::Float => py.get_type::<PyFloat>(),
        PlainType::Bytes => py.get_type::<PyBytes>(),
        PlainType::Str => py.get_type::<PyString>(),
        PlainType::Complex => py.get_type::<PyComplex>(),
        PlainType::NotImplemented => py.NotImplemented().bind(py).get_type(),
        PlainType::Ellipsis => py.Ellipsis().bind(py).get_type(),
        // One that a newer core knows.
        _ => py.get_type::<PyType>(),
    }
}

/// Arguments of a call into Python.
pub(crate) fn to_call<'py>(
    py: Python<'py>,
    session: &Arc<PythonSession>,
    args: Args,
) -> PyResult<(Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>)> {
    let positional = args.positional.into_iter();
    let positional = positional.map(|arg| to_python(py, session, arg));
    let positional = PyTuple::new(py, positional.collect::<PyResult<Vec<_>>>()?)?;
    if args.keyword.is_empty() {
        return Ok((positional, None));
    }
    let keyword = PyDict::new(py);
    for (name, value) in args.keyword {
        keyword.set_item(name.as_str(), to_python(py, session, value)?)?;
    }
    Ok((positional, Some(keyword)))
}

/// Arguments of a call out of Python.
pub(crate) fn to_args(
    py: Python<'_>,
    session: &Arc<PythonSession>,
    positional: &Bound<'_, PyTuple>,
    keyword: &Bound<'_, PyDict>,
) -> PyResult<Args> {
    let mut args = Args::from(to_anys(py, session, positional)?);
    for (name, value) in keyword {
        let name: String = name.extract()?;
        args.keyword
            .push((Str::from(name), to_any(py, session, &value)?));
    }
    Ok(args)
}

/// The items of a tuple as they leave the interpreter.
pub(crate) fn to_anys(
    py: Python<'_>,
    session: &Arc<PythonSession>,
    items: &Bound<'_, PyTuple>,
) -> PyResult<Vec<Any>> {
    items
        .iter()
        .map(|item| to_any(py, session, &item))
        .collect()
}

/// Deeper tuples travel by reference: a receiver refuses too deep ones, and loses the connection.
const MAX_DEPTH: usize = 60;

/// What Python reads from decimal text unless told otherwise.
const MAX_INT_DIGITS: usize = 4300;

/// More bits are certainly more digits than that.
const MAX_INT_BITS: u64 = 14_285;
