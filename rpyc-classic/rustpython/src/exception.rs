//! Python exceptions to RPyC's and back.

use std::sync::Arc;

use rpyc_core::Exception;
use rpyc_core::args;
use rpyc_core::object::{Any, Args, Context, Netref, Raised};
use rpyc_core::wire::{Str, Value};
use rustpython_vm::builtins::{PyBaseException, PyBaseExceptionRef, PyStr, PyType};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyResult, VirtualMachine};

use super::convert::{to_python, to_value, value_to_python};
use super::embed::Acting;
use super::object::{escaped_place, text};
use super::session::PythonSession;
use super::{modules, names, sources};

/// What was raised, as it goes to a peer; the session remembers its traceback.
pub(super) fn to_exception(
    vm: &VirtualMachine,
    session: Option<&Arc<PythonSession>>,
    raised: &PyBaseExceptionRef,
) -> Exception {
    if raised.class().is(vm.ctx.exceptions.stop_iteration) {
        return Exception::stop_iteration();
    }
    if let (Some(session), Some(traceback)) = (session, raised.__traceback__()) {
        session.remember_traceback(traceback.into());
    }
    let (module, class) = class_parts(vm, raised.class());
    // Python's constructor knows what was given from what wasn't; set to None afterwards, it is shown:
    // "[Errno None] None: None -> None".
    let is_system_error =
        &*module == "builtins" && raised.class().fast_issubclass(vm.ctx.exceptions.os_error);
    let mut exception = Exception::new(module, class);
    for arg in arguments(vm, raised) {
        exception = exception.with_arg(value_or_repr(vm, &arg));
    }
    for (name, value) in public_attributes(vm, raised) {
        if !(is_system_error && value == Value::None) {
            exception = exception.with_attr(name, value);
        }
    }
    exception.with_traceback(traceback_text(vm, raised))
}

/// The module and the name of the class, as the peer is told them.
fn class_parts(vm: &VirtualMachine, class: &Py<PyType>) -> (Str, Str) {
    // The peer's own class comes back to it under its own name.
    if let Some((module, name)) = modules::origin(vm, class) {
        return (module, name);
    }
    let name = names::class_name(vm, class.as_object());
    let (module, class_name) = match name.rsplit_once('.') {
        Some((module, class)) => (Str::from(module), Str::from(class)),
        None => (Str::from_static("builtins"), name.clone()),
    };
    // Python's rpyc makes exceptions without arguments and loses one to which that can't be done,
    // unless it doesn't know the class.
    if class.fast_issubclass(vm.ctx.exceptions.base_exception_group) {
        return (Str::from(format!("{module}{GROUPS}")), class_name);
    }
    (module, class_name)
}

/// The arguments, as CPython has them.
fn arguments(vm: &VirtualMachine, raised: &PyBaseExceptionRef) -> Vec<PyObjectRef> {
    let mut args = raised.args().as_slice().to_vec();
    let exceptions = &vm.ctx.exceptions;
    let class = raised.class();
    if class.fast_issubclass(exceptions.os_error) && args.len() == 5 {
        // What RustPython itself raises has the file names among them.
        args.truncate(2);
    }
    if class.fast_issubclass(exceptions.syntax_error) && args.len() == 1 {
        let place = [
            "filename",
            "lineno",
            "offset",
            "text",
            "end_lineno",
            "end_offset",
        ];
        let place = place.map(|name| raised.as_object().get_attr(name, vm));
        if let Ok(mut place) = place.into_iter().collect::<PyResult<Vec<_>>>()
            && !vm.is_none(&place[1])
        {
            if let Some(file) = place[0]
                .downcast_ref::<PyStr>()
                .and_then(|file| file.to_str())
            {
                place[0] = vm.ctx.new_str(sources::as_python_name(file)).into();
            }
            args.push(vm.ctx.new_tuple(place).into());
        }
    }
    args
}

