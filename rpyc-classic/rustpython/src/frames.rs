//! Frames, as debuggers and stack dumps walk them.

use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

/// Makes `f_locals` of a frame that another thread runs an empty dict where RustPython raises a
/// RuntimeError: it can't read the names of a frame that is in use. Whoever walks the stacks of a
/// stuck process expects a mapping.
pub(super) fn install(vm: &VirtualMachine) -> PyResult<()> {
    let name = vm.ctx.intern_str("f_locals");
    let frames = vm.ctx.types.frame_type;
    let Some(original) = frames.get_direct_attr(name) else {
        return Ok(());
    };
    let original = original.get_attr("__get__", vm)?;
    let locals = move |frame: PyObjectRef, vm: &VirtualMachine| -> PyResult {
        let found = original.call((frame,), vm);
        match found {
            Err(error) if error.class().is(vm.ctx.exceptions.runtime_error) => {
                Ok(vm.ctx.new_dict().into())
            }
            found => found,
        }
    };
    let locals = vm.ctx.new_readonly_getset("f_locals", frames, locals);
    frames.set_attr(name, locals.into());
    Ok(())
}
