//! The native module that the Python sources stand on: `_rpyc_native.pyi` is its contract.

use std::sync::Arc;

use rpyc_classic::connections::{Address, Offered};
use rpyc_classic::getconn::Keeper;
use rpyc_core::Exception;
use rpyc_core::object::Any;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyDictRef};
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

pub(super) use self::_rpyc_native::{Target, module_def};
use super::convert::{to_any, to_python, value_to_python};
use super::exception::raise;
use super::session::{OpenSession, PythonSession, Shared};
use super::thread::detached;

#[rustpython_vm::pymodule]
mod _rpyc_native {
    use std::fmt;
    use std::sync::Arc;
    use std::time::Duration;

    use rpyc_classic::getconn::Keeper;
    use rpyc_classic::target::{self, Operation};
    use rpyc_core::object::{Any, Netref, ObjectRef, Raised};
    use rpyc_core::wire::{Handler, Limits, decode_value_strict, encode_to_vec};
    use rpyc_core::{AsyncResult, Exception};
    use rustpython_vm::builtins::{
        PyBaseException, PyBytesRef, PyDictRef, PyStr, PyStrRef, PyTupleRef,
    };
    use rustpython_vm::function::OptionalOption;
    use rustpython_vm::{
        AsObject, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass,
    };

    use super::super::convert::{to_any, to_args, to_python, to_value, value_to_python};
    use super::super::exception::{raise, to_exception};
    use super::super::interned;
    use super::super::session::{PythonSession, acting, current};
    use super::super::thread::{Held, detached};

    /// What a netref stands for.
    #[pyattr]
    #[pyclass(module = "_rpyc_native", name = "Target")]
    #[derive(PyPayload)]
    pub(in super::super) struct Target {
        target: target::Target,
        session: Arc<PythonSession>,
        // Keeps a connection open that Python code has made.
        _keeper: Option<Arc<Keeper>>,
    }

    impl Target {
        pub(in super::super) fn peer(session: &Arc<PythonSession>, netref: Netref) -> Target {
            let connections = &session.shared().connections;
            Target {
                _keeper: connections.keeper(netref.peer_number()),
                target: target::Target::Peer(netref),
                session: session.clone(),
            }
        }

        pub(in super::super) fn here(session: &Arc<PythonSession>, object: ObjectRef) -> Target {
            Target {
                target: target::Target::Here(object),
                session: session.clone(),
                _keeper: None,
            }
        }

        /// The netref that stands for it.
        pub(in super::super) fn into_netref(self, vm: &VirtualMachine) -> PyResult {
            let shared = self.session.shared().clone();
            let target: PyObjectRef = self.into_pyobject(vm);
            shared.policy().netref.object().call((target,), vm)
        }

        pub(in super::super) fn to_any(&self) -> Any {
            self.target.to_any()
        }

        /// Has the object do something, whoever's it is.
        fn ask(&self, vm: &VirtualMachine, operation: Operation<'_>) -> PyResult {
            let session = acting(&self.session);
            let connection = || session.peer().asking();
            let answer = detached(vm, || self.target.perform(operation, connection));
            received(vm, &session, answer)
        }

        fn netref(&self, vm: &VirtualMachine) -> PyResult<&Netref> {
            let netref = self.target.netref();
            netref.map_err(|exception| raise(vm, self.session.shared(), &exception))
        }

        fn to_anys(&self, vm: &VirtualMachine, args: &PyTupleRef) -> Vec<Any> {
            let args = args.as_slice().iter().cloned();
            args.map(|arg| to_any(vm, &self.session, arg)).collect()
        }
    }

    fn received(
        vm: &VirtualMachine,
        session: &Arc<PythonSession>,
        answer: Result<Any, Exception>,
    ) -> PyResult {
        match answer {
            Ok(answer) => to_python(vm, session, answer),
            Err(exception) => Err(raise(vm, session.shared(), &exception)),
        }
    }

