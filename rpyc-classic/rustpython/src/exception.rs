//! Python exceptions to RPyC's and back.

use std::sync::Arc;

use rpyc_core::Exception;
use rpyc_core::wire::{Str, Value};
use rustpython_vm::builtins::{PyBaseExceptionRef, PyStr};
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyResult, VirtualMachine};

use super::convert::{to_value, value_to_python};
use super::session::{PythonSession, Shared, custom_exceptions};
use super::text::text;

/// What was raised, as it goes to a peer; the session remembers its traceback.
pub(super) fn to_exception(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    raised: &PyBaseExceptionRef,
) -> Exception {
    if raised.class().is(vm.ctx.exceptions.stop_iteration) {
        return Exception::stop_iteration();
    }
    match describe(vm, session.shared(), raised) {
        Ok((exception, trail)) => {
            session.remember_traceback(vm, trail);
            exception
        }
        // Out of stack, or of memory.
        Err(error) => {
            let name = Str::from(&*raised.class().name());
            let what = format!("it can't be described: {}", error.class().name());
            Exception::new(Str::from_static("builtins"), name).with_arg(what)
        }
    }
}

/// The exception as it goes to a peer, and its traceback.
pub(super) fn describe(
    vm: &VirtualMachine,
    shared: &Shared,
    raised: &PyBaseExceptionRef,
) -> PyResult<(Exception, PyObjectRef)> {
    let raised: PyObjectRef = raised.clone().into();
    let parts = shared
        .policy()
        .describe
        .object()
        .call((raised.clone(),), vm)?;
    let parts: Vec<PyObjectRef> = parts.try_to_value(vm)?;
    let [module, class, args, attributes, traceback, trail] = &parts[..] else {
        return Err(vm.new_type_error("an exception has six parts"));
    };
    let text_of =
        |object: &PyObjectRef| object.downcast_ref::<PyStr>().map(text).unwrap_or_default();
    let value_of = |object: &PyObjectRef| to_value(vm, object).unwrap_or(Value::None);
    let args: Vec<PyObjectRef> = args.try_to_value(vm)?;
    let mut args: Vec<Value> = args.iter().map(value_of).collect();
    let attributes: Vec<PyObjectRef> = attributes.try_to_value(vm)?;
    let mut named = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        let pair: Vec<PyObjectRef> = attribute.try_to_value(vm)?;
        if let [name, value] = &pair[..] {
            named.push((text_of(name), value_of(value)));
        }
    }
    as_cpython_has_them(vm, &raised, &mut args, &mut named);
    let mut exception = Exception::new(text_of(module), text_of(class));
    for arg in args {
        exception = exception.with_arg(arg);
    }
    for (name, value) in named {
        exception = exception.with_attr(name, value);
    }
    Ok((exception.with_traceback(text_of(traceback)), trail.clone()))
}

/// What RustPython keeps elsewhere than CPython: a peer's classes are CPython's.
fn as_cpython_has_them(
    vm: &VirtualMachine,
    raised: &PyObject,
    args: &mut Vec<Value>,
    attributes: &mut Vec<(Str, Value)>,
) {
    let exceptions = &vm.ctx.exceptions;
    let class = raised.class();
    let is_system_error = class.fast_issubclass(exceptions.os_error);
    if is_system_error && args.len() == 5 {
        // What RustPython itself raises has the file names among them.
        args.truncate(2);
    }
    if class.fast_issubclass(exceptions.syntax_error) && args.len() == 1 {
        let value = |name: &&str| {
            let found = attributes.iter().find(|(known, _)| **known == **name);
            found.map(|(_, value)| value.clone())
        };
        let place: Option<Vec<Value>> = PLACE.iter().map(value).collect();
        if let Some(place) = place.filter(|place| place[1] != Value::None) {
            args.push(Value::Tuple(place));
        }
    }
    // Python's rpyc loses an exception to a text in one of these, which are ints in C.
    if is_system_error || class.fast_issubclass(exceptions.unicode_error) {
        attributes.retain(|(name, value)| {
            let is_int = matches!(value, Value::Int(_));
            is_int || !matches!(&**name, "start" | "end" | "characters_written")
        });
    }
}

/// The exception in Python, to be raised.
pub(super) fn raise(
    vm: &VirtualMachine,
    shared: &Shared,
    exception: &Exception,
) -> PyBaseExceptionRef {
    if exception.is("StopIteration") {
        return vm.new_stop_iteration(None);
    }
    rebuild(vm, shared, exception).unwrap_or_else(|failure| failure)
}

fn rebuild(
    vm: &VirtualMachine,
    shared: &Shared,
    exception: &Exception,
) -> PyResult<PyBaseExceptionRef> {
    let new_str = |text: &str| -> PyObjectRef { vm.ctx.new_str(text).into() };
    let value = |value: &Value| value_to_python(vm, value.clone());
    let args = exception.args().iter().map(value);
    let args = vm.ctx.new_tuple(args.collect::<PyResult<Vec<_>>>()?);
    let attributes = exception.attrs().iter().map(|(name, held)| {
        let pair = vec![new_str(name), value(held)?];
        Ok(vm.ctx.new_tuple(pair).into())
    });
    let attributes = vm.ctx.new_list(attributes.collect::<PyResult<Vec<_>>>()?);
    let traceback = exception.traceback().map(|text| new_str(text));
    let (instantiate, may_import) = custom_exceptions();
    let parts = vec![
        new_str(exception.module()),
        new_str(exception.class()),
        args.into(),
        attributes.into(),
        vm.unwrap_or_none(traceback),
        vm.ctx.new_bool(instantiate).into(),
        vm.ctx.new_bool(may_import).into(),
    ];
    let raised = shared.policy().rebuild.object().call(parts, vm)?;
    raised
        .downcast()
        .map_err(|_| vm.new_type_error("not an exception"))
}

/// Where a SyntaxError is, in the order of its second argument.
const PLACE: [&str; 6] = [
    "filename",
    "lineno",
    "offset",
    "text",
    "end_lineno",
    "end_offset",
];
