//! RPyC's values to Python objects and back.

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use rpyc_core::object::{Any, Args};
use rpyc_core::wire::{Int, PlainType, Str, Value};
use rustpython_vm::builtins::{
    PyBytes, PyComplex, PyDictRef, PyFloat, PyFrozenSet, PyInt, PySlice, PyStr, PyTuple, PyType,
};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyResult, VirtualMachine};
use std::any::Any as StdAny;
use std::sync::Arc;

use super::native::Target;
use super::object::PyHandle;
use super::pieces;
use super::session::PythonSession;

/// An object as it leaves the interpreter: by value if it is exactly of one of the types that travel
/// so, as itself if it came from outside, else by reference.
pub(super) fn to_any(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    object: PyObjectRef,
) -> Any {
    to_any_at(vm, session, object, 0)
}

fn to_any_at(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    object: PyObjectRef,
    depth: usize,
) -> Any {
    if object.class().is(vm.ctx.types.tuple_type)
        && depth < MAX_DEPTH
        && let Some(tuple) = object.downcast_ref::<PyTuple>()
    {
        let items = tuple.as_slice().iter();
        return Any::tuple(items.map(|item| to_any_at(vm, session, item.clone(), depth + 1)));
    }
    if let Some(value) = to_value_at(vm, &object, depth) {
        return Any::Value(value);
    }
    if let Some(any) = target_of(vm, session, &object) {
        return any;
    }
    Any::Local(Arc::new(PyHandle::new(vm, session, object)))
}

/// What a netref stands for; None for everything else.
fn target_of(vm: &VirtualMachine, session: &Arc<PythonSession>, object: &PyObject) -> Option<Any> {
    let policy = session.shared().policy();
    if !object.class().class().is(policy.netref_metaclass.object()) {
        return None;
    }
    let target = policy.target_of.object().call((object.to_owned(),), vm);
    Some(target.ok()?.downcast_ref::<Target>()?.to_any())
}

/// The value, if the object travels by value as a whole.
pub(super) fn to_value(vm: &VirtualMachine, object: &PyObject) -> Option<Value> {
    to_value_at(vm, object, 0)
}

fn to_value_at(vm: &VirtualMachine, object: &PyObject, depth: usize) -> Option<Value> {
    let class = object.class();
    let types = &vm.ctx.types;
    if class.is(types.str_type) {
        // A text with lone surrogates has no UTF-8.
        let text = object.downcast_ref::<PyStr>()?.to_str()?;
        return Some(Value::Str(Str::from(text)));
    }
    if class.is(types.int_type) {
        return int_value(object.downcast_ref::<PyInt>()?);
    }
    if class.is(types.none_type) {
        return Some(Value::None);
    }
    if class.is(types.bool_type) {
        return Some(Value::Bool(object.is(&vm.ctx.true_value)));
    }
    if class.is(types.bytes_type) {
        let bytes = object.downcast_ref::<PyBytes>()?.as_bytes();
        return Some(Value::from(bytes.to_vec()));
    }
    if class.is(types.float_type) {
        return Some(Value::Float(object.downcast_ref::<PyFloat>()?.to_f64()));
    }
    if class.is(types.complex_type) {
        let complex = object.downcast_ref::<PyComplex>()?.to_complex();
        return Some(Value::Complex(complex.re, complex.im));
    }
    if class.is(types.not_implemented_type) {
        return Some(Value::NotImplemented);
    }
    if class.is(types.ellipsis_type) {
        return Some(Value::Ellipsis);
    }
    if depth >= MAX_DEPTH {
        return None;
    }
    let all = |items: &[PyObjectRef]| -> Option<Vec<Value>> {
        items
            .iter()
            .map(|item| to_value_at(vm, item, depth + 1))
            .collect()
    };
    if class.is(types.tuple_type) {
        return all(object.downcast_ref::<PyTuple>()?.as_slice()).map(Value::Tuple);
    }
    if class.is(types.frozenset_type) {
        return all(&object.downcast_ref::<PyFrozenSet>()?.elements()).map(Value::FrozenSet);
    }
    if class.is(types.slice_type) {
        let slice = object.downcast_ref::<PySlice>()?;
        let part = |part: Option<&PyObjectRef>| match part {
            Some(part) => to_value_at(vm, part, depth + 1),
            None => Some(Value::None),
        };
        let parts = [
            part(slice.start.as_ref())?,
            part(Some(&slice.stop))?,
            part(slice.step.as_ref())?,
        ];
        return Some(Value::Slice(Box::new(parts)));
    }
    None
}

fn int_value(int: &PyInt) -> Option<Value> {
    let int = int.as_bigint();
    if let Some(small) = int.to_i64() {
        return Some(Value::from(small));
    }
    // Not all peers read an int of more digits.
    if int.bits() > MAX_INT_BITS {
        return None;
    }
    let text = int.to_string();
    let digits = text.trim_start_matches('-').len();
    if digits > MAX_INT_DIGITS {
        return None;
    }
    text.parse::<BigInt>()
        .ok()
        .map(|int| Value::Int(Int::from(int)))
}

