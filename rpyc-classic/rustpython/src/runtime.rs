//! The interpreter, as the bridge between Python's objects and RPyC's uses it.

use std::sync::Arc;
use std::thread::LocalKey;

use bytes::Bytes;
use num_bigint::BigInt;
use num_traits::ToPrimitive;
use rpyc_classic::bridge::{Answer, Plain, Runtime, Shared, Target, int, next_piece};
use rpyc_classic::interrupt::Work;
use rpyc_classic::peer::Current;
use rpyc_core::Exception;
use rpyc_core::object::IdParts;
use rpyc_core::wire::{Str, Value};
use rustpython_vm::builtins::{
    PyBaseException, PyBaseExceptionRef, PyBytes, PyComplex, PyFloat, PyFrozenSet, PyInt, PySlice,
    PyStr, PyTuple, PyType,
};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, PyObjectRef, PyPayload, PyResult, VirtualMachine};

use super::here::{self, Here, PythonSession};
use super::memory;
use super::state::{InPlace, Parked};
use super::thread::{DeferredDrop, detached};
use super::{interned, interrupt, names, native};

impl Runtime for Here {
    type Vm<'a> = &'a VirtualMachine;
    type Object<'a> = PyObjectRef;
    type Error = PyBaseExceptionRef;
    type Held = DeferredDrop;
    type State = Box<Parked>;

    fn attached<R>(&self, work: impl FnOnce(&VirtualMachine) -> R) -> Result<R, Exception> {
        self.source.attached(work)
    }

    fn ask<R>(vm: &VirtualMachine, wait: impl FnOnce() -> R) -> Result<R, Exception> {
        Ok(detached(vm, wait))
    }

    fn in_place<R>(
        vm: &VirtualMachine,
        session: &Arc<PythonSession>,
        work: impl FnOnce(&VirtualMachine) -> R,
    ) -> PyResult<R> {
        let _state = InPlace::enter(vm, session);
        Ok(work(vm))
    }

