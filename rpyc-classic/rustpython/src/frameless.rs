//! Calls of builtin functions that look at their caller, where that is a peer and has no frame.

use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyResult, VirtualMachine};

use super::modules;

/// Calls `function`. What depends on the names around the call sees those of `namespace`, as at
/// the top level of a module: without a frame it would find none and panic.
pub(super) fn call(
    vm: &VirtualMachine,
    function: &PyObject,
    mut args: FuncArgs,
    namespace: impl FnOnce() -> PyObjectRef,
) -> PyResult {
    let name = match name_of_builtin(vm, function) {
        Some(name) if rustpython_vm::frame::current_code().is_none() => name,
        _ => return function.call(args, vm),
    };
    let is_bare = args.args.is_empty() && args.kwargs.is_empty();
    match &*name {
        "eval" | "exec" if args.args.len() == 1 && !args.kwargs.contains_key("globals") => {
            args.args.push(namespace());
            function.call(args, vm)
        }
        "globals" | "locals" | "vars" if is_bare => Ok(namespace()),
        "dir" if is_bare => {
            let names = vm
                .ctx
                .types
                .list_type
                .as_object()
                .call((namespace(),), vm)?;
            vm.call_method(&names, "sort", ())?;
            Ok(names)
        }
        _ => function.call(args, vm),
    }
}

/// The name of a function of `builtins`.
fn name_of_builtin(vm: &VirtualMachine, function: &PyObject) -> Option<String> {
    if !function
        .class()
        .is(vm.ctx.types.builtin_function_or_method_type)
    {
        return None;
    }
    let name = function.get_attr("__name__", vm).ok()?;
    let name = name.str(vm).ok()?.to_str()?.to_owned();
    let same = modules::builtin(vm, &name).ok()?;
    same.is(function).then_some(name)
}