/// What came in, as a Python object.
pub(super) fn to_python(vm: &VirtualMachine, session: &Arc<PythonSession>, any: Any) -> PyResult {
    match any {
        Any::Value(value) => value_to_python(vm, value),
        Any::Tuple(items) => {
            let items = items.into_iter().map(|item| {
                pieces::next(vm)?;
                to_python(vm, session, item)
            });
            Ok(vm.ctx.new_tuple(items.collect::<PyResult<_>>()?).into())
        }
        Any::Netref(netref) => Target::peer(session, netref).into_netref(vm),
        Any::Local(object) => {
            let known: &dyn StdAny = &*object;
            if let Some(handle) = known.downcast_ref::<PyHandle>()
                && handle.is_of(session)
            {
                return Ok(handle.object().clone());
            }
            Target::here(session, object).into_netref(vm)
        }
    }
}

/// A plain value as a Python object.
pub(super) fn value_to_python(vm: &VirtualMachine, value: Value) -> PyResult {
    let ctx = &vm.ctx;
    let all = |items: Vec<Value>| -> PyResult<Vec<PyObjectRef>> {
        items
            .into_iter()
            .map(|item| {
                pieces::next(vm)?;
                value_to_python(vm, item)
            })
            .collect()
    };
    Ok(match value {
        Value::None => ctx.none(),
        Value::NotImplemented => ctx.not_implemented(),
        Value::Ellipsis => ctx.ellipsis.clone().into(),
        Value::Bool(flag) => ctx.new_bool(flag).into(),
        Value::Int(int) => match int.to_i64() {
            Some(small) => ctx.new_int(small).into(),
            None => {
                let (sign, bytes) = int.to_bigint().to_bytes_be();
                let sign = match sign {
                    num_bigint::Sign::Minus => malachite_bigint::Sign::Minus,
                    _ => malachite_bigint::Sign::Plus,
                };
                ctx.new_int(malachite_bigint::BigInt::from_bytes_be(sign, &bytes))
                    .into()
            }
        },
        Value::Float(float) => ctx.new_float(float).into(),
        Value::Complex(re, im) => ctx.new_complex(num_complex::Complex64::new(re, im)).into(),
        Value::Bytes(bytes) => ctx.new_bytes(bytes.to_vec()).into(),
        Value::Str(text) => ctx.new_str(text.as_str()).into(),
        Value::Tuple(items) => ctx.new_tuple(all(items)?).into(),
        Value::FrozenSet(items) => {
            let items = all(items)?;
            pieces::frozenset(vm, items)?
        }
        Value::Slice(parts) => {
            let parts = all(parts.to_vec())?;
            ctx.types.slice_type.as_object().call(parts, vm)?
        }
        Value::Type(plain) => class_of(vm, plain).to_owned().into(),
    })
}

/// The class that the object is, if some peers take it by value.
pub(super) fn plain_type(vm: &VirtualMachine, object: &PyObject) -> Option<PlainType> {
    object.downcast_ref::<PyType>()?;
    let mut all = PlainType::ALL.into_iter();
    all.find(|plain| object.is(class_of(vm, *plain)))
}

fn class_of(vm: &VirtualMachine, plain: PlainType) -> &Py<PyType> {
    let types = &vm.ctx.types;
    match plain {
        PlainType::None => types.none_type,
        PlainType::Int => types.int_type,
        PlainType::Bool => types.bool_type,
        PlainType::Float => types.float_type,
        PlainType::Bytes => types.bytes_type,
        PlainType::Str => types.str_type,
        PlainType::Complex => types.complex_type,
        PlainType::NotImplemented => types.not_implemented_type,
        PlainType::Ellipsis => types.ellipsis_type,
        // One that a newer core knows.
        _ => types.type_type,
    }
}

/// Arguments of a call into Python.
pub(super) fn to_func_args(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    args: Args,
) -> PyResult<FuncArgs> {
    let positional = args.positional.into_iter();
    let positional = positional.map(|arg| to_python(vm, session, arg));
    let mut func_args = FuncArgs::from(positional.collect::<PyResult<Vec<_>>>()?);
    for (name, value) in args.keyword {
        let value = to_python(vm, session, value)?;
        func_args.kwargs.insert(name.as_str().into(), value);
    }
    Ok(func_args)
}

/// Arguments of a call out of Python.
pub(super) fn to_args(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    positional: &PyTuple,
    keyword: PyDictRef,
) -> PyResult<Args> {
    let positional = positional.as_slice().iter().cloned();
    let positional = positional.map(|arg| to_any(vm, session, arg));
    let mut args = Args::from(positional.collect::<Vec<_>>());
    for (name, value) in keyword {
        let name = name.downcast_ref::<PyStr>().and_then(|name| name.to_str());
        let wrong = || vm.new_value_error("a keyword argument's name isn't valid Unicode");
        let name = Str::from(name.ok_or_else(wrong)?);
        args.keyword.push((name, to_any(vm, session, value)));
    }
    Ok(args)
}

/// Deeper tuples travel by reference: a receiver refuses too deep ones, and loses the connection.
const MAX_DEPTH: usize = 60;

/// What Python reads from decimal text unless told otherwise.
const MAX_INT_DIGITS: usize = 4300;

/// More bits are certainly more digits than that.
const MAX_INT_BITS: u64 = 14_285;
