//! The part of this crate that is written in Python, and the modules that clients expect.

use rpyc_classic::python::{
    EXCEPTIONS as EXCEPTIONS_SOURCE, PACKAGE, PLAIN_NAMES as PLAIN_NAMES_SOURCE,
};
use rpyc_core::wire::Str;
use rustpython_vm::builtins::{PyStr, PyTuple, PyType};
use rustpython_vm::scope::Scope;
use rustpython_vm::{Py, PyObjectRef, PyPayload, PyResult, VirtualMachine};

use super::frames;

/// Makes `_rpyc_support` and the small `rpyc` package importable.
pub(super) fn install(vm: &VirtualMachine) -> PyResult<()> {
    // Native classes exist from the first import of their module on.
    vm.import("_rpyc_native", 0)?;
    let guards = run(vm, "_rpyc_guards", include_str!("python/guards.py"))?;
    guards.get_attr("install", vm)?.call((), vm)?;
    let hooks = run(vm, "_rpyc_hooks", include_str!("python/hooks.py"))?;
    hooks.get_attr("install", vm)?.call((), vm)?;
    let functions = run(
        vm,
        "_rpyc_os_functions",
        include_str!("python/os_functions.py"),
    )?;
    functions.get_attr("install", vm)?.call((), vm)?;
    let foreign = run(vm, "_rpyc_foreign", include_str!("python/foreign.py"))?;
    foreign.get_attr("install", vm)?.call((), vm)?;
    frames::install(vm)?;
    let support = run(vm, SUPPORT, include_str!("python/support.py"))?;
    let modules = vm.sys_module.get_attr("modules", vm)?;
    modules.set_item(SUPPORT, support.clone(), vm)?;
    let exceptions = run(vm, EXCEPTIONS, EXCEPTIONS_SOURCE)?;
    modules.set_item(EXCEPTIONS, exceptions, vm)?;
    let plain_names = run(vm, PLAIN_NAMES, PLAIN_NAMES_SOURCE)?;
    modules.set_item(PLAIN_NAMES, plain_names, vm)?;

    let sources = vm.ctx.new_dict();
    let own = [
        (
            "rpyc.core.copying",
            false,
            include_str!("python/copying.py"),
        ),
        ("rpyc.utils.teleportation", false, TELEPORTATION),
    ];
    for &(name, is_package, source) in PACKAGE.iter().chain(&own) {
        let is_package = vm.ctx.new_bool(is_package).into();
        let source = vm.ctx.new_str(source).into();
        let entry = vm.ctx.new_tuple(vec![is_package, source]);
        sources.set_item(name, entry.into(), vm)?;
    }
    support.get_attr("install", vm)?.call((sources,), vm)?;
    Ok(())
}

/// The module of that name, made of its source.
fn run(vm: &VirtualMachine, name: &str, source: &str) -> PyResult {
    let namespace = vm.ctx.new_dict();
    namespace.set_item("__name__", vm.ctx.new_str(name).into(), vm)?;
    // Builtins of its own: clients may delete or replace those that all share.
    let builtins = vm.builtins.dict().copy().into_ref(&vm.ctx);
    namespace.set_item("__builtins__", builtins.into(), vm)?;
    let module = vm.new_module(name, namespace.clone(), None);
    let scope = Scope::with_builtins(None, namespace, vm);
    vm.run_string(scope, source, &format!("<{name}>"))?;
    Ok(module.into())
}

/// The module and the name of the peer's class that `class` stands for, if it does.
pub(super) fn origin(vm: &VirtualMachine, class: &Py<PyType>) -> Option<(Str, Str)> {
    let origin = class.get_attr(vm.ctx.intern_str("_rpyc_origin"))?;
    let origin = origin.downcast_ref::<PyTuple>()?;
    let text = |place: usize| {
        let text: &PyStr = origin.as_slice().get(place)?.downcast_ref::<PyStr>()?;
        text.to_str().map(Str::from)
    };
    Some((text(0)?, text(1)?))
}

/// The class of proxies' classes: their repr says what they are.
pub(super) fn netref_metaclass(vm: &VirtualMachine) -> PyResult {
    support(vm, "NetrefMetaclass")
}

pub(super) fn support(vm: &VirtualMachine, name: &'static str) -> PyResult<PyObjectRef> {
    member(vm, SUPPORT, name)
}

/// A function for exceptions of peers.
pub(super) fn exceptions(vm: &VirtualMachine, name: &'static str) -> PyResult<PyObjectRef> {
    member(vm, EXCEPTIONS, name)
}

/// The function that makes text of a call's names.
pub(super) fn names_as_text(vm: &VirtualMachine) -> PyResult<PyObjectRef> {
    member(vm, PLAIN_NAMES, "as_text")
}

/// A function for copies of peers' objects.
pub(super) fn copying(vm: &VirtualMachine, name: &'static str) -> PyResult<PyObjectRef> {
    library(vm, COPYING)?.get_attr(name, vm)
}

fn member(vm: &VirtualMachine, module: &str, name: &'static str) -> PyResult<PyObjectRef> {
    let modules = vm.sys_module.get_attr("modules", vm)?;
    modules.get_item(module, vm)?.get_attr(name, vm)
}

/// The module of that name, if it has been imported, and whole.
pub(super) fn loaded(vm: &VirtualMachine, name: &str) -> Option<PyObjectRef> {
    let modules = vm.sys_module.get_attr("modules", vm).ok()?;
    let module = modules.get_item(name, vm).ok()?;
    let spec = module.get_attr("__spec__", vm).ok()?;
    let half_done = match spec.get_attr("_initializing", vm) {
        Ok(initializing) => initializing.is_true(vm).ok()?,
        Err(_) => false,
    };
    (!half_done).then_some(module)
}

/// A module that is needed here, whatever clients have made of `import`.
pub(super) fn library(vm: &VirtualMachine, name: &'static str) -> PyResult {
    match loaded(vm, name) {
        Some(module) => Ok(module),
        None => {
            // What it returns is the package above.
            builtin(vm, "__import__")?.call((vm.ctx.new_str(name),), vm)?;
            let modules = vm.sys_module.get_attr("modules", vm)?;
            modules.get_item(name, vm)
        }
    }
}

/// A builtin as it was at the start, whatever clients have made of it.
pub(super) fn builtin(vm: &VirtualMachine, name: &str) -> PyResult<PyObjectRef> {
    support(vm, "BUILTINS")?.get_item(name, vm)
}

const SUPPORT: &str = "_rpyc_support";
const EXCEPTIONS: &str = "_rpyc_exceptions";
const PLAIN_NAMES: &str = "_rpyc_plain_names";
const COPYING: &str = "rpyc.core.copying";

const TELEPORTATION: &str = include_str!("python/teleportation.py");
