//! Classes of this interpreter that stand for a peer's classes of the same name.

use rustpython_vm::builtins::{PyType, PyTypeRef};
use rustpython_vm::{AsObject, Py, PyObjectRef, VirtualMachine};

use super::exception::loaded_attribute;

/// The builtin class of that full name, if it is one that every Python has.
///
/// Proxies of its instances need not ask the peer for methods.
pub(super) fn builtin(vm: &VirtualMachine, name: &str) -> Option<PyTypeRef> {
    let name = name.strip_prefix("builtins.")?;
    let types = &vm.ctx.types;
    let exceptions = &vm.ctx.exceptions;
    let class: &'static Py<PyType> = match name {
        "BaseException" => exceptions.base_exception_type,
        "Exception" => exceptions.exception_type,
        "NoneType" => types.none_type,
        "bool" => types.bool_type,
        "builtin_function_or_method" => types.builtin_function_or_method_type,
        "bytearray" => types.bytearray_type,
        "bytes" => types.bytes_type,
        "code" => types.code_type,
        "complex" => types.complex_type,
        "dict" => types.dict_type,
        "float" => types.float_type,
        "frame" => types.frame_type,
        "frozenset" => types.frozenset_type,
        "function" => types.function_type,
        "generator" => types.generator_type,
        "int" => types.int_type,
        "list" => types.list_type,
        "list_iterator" => types.list_iterator_type,
        "mappingproxy" => types.mappingproxy_type,
        "memoryview" => types.memoryview_type,
        "method" => types.bound_method_type,
        "method-wrapper" => types.method_wrapper_type,
        "module" => types.module_type,
        "object" => types.object_type,
        "range_iterator" => types.range_iterator_type,
        "set" => types.set_type,
        "set_iterator" => types.set_iterator_type,
        "slice" => types.slice_type,
        "str" => types.str_type,
        "traceback" => types.traceback_type,
        "tuple" => types.tuple_type,
        "tuple_iterator" => types.tuple_iterator_type,
        "type" => types.type_type,
        "wrapper_descriptor" => types.wrapper_descriptor_type,
        _ => return None,
    };
    Some(class.to_owned())
}

/// What a proxy of that name gives as its `__class__`, if this interpreter knows: the class of
/// that name in a loaded module.
pub(super) fn class_here(vm: &VirtualMachine, name: &str) -> Option<PyObjectRef> {
    if let Some(class) = builtin(vm, name) {
        return Some(class.into());
    }
    if loaded_module(vm, name) {
        return Some(vm.ctx.types.module_type.to_owned().into());
    }
    // `package.module.Class`; a nested class's name has further dots.
    let mut end = name.len();
    while let Some(dot) = name[..end].rfind('.') {
        if loaded_module(vm, &name[..dot]) {
            let found = loaded_attribute(vm, &name[..dot], &name[dot + 1..])?;
            return found.downcast_ref::<PyType>().is_some().then_some(found);
        }
        end = dot;
    }
    None
}

fn loaded_module(vm: &VirtualMachine, name: &str) -> bool {
    let modules = vm.sys_module.as_object().get_attr("modules", vm);
    modules.is_ok_and(|modules| modules.get_item(name, vm).is_ok())
}