    fn current() -> &'static LocalKey<Current<PythonSession>> {
        here::current()
    }

    fn pause(vm: &VirtualMachine) -> PyResult<()> {
        // The garbage collector, which stops all threads, gets its turn.
        detached(vm, || ());
        vm.check_signals()
    }

    fn end(&self, work: &Arc<Work>, client: String) {
        interrupt::end(&self.source, work, client);
    }

    fn session_dropped(&self) {
        memory::give_back();
        self.source.tidy();
    }

    fn hold(&self, object: PyObjectRef) -> DeferredDrop {
        DeferredDrop::new(object, &self.source)
    }

    fn held<'a>(_: Self::Vm<'a>, held: &DeferredDrop) -> Self::Object<'a> {
        held.object().clone()
    }

    fn take_apart<'a>(
        vm: Self::Vm<'a>,
        object: &Self::Object<'a>,
    ) -> Option<Plain<Self::Object<'a>>> {
        let (class, types) = (object.class(), &vm.ctx.types);
        let value = if class.is(types.str_type) {
            // A text with lone surrogates has no UTF-8.
            Value::Str(Str::from(object.downcast_ref::<PyStr>()?.to_str()?))
        } else if class.is(types.int_type) {
            let number = object.downcast_ref::<PyInt>()?.as_bigint();
            let read = || Some(BigInt::from_signed_bytes_le(&number.to_signed_bytes_le()));
            match number.to_i64() {
                Some(small) => Value::from(small),
                None => int(number.bits(), read)?,
            }
        } else if class.is(types.none_type) {
            Value::None
        } else if class.is(types.tuple_type) {
            let items = object.downcast_ref::<PyTuple>()?.as_slice();
            return Some(Plain::Tuple(items.to_vec()));
        } else if class.is(types.bool_type) {
            Value::Bool(object.is(&vm.ctx.true_value))
        } else if class.is(types.bytes_type) {
            let bytes = object.downcast_ref::<PyBytes>()?.as_bytes();
            Value::Bytes(Bytes::copy_from_slice(bytes))
        } else if class.is(types.float_type) {
            Value::Float(object.downcast_ref::<PyFloat>()?.to_f64())
        } else if class.is(types.complex_type) {
            let complex = object.downcast_ref::<PyComplex>()?.to_complex();
            Value::Complex(complex.re, complex.im)
        } else if class.is(types.not_implemented_type) {
            Value::NotImplemented
        } else if class.is(types.ellipsis_type) {
            Value::Ellipsis
        } else if class.is(types.frozenset_type) {
            let set = object.downcast_ref::<PyFrozenSet>()?;
            return Some(Plain::FrozenSet(set.elements()));
        } else if class.is(types.slice_type) {
            let slice = object.downcast_ref::<PySlice>()?;
            let part = |part: &Option<PyObjectRef>| vm.unwrap_or_none(part.clone());
            let parts = [part(&slice.start), slice.stop.clone(), part(&slice.step)];
            return Some(Plain::Slice(parts));
        } else {
            return None;
        };
        Some(Plain::Value(value))
    }

    fn make<'a>(vm: Self::Vm<'a>, plain: Plain<Self::Object<'a>>) -> PyResult<Self::Object<'a>> {
        let ctx = &vm.ctx;
        let value = match plain {
            Plain::Value(value) => value,
            Plain::Tuple(items) => return Ok(ctx.new_tuple(items).into()),
            Plain::FrozenSet(items) => return frozenset(vm, items),
            Plain::Slice(parts) => {
                return ctx.types.slice_type.as_object().call(parts.to_vec(), vm);
            }
        };
        Ok(match value {
            Value::None => ctx.none(),
            Value::NotImplemented => ctx.not_implemented(),
            Value::Ellipsis => ctx.ellipsis.clone().into(),
            Value::Bool(flag) => ctx.new_bool(flag).into(),
            Value::Int(int) => match int.to_i64() {
                Some(small) => ctx.new_int(small).into(),
                None => {
                    let bytes = int.to_bigint().to_signed_bytes_le();
                    let int = malachite_bigint::BigInt::from_signed_bytes_le(&bytes);
                    ctx.new_int(int).into()
                }
            },
            Value::Float(float) => ctx.new_float(float).into(),
            Value::Complex(re, im) => ctx.new_complex(num_complex::Complex64::new(re, im)).into(),
            Value::Bytes(bytes) => ctx.new_bytes(bytes.to_vec()).into(),
            Value::Str(text) => ctx.new_str(text.as_str()).into(),
            _ => return Err(vm.new_type_error("this is no plain value")),
        })
    }

    fn hash(vm: &VirtualMachine, object: &PyObjectRef) -> PyResult<i64> {
        object.hash(vm)
    }

    fn is(one: &PyObjectRef, other: &PyObjectRef) -> bool {
        one.is(other)
    }

    fn attr<'a>(
        vm: Self::Vm<'a>,
        object: &Self::Object<'a>,
        name: &str,
    ) -> PyResult<Self::Object<'a>> {
        object.get_attr(&vm.ctx.new_str(name), vm)
    }

    fn set_attr(
        vm: &VirtualMachine,
        object: &PyObjectRef,
        name: &str,
        value: PyObjectRef,
    ) -> PyResult<()> {
        if object.downcast_ref::<PyType>().is_some() && !interned::admit(vm, name) {
            return Err(vm.new_memory_error("no room for more names of attributes of classes"));
        }
        object.set_attr(&vm.ctx.new_str(name), value, vm)
    }

    fn del_attr(vm: &VirtualMachine, object: &PyObjectRef, name: &str) -> PyResult<()> {
        // The interpreter would keep the name, though the class has no such attribute.
        if let Some(class) = object.downcast_ref::<PyType>()
            && class.class().is(vm.ctx.types.type_type)
            && vm.ctx.interned_str(name).is_none()
        {
            let class = class.name().to_string();
            let message = format!("type object '{class}' has no attribute '{name}'");
            return Err(vm.new_attribute_error(message));
        }
        object.del_attr(&vm.ctx.new_str(name), vm)
    }

    fn call<'a>(
        vm: Self::Vm<'a>,
        function: &Self::Object<'a>,
        args: Vec<Self::Object<'a>>,
        named: Vec<(Str, Self::Object<'a>)>,
    ) -> PyResult<Self::Object<'a>> {
        let mut call = FuncArgs::from(args);
        for (name, value) in named {
            call.kwargs.insert(name.as_str().into(), value);
        }
        function.call(call, vm)
    }

    /// The sources' function would take as long as all the rest.
    fn identify(
        vm: &VirtualMachine,
        shared: &Shared<Here>,
        object: &PyObjectRef,
    ) -> PyResult<(IdParts, bool)> {
        let (name, class, instance) = names::id_parts(vm, &shared.runtime.classes, object);
        let mut hooks = HOOKS.iter().map(|hook| vm.ctx.intern_str(*hook));
        let has_hooks = hooks.any(|hook| object.class().get_attr(hook).is_some());
        Ok((shared.id_parts(name, class, instance), has_hooks))
    }

    fn is_of_metaclass(object: &PyObjectRef, metaclass: &PyObjectRef) -> bool {
        object.class().class().is(metaclass)
    }

    fn target(object: &PyObjectRef) -> Option<&Target<Here>> {
        Some(&object.downcast_ref::<native::Target>()?.0)
    }

    fn wrap<'a>(vm: Self::Vm<'a>, target: Target<Here>) -> PyResult<Self::Object<'a>> {
        Ok(native::Target(target).into_pyobject(vm))
    }

    fn wrap_answer<'a>(vm: Self::Vm<'a>, answer: Answer<Here>) -> PyResult<Self::Object<'a>> {
        Ok(native::Answer(answer).into_pyobject(vm))
    }

    fn admits_method(vm: &VirtualMachine, name: &str) -> bool {
        interned::admit(vm, name)
    }

    fn exception(_: Self::Vm<'_>, error: PyBaseExceptionRef) -> Self::Object<'_> {
        error.into()
    }

    fn error(_: &VirtualMachine, object: PyObjectRef) -> Option<PyBaseExceptionRef> {
        object.downcast::<PyBaseException>().ok()
    }

    fn own_error(vm: &VirtualMachine, class: &str, message: String) -> PyBaseExceptionRef {
        match class {
            "AttributeError" => vm.new_attribute_error(message),
            "ValueError" => vm.new_value_error(message),
            _ => vm.new_type_error(message),
        }
    }

    fn unraisable(vm: &VirtualMachine, error: PyBaseExceptionRef, function: PyObjectRef) {
        vm.run_unraisable(error, None, function);
    }

    fn class_name(object: &PyObjectRef) -> String {
        object.class().name().to_string()
    }
}

fn frozenset(vm: &VirtualMachine, items: Vec<PyObjectRef>) -> PyResult {
    if items.is_empty() {
        return Ok(vm.ctx.empty_frozenset.clone().into());
    }
    let mut ended = None;
    let pieces = items
        .into_iter()
        .map_while(|item| match next_piece::<Here>(vm) {
            Ok(()) => Some(item),
            Err(error) => {
                ended = Some(error);
                None
            }
        });
    let set = PyFrozenSet::from_iter(vm, pieces)?;
    match ended {
        Some(error) => Err(error),
        None => Ok(set.into_pyobject(vm)),
    }
}

/// By which a class decides who may do what.
const HOOKS: [&str; 3] = ["_rpyc_getattr", "_rpyc_setattr", "_rpyc_delattr"];
