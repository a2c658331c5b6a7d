//! The native module that the Python sources stand on: `_rpyc_native.pyi` is its contract.

use std::sync::Arc;

use rpyc_classic::bridge::{self, Shared};
use rustpython_vm::builtins::PyBytesRef;
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

pub(super) use self::_rpyc_native::{Answer, Target, module_def};
use super::here::Here;

#[rustpython_vm::pymodule]
mod _rpyc_native {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    use std::ffi::CString;

    use rpyc_classic::bridge;
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    use rustpython_vm::builtins::PyUtf8StrRef;
    use rustpython_vm::function::OptionalOption;
    use rustpython_vm::{Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};

    use super::super::here::Here;

    /// What a netref stands for.
    #[pyattr]
    #[pyclass(module = "_rpyc_native", name = "Target")]
    #[derive(Debug, PyPayload)]
    pub(in super::super) struct Target(pub(in super::super) bridge::Target<Here>);

    #[pyclass]
    impl Target {
        #[pygetset]
        fn name(zelf: &Py<Self>) -> String {
            zelf.0.name().to_string()
        }

        #[pygetset]
        fn is_class(zelf: &Py<Self>) -> bool {
            zelf.0.is_class()
        }

        #[pygetset]
        fn runs_code(zelf: &Py<Self>) -> bool {
            zelf.0.runs_code()
        }

        #[pygetset]
        fn key(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.0.key(vm)
        }

        #[pygetset]
        fn address(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.0.address(vm)
        }

        #[pygetset]
        fn id_pack(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.0.id_pack(vm)
        }

        #[pymethod]
        fn connection(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.0.connection(vm)
        }

        #[pymethod]
        fn methods(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.0.methods(vm)
        }

        #[pymethod]
        fn attr(zelf: PyRef<Self>, name: PyObjectRef, vm: &VirtualMachine) -> PyResult {
            zelf.0.attr(vm, &name)
        }

        #[pymethod]
        fn call(
            zelf: PyRef<Self>,
            args: PyObjectRef,
            pairs: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult {
            zelf.0.call(vm, &args, &pairs)
        }

        #[pymethod]
        fn call_method(
            zelf: PyRef<Self>,
            name: PyObjectRef,
            args: PyObjectRef,
            pairs: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult {
            zelf.0.call_method(vm, &name, &args, &pairs)
        }

        #[pymethod]
        fn request(
            zelf: PyRef<Self>,
            handler: i64,
            args: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult {
            zelf.0.request(vm, handler, &args)
        }

        #[pymethod]
        fn request_later(
            zelf: PyRef<Self>,
            handler: i64,
            args: PyObjectRef,
            seconds: OptionalOption<f64>,
            vm: &VirtualMachine,
        ) -> PyResult {
            let seconds = seconds.flatten();
            zelf.0.request_later(vm, handler, &args, seconds)
        }
    }

    /// The answer to a request, now or later.
    #[pyattr]
    #[pyclass(module = "_rpyc_native", name = "Answer")]
    #[derive(Debug, PyPayload)]
    pub(in super::super) struct Answer(pub(in super::super) bridge::Answer<Here>);

    #[pyclass]
    impl Answer {
        #[pymethod]
        fn wait(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult<bool> {
            zelf.0.wait(vm)
        }

        #[pymethod]
        fn value(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.0.value(vm)
        }

        #[pymethod]
        fn ready(zelf: PyRef<Self>) -> bool {
            zelf.0.ready()
        }

        #[pymethod]
        fn is_error(zelf: PyRef<Self>) -> bool {
            zelf.0.is_error()
        }

        #[pymethod]
        fn expired(zelf: PyRef<Self>) -> bool {
            zelf.0.expired()
        }

        #[pymethod]
        fn set_expiry(
            zelf: PyRef<Self>,
            seconds: OptionalOption<f64>,
            vm: &VirtualMachine,
        ) -> PyResult<()> {
            zelf.0.set_expiry(vm, seconds.flatten())
        }

        #[pymethod]
        fn add_callback(
            zelf: PyRef<Self>,
            function: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult<()> {
            zelf.0.add_callback(vm, function)
        }
    }

    #[pyfunction]
    fn current_connection(vm: &VirtualMachine) -> PyResult {
        bridge::current_connection::<Here>(vm)
    }

    /// Sets a category of this thread's locale, if there is a name; the name that it has then, None where
    /// the system has no such locale.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[pyfunction]
    fn set_locale(
        category: i32,
        name: Option<PyUtf8StrRef>,
        vm: &VirtualMachine,
    ) -> PyResult<Option<String>> {
        let name = name.map(|name| CString::new(name.as_str())).transpose();
        let name = name.map_err(|_| vm.new_value_error("embedded null character"))?;
        Ok(rpyc_classic::threads::locale::change(
            category,
            name.as_deref(),
        ))
    }

    #[pyfunction]
    fn dumpable(object: PyObjectRef, vm: &VirtualMachine) -> bool {
        bridge::dumpable::<Here>(vm, &object)
    }

    #[pyfunction]
    fn dump(object: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        bridge::dump::<Here>(vm, &object)
    }
}

/// Gives the module what needs to know the interpreter that it is in.
pub(super) fn introduce(vm: &VirtualMachine, shared: &Arc<Shared<Here>>) -> PyResult<()> {
    let known = Arc::downgrade(shared);
    let shared = move |vm: &VirtualMachine| {
        let stopped = || vm.new_runtime_error("the Python interpreter has been stopped");
        known.upgrade().ok_or_else(stopped)
    };
    let (its, ours) = (shared.clone(), shared.clone());
    let connect = move |address: PyObjectRef,
                        service: PyObjectRef,
                        config: PyObjectRef,
                        runs_code: bool,
                        keepalive: bool,
                        vm: &VirtualMachine| {
        let offered = [address, service, config];
        bridge::connect(vm, &its(vm)?, offered, runs_code, keepalive)
    };
    let load = move |data: PyBytesRef, vm: &VirtualMachine| {
        bridge::load(vm, &*shared(vm)?, data.as_bytes())
    };
    let options = move |vm: &VirtualMachine| bridge::default_options(vm, &*ours(vm)?);
    let module = vm.import("_rpyc_native", 0)?;
    let options = vm.new_function("default_options", options);
    module.set_attr("default_options", options, vm)?;
    module.set_attr("connect", vm.new_function("connect", connect), vm)?;
    module.set_attr("load", vm.new_function("load", load), vm)
}
