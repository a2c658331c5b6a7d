//! The native part of the `rpyc` package: requests about netrefs, connections to other servers, and
//! the bytes of values.

use std::sync::Arc;

use rpyc_core::{Config, Exception};
use rustpython_vm::builtins::{PyBaseExceptionRef, PyDictRef};
use rustpython_vm::{AsObject, PyPayload, PyResult, VirtualMachine};

pub(super) use self::_rpyc_requests::module_def;
use super::Shared;
use super::convert::value_to_python;
use super::exception::to_python_exception;
use super::modules;

/// Tells the module which interpreter it is in.
pub(super) fn introduce(shared: &Arc<Shared>) -> Result<(), Exception> {
    let introduced = shared.source.attached(|vm| -> PyResult<()> {
        let module = modules::library(vm, "_rpyc_requests")?;
        let interpreter = _rpyc_requests::Interpreter(Arc::downgrade(shared));
        module.set_attr("interpreter", interpreter.into_pyobject(vm), vm)
    })?;
    introduced.map_err(|_| Exception::runtime_error("_rpyc_requests can't be imported"))
}

#[rustpython_vm::pymodule]
mod _rpyc_requests {
    use std::fmt;
    use std::sync::{Arc, Weak};
    use std::time::Duration;

    use rpyc_core::wire::decode_value_strict;
    use rpyc_core::wire::encode_to_vec;
    use rpyc_core::wire::{Handler, Limits};
    use rpyc_core::{AsyncResult, Exception};
    use rustpython_vm::builtins::{PyBytesRef, PyDictRef, PyTupleRef};
    use rustpython_vm::function::OptionalOption;
    use rustpython_vm::{PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};

    use super::super::Shared;
    use super::super::connections::{Address, Manner, connect as open};
    use super::super::convert::{to_any, to_python, to_value, value_to_python};
    use super::super::exception::to_python_exception;
    use super::super::modules;
    use super::super::netref::NetRef;
    use super::super::proxy::Target;
    use super::super::session::PythonSession;
    use super::super::thread::{Held, detached};

    /// The interpreter that this module is in.
    #[pyattr]
    #[pyclass(module = "rpyc", name = "Interpreter")]
    #[derive(PyPayload)]
    pub(super) struct Interpreter(pub(super) Weak<Shared>);

    impl fmt::Debug for Interpreter {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Interpreter")
        }
    }

    #[pyclass]
    impl Interpreter {}

    /// The answer to a request, now or later.
    #[pyattr]
    #[pyclass(module = "rpyc.core.async_", name = "Answer")]
    #[derive(PyPayload)]
    pub(super) struct Answer {
        result: AsyncResult,
        session: Arc<PythonSession>,
    }

    impl fmt::Debug for Answer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.result.fmt(f)
        }
    }

    #[pyclass]
    impl Answer {
        /// Waits until it is in, and says whether it is in time.
        #[pymethod]
        fn wait(zelf: PyRef<Self>, vm: &VirtualMachine) -> bool {
            detached(vm, || zelf.result.wait()).is_ok()
        }

        #[pymethod]
        fn value(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            match detached(vm, || zelf.result.value()) {
                Ok(value) => to_python(vm, &zelf.session, value),
                Err(error) => Err(to_python_exception(vm, &Exception::from(error))),
            }
        }

        #[pymethod]
        fn ready(zelf: PyRef<Self>) -> bool {
            zelf.result.ready()
        }

        #[pymethod]
        fn is_error(zelf: PyRef<Self>) -> bool {
            zelf.result.error()
        }

        #[pymethod]
        fn expired(zelf: PyRef<Self>) -> bool {
            zelf.result.expired()
        }

        #[pymethod]
        fn set_expiry(
            zelf: PyRef<Self>,
            seconds: OptionalOption<f64>,
            vm: &VirtualMachine,
        ) -> PyResult<()> {
            let timeout = match seconds.flatten() {
                None => None,
                Some(seconds) => Some(
                    Duration::try_from_secs_f64(seconds)
                        .map_err(|_| vm.new_value_error("an expiry is in 0 seconds or more"))?,
                ),
            };
            zelf.result.set_expiry(timeout);
            Ok(())
        }

        /// What the function raises is nobody's: it goes where Python's threads send it.
        #[pymethod]
        fn add_callback(zelf: PyRef<Self>, function: PyObjectRef, vm: &VirtualMachine) {
            let session = zelf.session.clone();
            let function = Held::new(function, &session.shared().source);
            let callback = move |_| {
                let called = session.shared().source.attached(|vm| {
                    if let Err(error) = function.object().call((), vm) {
                        vm.run_unraisable(error, None, function.object().clone());
                    }
                });
                drop(called);
            };
            detached(vm, || zelf.result.add_callback(callback));
        }
    }

    /// Asks the owner of a netref for something.
    #[pyfunction]
    fn sync_request(
        proxy: PyRef<NetRef>,
        handler: i64,
        args: PyTupleRef,
        vm: &VirtualMachine,
    ) -> PyResult {
        let Target::Peer(netref) = proxy.target() else {
            return Err(vm.new_type_error("this object lives here: there is nobody to ask"));
        };
        let args = args.as_slice().iter().cloned();
        let args: Vec<_> = args.map(|arg| to_any(vm, proxy.session(), arg)).collect();
        let handler = Handler::from_number(handler);
        match detached(vm, || netref.request(handler, args)) {
            Ok(answer) => to_python(vm, proxy.session(), answer),
            Err(error) => Err(to_python_exception(vm, &Exception::from(error))),
        }
    }

    /// The same, without waiting.
    #[pyfunction]
    fn async_request(
        proxy: PyRef<NetRef>,
        handler: i64,
        args: PyTupleRef,
        vm: &VirtualMachine,
    ) -> PyResult<PyRef<Answer>> {
        let Target::Peer(netref) = proxy.target() else {
            return Err(vm.new_type_error("this object lives here: there is nobody to ask"));
        };
        let args = args.as_slice().iter().cloned();
        let args: Vec<_> = args.map(|arg| to_any(vm, proxy.session(), arg)).collect();
        let handler = Handler::from_number(handler);
        let session = proxy.session().clone();
        match detached(vm, || netref.async_request(handler, args)) {
            Ok(result) => Ok(Answer { result, session }.into_ref(&vm.ctx)),
            Err(error) => Err(to_python_exception(vm, &Exception::from(error))),
        }
    }

    /// Connects to another server: over TCP, or without a port to a Unix socket.
    #[pyfunction]
    fn connect(
        host: String,
        port: Option<u16>,
        is_classic: bool,
        config: PyDictRef,
        keepalive: bool,
        vm: &VirtualMachine,
    ) -> PyResult {
        let module = modules::library(vm, "_rpyc_requests")?;
        let interpreter = module.get_attr("interpreter", vm)?;
        let shared = interpreter
            .downcast_ref::<Interpreter>()
            .and_then(|interpreter| interpreter.0.upgrade())
            .ok_or_else(|| vm.new_runtime_error("the Python interpreter has been stopped"))?;
        let address = match port {
            Some(port) => Address::Tcp(host, port),
            None => Address::Unix(host),
        };
        let manner = Manner {
            is_classic,
            keepalive,
            config: super::config(vm, config)?,
        };
        match detached(vm, || open(&shared, &address, manner)) {
            Ok((this, session)) => super::super::proxy::of_object(vm, &session, this),
            Err(exception) => Err(super::not_connected(vm, &exception)),
        }
    }

    /// Whether an object goes by value.
    #[pyfunction]
    fn dumpable(object: PyObjectRef, vm: &VirtualMachine) -> bool {
        to_value(vm, &object).is_some()
    }

    /// The bytes of what goes by value.
    #[pyfunction]
    fn dump(object: PyObjectRef, vm: &VirtualMachine) -> PyResult {
        let Some(value) = to_value(vm, &object) else {
            return Err(vm.new_type_error(format!(
                "cannot dump {}: it doesn't go by value",
                object.class().name()
            )));
        };
        match encode_to_vec(&value, &Limits::default()) {
            Ok(bytes) => Ok(vm.ctx.new_bytes(bytes).into()),
            Err(error) => Err(vm.new_value_error(error.to_string())),
        }
    }

    /// The value of bytes.
    #[pyfunction]
    fn load(bytes: PyBytesRef, vm: &VirtualMachine) -> PyResult {
        let bytes = bytes::Bytes::copy_from_slice(bytes.as_bytes());
        match decode_value_strict(&bytes, &Limits::default()) {
            Ok(value) => value_to_python(vm, value),
            Err(error) => Err(vm.new_value_error(error.to_string())),
        }
    }
}