/// The attributes that go along, with their values or else their reprs.
fn public_attributes(vm: &VirtualMachine, raised: &PyBaseExceptionRef) -> Vec<(Str, Value)> {
    let Ok(names) = vm.dir(Some(raised.clone().into())) else {
        return Vec::new();
    };
    let names = names.borrow_vec().to_vec();
    let names = names.iter().filter_map(|name| name.downcast_ref::<PyStr>());
    let public = names.filter(|name| {
        let name = name.to_str().unwrap_or("_");
        // `name_from` is RustPython's.
        !name.starts_with('_') && !matches!(name, "args" | "with_traceback" | "name_from")
    });
    let attribute = |name: &Py<PyStr>| {
        let value = raised.as_object().get_attr(name, vm).ok()?;
        // A method's text would hide the method at the receiver.
        if value.is_callable() && is_method(vm, raised.class(), name) {
            return None;
        }
        let value = match value_or_repr(vm, &value) {
            // A SyntaxError's file.
            Value::Str(text) => Value::from(sources::as_python_name(&text)),
            value => value,
        };
        // Python's rpyc loses an exception to a text in one of these, which are ints in C.
        let is_int = matches!(value, Value::Int(_));
        let needs_int = matches!(name.to_str()?, "start" | "end" | "characters_written");
        if needs_int && !is_int && is_built_in(vm, raised.class()) {
            return None;
        }
        Some((text(name), value))
    };
    let mut attributes: Vec<_> = public.filter_map(attribute).collect();
    if raised.fast_isinstance(vm.ctx.exceptions.unicode_error) {
        place_in_escaped(vm, raised, &mut attributes);
    }
    attributes
}

fn is_method(vm: &VirtualMachine, class: &Py<PyType>, name: &Py<PyStr>) -> bool {
    let of_class = class.as_object().get_attr(name, vm);
    of_class.is_ok_and(|of_class| of_class.is_callable())
}

/// Whether CPython keeps attributes of such an exception in C.
fn is_built_in(vm: &VirtualMachine, class: &Py<PyType>) -> bool {
    let exceptions = &vm.ctx.exceptions;
    class.fast_issubclass(exceptions.unicode_error) || class.fast_issubclass(exceptions.os_error)
}

/// What couldn't be encoded travels with escapes for lone surrogates: its place is that in the
/// escaped text.
fn place_in_escaped(
    vm: &VirtualMachine,
    raised: &PyBaseExceptionRef,
    attributes: &mut [(Str, Value)],
) {
    let object = raised.as_object().get_attr("object", vm).ok();
    let Some(object) = object.and_then(|object| object.downcast::<PyStr>().ok()) else {
        return;
    };
    if object.to_str().is_some() {
        return;
    }
    for (name, value) in attributes {
        if let ("start" | "end", Value::Int(place)) = (&**name, &*value) {
            let place = place.to_i64().unwrap_or_default();
            *value = Value::from(escaped_place(&object, place));
        }
    }
}

fn value_or_repr(vm: &VirtualMachine, object: &PyObject) -> Value {
    if let Some(value) = to_value(vm, object) {
        return value;
    }
    if object.class().is(vm.ctx.types.str_type)
        && let Some(surrogates) = object.downcast_ref::<PyStr>()
    {
        return Value::Str(text(surrogates));
    }
    match object.repr(vm) {
        Ok(repr) => Value::Str(text(&repr)),
        Err(_) => Value::from(format!("<unprintable {} object>", object.class().name())),
    }
}

