//! The names and identities of Python objects, as their id_packs carry them.

use rpyc_core::wire::Str;
use rustpython_vm::builtins::{PyModule, PyStr, PyType};
use rustpython_vm::{AsObject, PyObject, VirtualMachine};

use super::classes::Classes;

/// What the id_pack of `object` is made of (docs/wire-protocol.md, section 5): the name, the number of the
/// class, and that of the object or None.
pub(super) fn id_parts(
    vm: &VirtualMachine,
    classes: &Classes,
    object: &PyObject,
) -> (Str, u64, Option<u64>) {
    if let Some(class) = object.downcast_ref::<PyType>() {
        return (class_name(vm, object), classes.number(vm, class), None);
    }
    let name = match object.downcast_ref::<PyModule>() {
        Some(_) => module_name(vm, object),
        None => instance_name(vm, object),
    };
    let class = classes.number(vm, object.class());
    (name, class, Some(object.get_id() as u64))
}

/// `module.Class` of a class. A class without a proper module counts as a builtin one.
fn class_name(vm: &VirtualMachine, class: &PyObject) -> Str {
    let module = text_attr(vm, class, "__module__").unwrap_or(Str::from_static("builtins"));
    let name = text_attr(vm, class, "__name__").unwrap_or(Str::from_static("type"));
    Str::from(format!("{module}.{name}"))
}

/// The name of the class that the object claims: mocks and proxies claim another one than theirs.
fn instance_name(vm: &VirtualMachine, object: &PyObject) -> Str {
    let claimed = object.get_attr("__class__", vm).ok();
    match claimed.filter(|claimed| claimed.downcast_ref::<PyType>().is_some()) {
        Some(class) => class_name(vm, &class),
        None => class_name(vm, object.class().as_object()),
    }
}

/// A module goes by its own name, if that is where an import finds it.
fn module_name(vm: &VirtualMachine, module: &PyObject) -> Str {
    let Some(name) = text_attr(vm, module, "__name__") else {
        return Str::from_static("builtins.module");
    };
    let modules = vm.sys_module.get_attr("modules", vm);
    let found = modules.and_then(|modules| modules.get_item(&*name, vm));
    if found.is_ok_and(|found| found.is(module)) {
        return name;
    }
    let class = module.class().as_object();
    let defined_in = text_attr(vm, class, "__module__").unwrap_or(Str::from_static("builtins"));
    Str::from(format!("{defined_in}.{name}"))
}

fn text_attr(vm: &VirtualMachine, object: &PyObject, name: &'static str) -> Option<Str> {
    let value = object.get_attr(name, vm).ok()?;
    value.downcast_ref::<PyStr>()?.to_str().map(Str::from)
}
