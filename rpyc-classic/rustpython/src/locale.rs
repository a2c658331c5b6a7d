//! `locale.setlocale` for the thread that calls it, and with that for the session that it runs.

use rustpython_vm::{PyResult, VirtualMachine};

pub(super) use self::_rpyc_locale::module_def;

/// Puts it in the place of the interpreter's own.
pub(super) fn install(vm: &VirtualMachine) -> PyResult<()> {
    let set = vm.import("_rpyc_locale", 0)?.get_attr("setlocale", vm)?;
    vm.import("_locale", 0)?.set_attr("setlocale", set, vm)
}

#[rustpython_vm::pymodule]
mod _rpyc_locale {
    use std::ffi::CString;

    use rpyc_classic::threads::locale;
    use rustpython_vm::builtins::PyUtf8StrRef;
    use rustpython_vm::function::OptionalOption;
    use rustpython_vm::{PyResult, VirtualMachine};

    /// Sets a category of the locale, or tells its name.
    #[pyfunction]
    fn setlocale(
        category: i32,
        name: OptionalOption<PyUtf8StrRef>,
        vm: &VirtualMachine,
    ) -> PyResult<String> {
        let set = match name.flatten() {
            Some(name) => {
                let name = CString::new(name.as_str());
                let name = name.map_err(|_| vm.new_value_error("embedded null character"))?;
                locale::set(category, &name)
            }
            None => Some(()),
        };
        match set.and_then(|()| locale::name(category)) {
            Some(name) => Ok(name.to_string_lossy().into_owned()),
            None => {
                let error = vm.import("_locale", 0)?.get_attr("Error", vm)?;
                let error = error.call(("unsupported locale setting",), vm)?;
                Err(error
                    .downcast()
                    .map_err(|_| vm.new_type_error("locale.Error"))?)
            }
        }
    }
}