/// The traceback as Python prints it, from the exception's chain and notes to its own line.
fn traceback_text(vm: &VirtualMachine, raised: &PyBaseExceptionRef) -> String {
    let formatted = || -> PyResult<String> {
        let traceback = modules::library(vm, "traceback")?;
        let format = traceback.get_attr("format_exception", vm)?;
        let mut args = FuncArgs::from(vec![PyObjectRef::from(raised.clone())]);
        if is_deep(vm, raised) {
            args.kwargs
                .insert("limit".into(), vm.ctx.new_int(-MAX_FRAMES).into());
        }
        let lines = format.call(args, vm)?;
        let lines: Vec<PyObjectRef> = lines.try_to_value(vm)?;
        let lines = lines.iter().filter_map(|line| line.downcast_ref::<PyStr>());
        Ok(lines.map(|line| text(line).to_string()).collect())
    };
    let text = formatted().unwrap_or_else(|_| {
        // Out of stack, or a client has broken the module.
        let mut plain = String::new();
        let _ = vm.write_exception(&mut plain, raised);
        plain
    });
    sources::as_python_names(text)
}

/// Whether there are more frames than anybody reads: hundreds of thousands, which take a minute to
/// format, when a client has lifted the recursion limit.
fn is_deep(vm: &VirtualMachine, raised: &PyBaseExceptionRef) -> bool {
    let mut next = raised.__traceback__().map(PyObjectRef::from);
    for _ in 0..MAX_FRAMES {
        match next {
            Some(traceback) if !vm.is_none(&traceback) => {
                next = traceback.get_attr("tb_next", vm).ok();
            }
            _ => return false,
        }
    }
    true
}

/// The exception in Python, to be raised.
pub(super) fn to_python_exception(
    vm: &VirtualMachine,
    exception: &Exception,
) -> PyBaseExceptionRef {
    if exception.is("StopIteration") {
        return vm.new_stop_iteration(None);
    }
    build(vm, exception).unwrap_or_else(|failure| failure)
}

fn build(vm: &VirtualMachine, exception: &Exception) -> PyResult<PyBaseExceptionRef> {
    let new_str = |text: &str| -> PyObjectRef { vm.ctx.new_str(text).into() };
    let value = |value: &Value| value_to_python(vm, value.clone());
    let args = exception.args().iter().map(value);
    let args = vm.ctx.new_tuple(args.collect::<PyResult<Vec<_>>>()?);
    let attrs = exception.attrs().iter().map(|(name, held)| {
        let pair = vec![new_str(name), value(held)?];
        Ok(vm.ctx.new_tuple(pair).into())
    });
    let attrs = vm.ctx.new_list(attrs.collect::<PyResult<Vec<_>>>()?);
    let traceback = exception.traceback().map(|text| new_str(text));
    let (instantiate, may_import) =
        Acting::current().map_or((true, false), |session| session.custom_exceptions());
    let parts = vec![
        new_str(exception.module()),
        new_str(exception.class()),
        args.into(),
        attrs.into(),
        vm.unwrap_or_none(traceback),
        vm.ctx.new_bool(instantiate).into(),
        vm.ctx.new_bool(may_import).into(),
    ];
    let raised = modules::exceptions(vm, "load")?.call(parts, vm)?;
    raised
        .downcast()
        .map_err(|_| vm.new_type_error("not an exception"))
}

/// An instance of the class with those arguments, without running its `__init__`.
fn instance(
    vm: &VirtualMachine,
    class: &PyObject,
    args: Vec<PyObjectRef>,
) -> PyResult<PyBaseExceptionRef> {
    let args = vm.ctx.new_tuple(args);
    let made = modules::exceptions(vm, "instance")?.call((class.to_owned(), args), vm)?;
    made.downcast()
        .map_err(|_| vm.new_type_error("not an exception"))
}

/// The attribute of a module that is loaded already.
pub(super) fn loaded_attribute(
    vm: &VirtualMachine,
    module: &str,
    name: &str,
) -> Option<PyObjectRef> {
    let module = match module {
        // Python 2's name for it.
        "exceptions" | "builtins" => {
            if let Ok(builtin) = modules::builtin(vm, name) {
                return Some(builtin);
            }
            vm.builtins.as_object().to_owned()
        }
        module => {
            let modules = vm.sys_module.get_attr("modules", vm).ok()?;
            modules.get_item(module, vm).ok()?
        }
    };
    module.get_attr(&vm.ctx.new_str(name), vm).ok()
}

