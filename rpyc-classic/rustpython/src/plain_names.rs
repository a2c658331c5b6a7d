//! Names in calls of peers whose names come as bytes: text is made of them.

use rustpython_vm::builtins::{PyDictRef, PyStr, PyTupleRef};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyResult, VirtualMachine};

/// The arguments of the call of a peer's, with text for names, as the sources' function makes it.
/// `namespace` is what the peer's own code runs in.
pub(super) fn as_text(
    vm: &VirtualMachine,
    names_as_text: &PyObject,
    namespace: PyObjectRef,
    function: &PyObjectRef,
    args: FuncArgs,
) -> PyResult<FuncArgs> {
    let named = vm.ctx.new_dict();
    for (name, value) in args.kwargs {
        named.set_item(vm.ctx.new_str(name).as_object(), value, vm)?;
    }
    let positional = vm.ctx.new_tuple(args.args);
    let call = (function.clone(), namespace, positional, named);
    let call = names_as_text.call(call, vm)?;
    let args: PyTupleRef = call.get_item(&0, vm)?.try_into_value(vm)?;
    let kwargs: PyDictRef = call.get_item(&1, vm)?.try_into_value(vm)?;
    let mut call = FuncArgs::from(args.to_vec());
    for (name, value) in kwargs {
        if let Some(name) = name.downcast_ref::<PyStr>() {
            call.kwargs.insert(name.as_wtf8().to_owned(), value);
        }
    }
    Ok(call)
}