/// An error of this side's own: of the class that its number belongs to, without a remote traceback.
fn not_connected(vm: &VirtualMachine, exception: &Exception) -> PyBaseExceptionRef {
    if exception.is("OSError") {
        let args = exception.args().iter().cloned();
        let args: PyResult<Vec<_>> = args.map(|arg| value_to_python(vm, arg)).collect();
        let made = args.and_then(|args| vm.ctx.exceptions.os_error.as_object().call(args, vm));
        if let Some(made) = made.ok().and_then(|made| made.downcast().ok()) {
            return made;
        }
    }
    to_python_exception(vm, exception)
}

/// A connection's config from a dict with the names of Python's rpyc.
fn config(vm: &VirtualMachine, given: PyDictRef) -> PyResult<Config> {
    let mut config = Config::default();
    for (name, value) in given {
        let name = name.str(vm)?;
        let name = name.to_str().unwrap_or_default();
        if name == "sync_request_timeout" {
            config.sync_request_timeout = match vm.is_none(&value) {
                true => None,
                false => {
                    let seconds: f64 = value.try_float(vm)?.to_f64();
                    let timeout = std::time::Duration::try_from_secs_f64(seconds);
                    Some(timeout.map_err(|_| vm.new_value_error("a timeout is 0 or more"))?)
                }
            };
            continue;
        }
        let option = match name {
            "allow_all_attrs" => &mut config.allow_all_attrs,
            "allow_delattr" => &mut config.allow_delattr,
            "allow_exposed_attrs" => &mut config.allow_exposed_attrs,
            "allow_getattr" => &mut config.allow_getattr,
            "allow_pickle" => &mut config.allow_pickle,
            "allow_public_attrs" => &mut config.allow_public_attrs,
            "allow_safe_attrs" => &mut config.allow_safe_attrs,
            "allow_setattr" => &mut config.allow_setattr,
            "import_custom_exceptions" => &mut config.import_custom_exceptions,
            "include_local_traceback" => &mut config.include_local_traceback,
            "include_local_version" => &mut config.include_local_version,
            "instantiate_custom_exceptions" => &mut config.instantiate_custom_exceptions,
            _ => return Err(vm.new_value_error(format!("'{name}' can't be configured here"))),
        };
        *option = value.is_true(vm)?;
    }
    Ok(config)
}