/// The exception that a context manager is left with: None on a clean exit.
///
/// Python's rpyc sends the class alone, by reference: then it is a new instance of the class of that
/// name here, with the arguments of the exception if they can be had.
pub(super) fn leaving(
    vm: &VirtualMachine,
    cx: &Context<'_>,
    session: &Arc<PythonSession>,
    exc: Any,
) -> PyResult<Option<PyBaseExceptionRef>> {
    if let Some(raised) = Raised::of(&exc) {
        return Ok(Some(to_python_exception(vm, raised)));
    }
    let netref = match exc {
        Any::Netref(netref) => netref,
        other => {
            let exc = to_python(vm, session, other)?;
            if vm.is_none(&exc) {
                return Ok(None);
            }
            if let Some(class) = exc.downcast_ref::<PyType>() {
                return instance(vm, class.as_object(), Vec::new()).map(Some);
            }
            let exc = exc.downcast::<PyBaseException>();
            return exc
                .map(Some)
                .map_err(|_| vm.new_type_error("__exit__ needs an exception"));
        }
    };
    let is_nameless = matches!(
        &*netref.id_pack().name,
        "builtins.type" | "__builtin__.type"
    );
    let name = match is_nameless {
        false => netref.id_pack().name.to_string(),
        true => super::thread::detached(vm, || name_of_class(&netref)),
    };
    let (module, class) = name.rsplit_once('.').unwrap_or(("builtins", &name));
    let full_name = (vm.ctx.new_str(module), vm.ctx.new_str(class));
    let class = modules::exceptions(vm, "find_class")?.call(full_name, vm)?;
    let sent = super::thread::detached(vm, || match netref.is_class() || is_nameless {
        true => args_of_current(cx, &netref),
        false => netref.attr("args").ok(),
    });
    let items = sent
        .and_then(|sent| sent.into_items().ok())
        .unwrap_or_default();
    let items = items.into_iter().map(|item| to_python(vm, session, item));
    let args = items.collect::<PyResult<Vec<_>>>()?;
    // What the class makes of its arguments, `errno` of an OSError, say, is there this way.
    let made = class.call(args.clone(), vm).ok();
    match made.and_then(|made| made.downcast::<PyBaseException>().ok()) {
        Some(made) => Ok(Some(made)),
        None => instance(vm, &class, args).map(Some),
    }
}

/// The name of a class that goes by that of its own class, as all do with rpyc 4.0 and older. A client that isn't a
/// classic one doesn't tell it.
fn name_of_class(class: &Netref) -> String {
    let text = |name: &str| {
        let text = class.attr(name).ok()?;
        match text {
            Any::Value(Value::Str(text)) => Some(text.to_string()),
            Any::Value(Value::Bytes(text)) => String::from_utf8(text.to_vec()).ok(),
            _ => None,
        }
    };
    match (text("__module__"), text("__name__")) {
        (Some(module), Some(class)) => format!("{module}.{class}"),
        _ => "builtins.Exception".to_owned(),
    }
}

/// The arguments of the exception that the peer is leaving its `with` block by, which it is still
/// handling: a full classic client lets its `sys.exc_info()` be asked. None from others.
fn args_of_current(cx: &Context<'_>, class: &Netref) -> Option<Any> {
    let root = cx.connection().root().ok()?;
    let sys = root.call_method("getmodule", args!["sys"]).ok()?;
    let current = sys.call_method("exc_info", Args::new()).ok()?;
    let current = current.into_items().ok()?;
    let is_that = current.first()?.as_netref()? == class;
    is_that.then(|| current.get(1)?.attr("args").ok())?
}

/// What the modules of groups are said to end with, so that no Python has them.
const GROUPS: &str = ".groups";

/// The last frames of a deep traceback are told, so many.
const MAX_FRAMES: i64 = 2000;
