//! Modules of the interpreter that Rust needs, whatever clients have made of `import`.

use rustpython_vm::builtins::PyDict;
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

/// The module of that name.
pub(super) fn library(vm: &VirtualMachine, name: &'static str) -> PyResult {
    if let Some(module) = loaded(vm, name) {
        return Ok(module);
    }
    // What it returns is the package above.
    let import = own(vm, "BUILTINS")?.get_item("__import__", vm)?;
    import.call((vm.ctx.new_str(name),), vm)?;
    vm.sys_module.get_attr("modules", vm)?.get_item(name, vm)
}

/// The same, if it has been imported, and whole.
fn loaded(vm: &VirtualMachine, name: &str) -> Option<PyObjectRef> {
    let modules = vm.sys_module.get_attr("modules", vm).ok()?;
    let module = modules
        .downcast_ref::<PyDict>()?
        .get_item_opt(name, vm)
        .ok()??;
    let spec = module.get_attr("__spec__", vm).ok()?;
    let half_done = match spec.get_attr("_initializing", vm) {
        Ok(initializing) => initializing.is_true(vm).ok()?,
        Err(_) => false,
    };
    (!half_done).then_some(module)
}

/// A name of RustPython's own module of the sources, [`SUPPORT`].
pub(super) fn own(vm: &VirtualMachine, name: &'static str) -> PyResult {
    member(vm, SUPPORT, name)
}

/// A name of a module that is loaded.
pub(super) fn member(vm: &VirtualMachine, module: &str, name: &'static str) -> PyResult {
    let modules = vm.sys_module.get_attr("modules", vm)?;
    modules.get_item(module, vm)?.get_attr(name, vm)
}

/// What is RustPython's own of the sources, and used by Rust.
pub(super) const SUPPORT: &str = "_rpyc_support";
