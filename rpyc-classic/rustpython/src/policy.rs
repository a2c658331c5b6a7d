//! The Python sources, loaded into the interpreter.

use rpyc_classic::python::{PACKAGE, SOURCES};
use rustpython_vm::scope::Scope;
use rustpython_vm::{PyPayload, PyResult, VirtualMachine};

use super::blocking;
use super::frames;
use super::library::{SUPPORT, own};
use super::stops;

/// Loads the sources into the interpreter, and makes it fit for many clients.
pub(super) fn load(vm: &VirtualMachine) -> PyResult<()> {
    stops::install(vm)?;
    blocking::install(vm)?;
    for (name, source) in OWN {
        run(vm, name, source)?
            .get_attr("install", vm)?
            .call((), vm)?;
    }
    frames::install(vm)?;
    let modules = vm.sys_module.get_attr("modules", vm)?;
    let native = vm.import("_rpyc_native", 0)?;
    modules.set_item("_rpyc_native", native, vm)?;
    let support = [(SUPPORT, include_str!("python/support.py"))];
    for (name, source) in SOURCES.iter().chain(&support) {
        let module = run(vm, name, source)?;
        modules.set_item(*name, module, vm)?;
    }
    let offered = vm.ctx.new_dict();
    for &(name, is_package, source) in PACKAGE {
        let is_package = vm.ctx.new_bool(is_package).into();
        let source = vm.ctx.new_str(source).into();
        let entry = vm.ctx.new_tuple(vec![is_package, source]);
        offered.set_item(name, entry.into(), vm)?;
    }
    own(vm, "offer_package")?.call((offered,), vm)?;
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

/// What is RustPython's own among the sources, and is run for its effect.
const OWN: [(&str, &str); 4] = [
    ("_rpyc_guards", include_str!("python/guards.py")),
    ("_rpyc_hooks", include_str!("python/hooks.py")),
    ("_rpyc_os_functions", include_str!("python/os_functions.py")),
    ("_rpyc_foreign", include_str!("python/foreign.py")),
];