    impl fmt::Debug for Target {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.target.fmt(f)
        }
    }

    #[pyclass]
    impl Target {
        #[pygetset]
        fn name(zelf: &Py<Self>) -> String {
            zelf.target.name().to_string()
        }

        #[pygetset]
        fn is_class(zelf: &Py<Self>) -> bool {
            zelf.target.is_class()
        }

        #[pygetset]
        fn runs_code(zelf: &Py<Self>) -> bool {
            let netref = zelf.target.netref();
            netref.is_ok_and(|netref| zelf.session.shared().may_run_code(netref.peer_number()))
        }

        #[pygetset]
        fn key(zelf: &Py<Self>, vm: &VirtualMachine) -> PyObjectRef {
            let Some((connection, class, object)) = zelf.target.key() else {
                return vm.ctx.none();
            };
            let numbers = [connection, class, object];
            let numbers = numbers.map(|number| vm.ctx.new_int(number).into());
            vm.ctx.new_tuple(numbers.to_vec()).into()
        }

        /// With the session's: the object is asked in its name.
        #[pygetset]
        fn address(zelf: &Py<Self>, vm: &VirtualMachine) -> PyObjectRef {
            let session = std::ptr::from_ref(&*zelf.session).addr() as u128;
            let address = session << 64 | zelf.target.address() as u128;
            vm.ctx.new_int(address).into()
        }

        #[pygetset]
        fn id_pack(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult {
            match zelf.target.id_pack() {
                Some(id_pack) => value_to_python(vm, id_pack),
                None => Ok(vm.ctx.none()),
            }
        }

        #[pymethod]
        fn connection(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            let session = &zelf.session;
            let number = match &zelf.target {
                target::Target::Peer(netref) => Some(netref.peer_number()),
                target::Target::Here(_) => session.connection().map(|it| it.0.number()),
            };
            let connections = &session.shared().connections;
            match number.and_then(|number| connections.this(number)) {
                Some(this) => to_python(vm, session, Any::Local(this)),
                None => Err(vm.new_attribute_error("the connection is closed")),
            }
        }

        /// Those for which the interpreter has room: it never frees the name of a class's attribute.
        #[pymethod]
        fn methods(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            let connection = || zelf.session.peer().asking();
            let methods = detached(vm, || zelf.target.methods(connection()));
            let methods =
                methods.map_err(|exception| raise(vm, zelf.session.shared(), &exception))?;
            let admitted = methods.iter().filter(|name| interned::admit(vm, name));
            let names = admitted.map(|name| vm.ctx.new_str(name.as_str()).into());
            Ok(vm.ctx.new_tuple(names.collect()).into())
        }

        #[pymethod]
        fn attr(zelf: PyRef<Self>, name: PyStrRef, vm: &VirtualMachine) -> PyResult {
            zelf.ask(vm, Operation::Attr(text(vm, &name)?))
        }

        #[pymethod]
        fn set_attr(
            zelf: PyRef<Self>,
            name: PyStrRef,
            value: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult<()> {
            let value = to_any(vm, &zelf.session, value);
            let set = zelf.ask(vm, Operation::SetAttr(text(vm, &name)?, value));
            set.map(drop)
        }

        #[pymethod]
        fn del_attr(zelf: PyRef<Self>, name: PyStrRef, vm: &VirtualMachine) -> PyResult<()> {
            let deleted = zelf.ask(vm, Operation::DelAttr(text(vm, &name)?));
            deleted.map(drop)
        }

        #[pymethod]
        fn call(
            zelf: PyRef<Self>,
            args: PyTupleRef,
            kwargs: PyDictRef,
            vm: &VirtualMachine,
        ) -> PyResult {
            let args = to_args(vm, &zelf.session, &args, kwargs)?;
            zelf.ask(vm, Operation::Call(args))
        }

        #[pymethod]
        fn call_method(
            zelf: PyRef<Self>,
            name: PyStrRef,
            args: PyTupleRef,
            kwargs: PyDictRef,
            vm: &VirtualMachine,
        ) -> PyResult {
            let args = to_args(vm, &zelf.session, &args, kwargs)?;
            zelf.ask(vm, Operation::CallMethod(text(vm, &name)?, args))
        }

        #[pymethod]
        fn compare(
            zelf: PyRef<Self>,
            operator: PyStrRef,
            other: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult {
            let other = to_any(vm, &zelf.session, other);
            zelf.ask(vm, Operation::Compare(text(vm, &operator)?, other))
        }

        #[pymethod]
        fn dir(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.ask(vm, Operation::Dir)
        }

        #[pymethod]
        fn exit(zelf: PyRef<Self>, exception: PyObjectRef, vm: &VirtualMachine) -> PyResult {
            let netref = zelf.target.netref();
            let by_value = netref.is_ok_and(Netref::is_left_by_value);
            let exception = match exception.downcast::<PyBaseException>() {
                Ok(raised) if by_value => {
                    Any::object(Raised::new(to_exception(vm, &zelf.session, &raised)))
                }
                Ok(raised) => to_any(vm, &zelf.session, raised.into()),
                Err(other) => to_any(vm, &zelf.session, other),
            };
            zelf.ask(vm, Operation::Exit(exception))
        }

        #[pymethod]
        fn hash(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.ask(vm, Operation::Hash)
        }

        #[pymethod]
        fn pickle(zelf: PyRef<Self>, protocol: i64, vm: &VirtualMachine) -> PyResult {
            zelf.ask(vm, Operation::Pickle(protocol))
        }

        #[pymethod]
        fn repr(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.ask(vm, Operation::Repr)
        }

        #[pymethod]
        fn str(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.ask(vm, Operation::Str)
        }

        #[pymethod]
        fn request(
            zelf: PyRef<Self>,
            handler: i64,
            args: PyTupleRef,
            vm: &VirtualMachine,
        ) -> PyResult {
            let netref = zelf.netref(vm)?;
            let args = zelf.to_anys(vm, &args);
            let handler = Handler::from_number(handler);
            let answer = detached(vm, || netref.request(handler, args));
            received(vm, &zelf.session, answer.map_err(target::raised))
        }

        #[pymethod]
        fn request_later(
            zelf: PyRef<Self>,
            handler: i64,
            args: PyTupleRef,
            vm: &VirtualMachine,
        ) -> PyResult<PyRef<Answer>> {
            let netref = zelf.netref(vm)?;
            let args = zelf.to_anys(vm, &args);
            let handler = Handler::from_number(handler);
            let session = zelf.session.clone();
            match detached(vm, || netref.async_request(handler, args)) {
                Ok(result) => Ok(Answer { result, session }.into_ref(&vm.ctx)),
                Err(error) => Err(raise(vm, session.shared(), &Exception::from(error))),
            }
        }
    }

    fn text<'a>(vm: &VirtualMachine, name: &'a Py<PyStr>) -> PyResult<&'a str> {
        let wrong = || vm.new_attribute_error("the attribute's name isn't valid Unicode");
        name.to_str().ok_or_else(wrong)
    }

    /// The answer to a request, now or later.
    #[pyattr]
    #[pyclass(module = "_rpyc_native", name = "Answer")]
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
        #[pymethod]
        fn wait(zelf: PyRef<Self>, vm: &VirtualMachine) -> bool {
            detached(vm, || zelf.result.wait()).is_ok()
        }

        #[pymethod]
        fn value(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            let answer = detached(vm, || zelf.result.value());
            received(vm, &zelf.session, answer.map_err(target::raised))
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
            let timeout = seconds.flatten().map(Duration::try_from_secs_f64);
            let timeout = timeout.transpose();
            let wrong = |_| vm.new_value_error("an expiry is in 0 seconds or more");
            zelf.result.set_expiry(timeout.map_err(wrong)?);
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

    #[pyfunction]
    fn current_connection(vm: &VirtualMachine) -> PyResult {
        let this = current().and_then(|session| {
            let (_, this) = session.connection()?;
            Some(to_python(vm, &session, Any::Local(this)))
        });
        this.unwrap_or_else(|| Ok(vm.ctx.none()))
    }

    #[pyfunction]
    fn default_options(vm: &VirtualMachine) -> PyResult {
        value_to_python(vm, rpyc_classic::options::defaults())
    }

    #[pyfunction]
    fn dumpable(object: PyObjectRef, vm: &VirtualMachine) -> bool {
        to_value(vm, &object).is_some()
    }

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

    #[pyfunction]
    fn load(data: PyBytesRef, vm: &VirtualMachine) -> PyResult {
        let data = bytes::Bytes::copy_from_slice(data.as_bytes());
        match decode_value_strict(&data, &Limits::default()) {
            Ok(value) => value_to_python(vm, value),
            Err(error) => Err(vm.new_value_error(error.to_string())),
        }
    }
}

/// Gives the module what needs to know the interpreter that it is in: `connect`.
pub(super) fn introduce(vm: &VirtualMachine, shared: &Arc<Shared>) -> PyResult<()> {
    let shared = Arc::downgrade(shared);
    let connect = move |address: PyObjectRef,
                        service: PyObjectRef,
                        config: PyDictRef,
                        runs_code: bool,
                        keepalive: bool,
                        vm: &VirtualMachine| {
        let stopped = || vm.new_runtime_error("the Python interpreter has been stopped");
        let shared = shared.upgrade().ok_or_else(stopped)?;
        let keeper = Arc::<Keeper>::default();
        let session = PythonSession::keeping(shared.clone(), Arc::downgrade(&keeper), runs_code);
        let address = Address::new(to_any(vm, &session, address));
        let address = address.map_err(|exception| raise(vm, &shared, &exception))?;
        let offered = Offered {
            service: to_any(vm, &session, service),
            config: to_any(vm, &session, config.into()),
            keepalive,
        };
        let open = Arc::new(OpenSession(session.clone()));
        let connected = detached(vm, || {
            let executor = shared.executor.clone();
            let connections = &shared.connections;
            connections.connect(address, offered, &keeper, open, executor)
        });
        match connected {
            Ok(this) => to_python(vm, &session, Any::Local(this)),
            Err(exception) => Err(not_connected(vm, &shared, &exception)),
        }
    };
    let connect = vm.new_function("connect", connect);
    let module = vm.import("_rpyc_native", 0)?;
    module.set_attr("connect", connect, vm)
}

/// An error of this side's own: of the class that its number belongs to, without a remote traceback.
fn not_connected(
    vm: &VirtualMachine,
    shared: &Shared,
    exception: &Exception,
) -> PyBaseExceptionRef {
    if exception.is("OSError") {
        let args = exception.args().iter().cloned();
        let args: PyResult<Vec<_>> = args.map(|arg| value_to_python(vm, arg)).collect();
        let made = args.and_then(|args| vm.ctx.exceptions.os_error.as_object().call(args, vm));
        if let Some(made) = made.ok().and_then(|made| made.downcast().ok()) {
            return made;
        }
    }
    raise(vm, shared, exception)
}
