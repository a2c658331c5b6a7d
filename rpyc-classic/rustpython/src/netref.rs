//! The native classes of proxies: `BaseNetref`, and the methods that its subclasses forward.

use rpyc_core::args;
use rpyc_core::object::{Any, Args, ObjectRef, Raised};
use rpyc_core::wire::Handler;
use rustpython_vm::builtins::{PyBaseException, PyDict, PyStr, PyTuple};
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyPayload, PyResult, VirtualMachine};

pub(super) use self::_rpyc_native::{NetRef, module_def};
use super::classes::LOCAL_NAMES;
use super::convert::{to_any, to_python, to_value};
use super::exception::{to_exception, to_python_exception};
use super::proxy::{Question, Target};
use super::thread::detached;
use super::{modules, pieces, types};

/// A method of proxy classes that is forwarded under that name.
pub(super) fn method(vm: &VirtualMachine, name: &str) -> PyObjectRef {
    _rpyc_native::NetMethod::named(name)
        .into_ref(&vm.ctx)
        .into()
}

#[rustpython_vm::pymodule]
mod _rpyc_native {
    use std::fmt;
    use std::sync::Arc;

    use rustpython_vm::builtins::{PyBoundMethod, PyStr};
    use rustpython_vm::common::hash::PyHash;
    use rustpython_vm::function::{Either, FuncArgs, PyComparisonValue, PySetterValue};
    use rustpython_vm::types::{
        Callable, Comparable, GetAttr, GetDescriptor, Hashable, PyComparisonOp, Representable,
        SetAttr,
    };
    use rustpython_vm::{
        AsObject, Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass,
    };

    use super::super::convert::{to_any, to_args};
    use super::super::proxy::{Place, Question, Target, ask};
    use super::super::session::{ClassLease, PythonSession};
    use rpyc_classic::getconn::Keeper;

    /// A proxy: of a peer's object, or of one of this process outside of the interpreter.
    #[pyattr]
    #[pyclass(module = "rpyc.core.netref", name = "BaseNetref")]
    #[derive(PyPayload)]
    pub(in super::super) struct NetRef {
        // Given up before the target is: see `ClassLease`.
        _class: ClassLease,
        target: Target,
        session: Arc<PythonSession>,
        place: Option<Place>,
        // Keeps a connection open that Python code has made.
        _keeper: Option<Arc<Keeper>>,
    }

    impl NetRef {
        pub(in super::super) fn new(
            target: Target,
            session: Arc<PythonSession>,
            class: ClassLease,
            place: Option<Place>,
        ) -> NetRef {
            let keeper = match &target {
                Target::Peer(netref) => session.shared().connections.keeper(netref.peer_number()),
                Target::Here(_) => None,
            };
            NetRef {
                _class: class,
                _keeper: keeper,
                target,
                session,
                place,
            }
        }

        pub(in super::super) fn target(&self) -> &Target {
            &self.target
        }

        pub(in super::super) fn session(&self) -> &Arc<PythonSession> {
            &self.session
        }

        pub(in super::super) fn ask(&self, vm: &VirtualMachine, question: Question) -> PyResult {
            ask(vm, &self.session, &self.target, question)
        }
    }

    impl Drop for NetRef {
        fn drop(&mut self) {
            if let Some(place) = self.place {
                self.session.shared().proxies.forget(place);
            }
        }
    }

    impl fmt::Debug for NetRef {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.target.fmt(f)
        }
    }

    #[pyclass(
        with(GetAttr, SetAttr, Comparable, Hashable, Representable),
        flags(BASETYPE, HAS_WEAKREF)
    )]
    impl NetRef {
        #[pymethod]
        fn __str__(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            zelf.ask(vm, Question::Str)
        }

        #[pymethod]
        fn __dir__(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            let names = zelf.ask(vm, Question::Dir)?;
            let names: Vec<PyObjectRef> = names.try_to_value(vm)?;
            Ok(vm.ctx.new_list(names).into())
        }

        /// An exception of the peer's own goes, if it lets one be made; else the exception itself.
        #[pymethod]
        fn __exit__(
            zelf: PyRef<Self>,
            class: PyObjectRef,
            exc: PyObjectRef,
            _traceback: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult {
            let left_by = match super::exception_at_peer(vm, &zelf, &exc) {
                Some(exception) => exception,
                None if vm.is_none(&exc) => to_any(vm, &zelf.session, class),
                None => to_any(vm, &zelf.session, exc),
            };
            zelf.ask(vm, Question::Exit(left_by))
        }

        #[pymethod]
        fn __reduce_ex__(zelf: PyRef<Self>, protocol: i64, vm: &VirtualMachine) -> PyResult {
            super::reduce(&zelf, protocol, vm)
        }

        #[pymethod]
        fn __copy__(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
            super::copied(&zelf, false, vm)
        }

        #[pymethod]
        fn __deepcopy__(zelf: PyRef<Self>, _memo: PyObjectRef, vm: &VirtualMachine) -> PyResult {
            super::copied(&zelf, true, vm)
        }

        #[pymethod]
        fn __instancecheck__(
            zelf: PyRef<Self>,
            other: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult<bool> {
            super::is_instance(&zelf, &other, vm)
        }

        #[pymethod]
        fn __subclasscheck__(
            zelf: PyRef<Self>,
            other: PyObjectRef,
            vm: &VirtualMachine,
        ) -> PyResult<bool> {
            super::is_subclass(&zelf, other, vm)
        }
    }

    impl GetAttr for NetRef {
        fn getattro(zelf: &Py<Self>, name: &Py<PyStr>, vm: &VirtualMachine) -> PyResult {
            super::attribute(zelf, name, vm)
        }
    }

    impl SetAttr for NetRef {
        fn setattro(
            zelf: &Py<Self>,
            name: &Py<PyStr>,
            value: PySetterValue,
            vm: &VirtualMachine,
        ) -> PyResult<()> {
            let Some(text) = super::remote_name(name, vm)? else {
                return zelf.as_object().generic_setattr(name, value, vm);
            };
            let question = match value {
                PySetterValue::Assign(value) => {
                    Question::SetAttr(text, to_any(vm, &zelf.session, value))
                }
                PySetterValue::Delete => Question::DelAttr(text),
            };
            zelf.ask(vm, question).map(drop)
        }
    }

    impl Comparable for NetRef {
        // The answer needn't be a bool: the peer's class decides.
        fn slot_richcompare(
            zelf: &PyObject,
            other: &PyObject,
            op: PyComparisonOp,
            vm: &VirtualMachine,
        ) -> PyResult<Either<PyObjectRef, PyComparisonValue>> {
            let Some(proxy) = zelf.downcast_ref::<NetRef>() else {
                return Ok(Either::B(PyComparisonValue::NotImplemented));
            };
            let name = op.method_name(&vm.ctx).as_str();
            let sent = to_any(vm, &proxy.session, other.to_owned());
            let answer = proxy.ask(vm, Question::Compare(name, sent))?;
            // Python's rpyc doesn't look into a reference to a container.
            if answer.is(&vm.ctx.not_implemented)
                && let Some(copy) = super::copy_of_container(vm, other, zelf)?
            {
                return copy.rich_compare(other.to_owned(), op, vm).map(Either::A);
            }
            Ok(Either::A(answer))
        }

        fn cmp(
            _zelf: &Py<Self>,
            _other: &PyObject,
            _op: PyComparisonOp,
            _vm: &VirtualMachine,
        ) -> PyResult<PyComparisonValue> {
            Ok(PyComparisonValue::NotImplemented)
        }
    }

    impl Hashable for NetRef {
        fn hash(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyHash> {
            zelf.ask(vm, Question::Hash)?.try_to_value(vm)
        }
    }

    impl Representable for NetRef {
        fn repr(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyRef<PyStr>> {
            let repr = zelf.ask(vm, Question::Repr)?;
            repr.downcast()
                .map_err(|_| vm.new_type_error("__repr__ returned non-string"))
        }
    }

    /// A function that forwards a call of its name to the proxy that it is called on.
    #[pyattr]
    #[pyclass(module = "rpyc.core.netref", name = "NetrefMethod")]
    #[derive(PyPayload)]
    pub(in super::super) struct NetMethod {
        name: String,
    }

    impl NetMethod {
        pub(super) fn named(name: &str) -> NetMethod {
            NetMethod {
                name: name.to_owned(),
            }
        }
    }

    impl fmt::Debug for NetMethod {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.name)
        }
    }

    #[pyclass(with(Callable, GetDescriptor, Representable))]
    impl NetMethod {
        #[pygetset]
        fn __name__(zelf: &Py<Self>) -> String {
            zelf.name.clone()
        }
    }

    impl Callable for NetMethod {
        type Args = FuncArgs;

        fn call(zelf: &Py<Self>, mut args: FuncArgs, vm: &VirtualMachine) -> PyResult {
            let owner = args.take_positional();
            let Some(proxy) = owner
                .as_ref()
                .and_then(|owner| owner.downcast_ref::<NetRef>())
            else {
                return Err(vm.new_type_error(format!("{}() needs a netref", zelf.name)));
            };
            let args = to_args(vm, &proxy.session, args.args, &args.kwargs)?;
            let question = match zelf.name.as_str() {
                "__call__" => Question::Call(args),
                name => Question::CallMethod(name.to_owned(), args),
            };
            proxy.ask(vm, question)
        }
    }

    impl GetDescriptor for NetMethod {
        fn descr_get(
            zelf: &PyObject,
            obj: Option<&PyObject>,
            _cls: Option<&PyObject>,
            vm: &VirtualMachine,
        ) -> PyResult {
            Ok(match obj {
                Some(obj) if !vm.is_none(obj) => {
                    PyBoundMethod::new(obj.to_owned(), zelf.to_owned())
                        .into_ref(&vm.ctx)
                        .into()
                }
                _ => zelf.to_owned(),
            })
        }
    }

    impl Representable for NetMethod {
        fn repr_str(zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
            Ok(format!("<netref method {}>", zelf.name))
        }
    }

    /// The client's object pickled by the client. Whoever unpickles the bytes trusts the client.
    #[pyfunction]
    fn pickled(proxy: PyRef<NetRef>, protocol: i64, vm: &VirtualMachine) -> PyResult {
        proxy.ask(vm, Question::Pickle(protocol))
    }
}

/// `proxy.name`: asked of the peer, but for the names that are the proxy's own.
fn attribute(proxy: &Py<NetRef>, name: &Py<PyStr>, vm: &VirtualMachine) -> PyResult {
    if let Some(text) = remote_name(name, vm)?
        && text != "__call__"
    {
        return proxy.ask(vm, Question::Attr(text));
    }
    match name.to_str() {
        Some("__class__") => class_of(proxy, vm),
        // Of these a proxy has none itself.
        Some(text @ ("__dict__" | "__doc__")) => proxy.ask(vm, Question::Attr(text.to_owned())),
        Some("____id_pack__") => id_pack(proxy, vm),
        Some("____conn__") => match connection_of(proxy) {
            Some(this) => to_python(vm, proxy.session(), Any::Local(this)),
            None => Err(vm.new_attribute_error("the connection is closed")),
        },
        _ => proxy.as_object().generic_getattr(name, vm),
    }
}

/// The connection that the proxy came over, as Python code knows it.
fn connection_of(proxy: &Py<NetRef>) -> Option<ObjectRef> {
    match proxy.target() {
        Target::Peer(netref) => {
            let connections = &proxy.session().shared().connections;
            connections.this(netref.peer_number())
        }
        Target::Here(_) => {
            let (connection, _) = proxy.session().connection()?;
            let connections = &proxy.session().shared().connections;
            connections.this(connection.number())
        }
    }
}

/// The name, if it is one of the peer's object and not of the proxy itself.
fn remote_name(name: &Py<PyStr>, vm: &VirtualMachine) -> PyResult<Option<String>> {
    let Some(text) = name.to_str() else {
        return Err(vm.new_attribute_error("the attribute's name isn't valid Unicode"));
    };
    // A peer's array interface would make others read memory at addresses of the peer's.
    if matches!(
        text,
        "__array_struct__" | "__array_interface__" | "__array__"
    ) {
        return Err(vm.new_attribute_error(text.to_owned()));
    }
    // These two are looked up on the object, and not to be found at the peer.
    let is_own = LOCAL_NAMES.contains(&text) || matches!(text, "__copy__" | "__deepcopy__");
    Ok((!is_own).then(|| text.to_owned()))
}

/// `proxy.__class__`: a class of that name here, so that `isinstance` of builtins works, else the
/// peer's.
fn class_of(proxy: &Py<NetRef>, vm: &VirtualMachine) -> PyResult {
    match types::class_here(vm, &proxy.target().name()) {
        Some(class) if proxy.target().is_class() => return class.get_attr("__class__", vm),
        Some(class) => return Ok(class),
        None => {}
    }
    if let Target::Here(_) = proxy.target() {
        return Ok(proxy.class().to_owned().into());
    }
    let class = proxy.ask(vm, Question::Attr("__class__".to_owned()))?;
    // A peer's class is a class here, too: its metaclass mostly is `type`.
    let here = class
        .downcast_ref::<NetRef>()
        .filter(|class| class.target().is_class())
        .and_then(|class| types::class_here(vm, &class.target().name()));
    Ok(here.unwrap_or(class))
}

fn id_pack(proxy: &Py<NetRef>, vm: &VirtualMachine) -> PyResult {
    match proxy.target() {
        Target::Peer(netref) => super::convert::value_to_python(vm, netref.id_pack().to_value()),
        Target::Here(_) => Err(vm.new_attribute_error("____id_pack__")),
    }
}

fn is_instance(class: &Py<NetRef>, other: &PyObjectRef, vm: &VirtualMachine) -> PyResult<bool> {
    if !class.target().is_class() {
        let message = "isinstance() arg 2 must be a class, type, or tuple of classes and types";
        return Err(vm.new_type_error(message));
    }
    let Some(proxy) = other.downcast_ref::<NetRef>() else {
        // Something of this side's: an instance of the class of that name here?
        return match types::class_here(vm, &class.target().name()) {
            Some(here) => other.is_instance(&here, vm),
            None => Ok(false),
        };
    };
    let (Target::Peer(class), Target::Peer(other)) = (class.target(), proxy.target()) else {
        return Ok(false);
    };
    if class.id_pack().class == other.id_pack().class {
        return Ok(!other.is_class());
    }
    let question = [Any::Value(other.id_pack().to_value())];
    let answer = detached(vm, || class.request(Handler::InstanceCheck, question));
    match answer {
        Ok(answer) => Ok(answer
            .as_value()
            .and_then(|value| value.as_bool())
            .unwrap_or(false)),
        Err(error) => Err(to_python_exception(vm, &error.into())),
    }
}

fn is_subclass(class: &Py<NetRef>, other: PyObjectRef, vm: &VirtualMachine) -> PyResult<bool> {
    if other.downcast_ref::<NetRef>().is_none() {
        return match types::class_here(vm, &class.target().name()) {
            Some(here) => other.is_subclass(&here, vm),
            None => Ok(false),
        };
    }
    let args = vec![to_any(vm, class.session(), other)].into();
    let question = Question::CallMethod("__subclasscheck__".to_owned(), args);
    class.ask(vm, question)?.is_true(vm)
}

/// An exception at the peer that stands for this one: of the nearest builtin class, with the
/// same arguments.
///
/// Python's rpyc raises what it is sent before it calls `__exit__`, and can't raise a reference: it
/// takes an object of its own only. A full classic client lets one be made; others are asked in vain.
fn exception_at_peer(vm: &VirtualMachine, proxy: &Py<NetRef>, exc: &PyObject) -> Option<Any> {
    let Target::Peer(netref) = proxy.target() else {
        return None;
    };
    let raised = exc.downcast_ref::<PyBaseException>()?;
    if netref.is_left_by_value() {
        let raised = to_exception(vm, None, &raised.to_owned());
        return Some(Any::object(Raised::new(raised)));
    }
    let classes = raised.class().mro_collect();
    let builtin = classes.iter().find(|class| {
        let known = modules::builtin(vm, &class.name());
        known.is_ok_and(|known| known.is(*class))
    })?;
    let name = builtin.name().to_string();
    let args = raised.args();
    let args = args.as_slice().iter().cloned();
    let args: Vec<Any> = args.map(|arg| to_any(vm, proxy.session(), arg)).collect();
    let made = detached(vm, || {
        let root = netref.connection()?.root().ok()?;
        let builtins = root.call_method("getmodule", args!["builtins"]).ok()?;
        let class = builtins.attr(&name).ok()?;
        class.netref().ok()?.call(Args::from(args)).ok()
    })?;
    matches!(made, Any::Netref(_)).then_some(made)
}

/// How a proxy is pickled: by its owner, if that allows it. Nothing is unpickled here by this.
fn reduce(proxy: &Py<NetRef>, protocol: i64, vm: &VirtualMachine) -> PyResult {
    let loads = modules::library(vm, "pickle")?.get_attr("loads", vm)?;
    let bytes = proxy.ask(vm, Question::Pickle(protocol))?;
    let args = vm.ctx.new_tuple(vec![bytes]);
    Ok(vm.ctx.new_tuple(vec![loads, args.into()]).into())
}

/// What `copy` makes of a proxy. Unpickling runs what the owner likes: it is for owners whose code
/// runs here anyway. Of the others' objects, containers of plain values are copied by their items.
fn copied(proxy: &Py<NetRef>, deep: bool, vm: &VirtualMachine) -> PyResult {
    if let Target::Peer(netref) = proxy.target()
        && proxy.session().shared().may_run_code(netref.peer_number())
    {
        let args = (proxy.to_owned(), deep);
        return modules::copying(vm, "copied")?.call(args, vm);
    }
    let types = &vm.ctx.types;
    for class in [types.list_type, types.dict_type, types.set_type] {
        let empty = class.as_object().call((), vm)?;
        if let Some(copy) = copy_of_container(vm, &empty, proxy.as_object())? {
            if deep && !is_of_values(vm, &copy)? {
                break;
            }
            return Ok(copy);
        }
    }
    let message = "this netref isn't copied by value unasked, because its owner would decide what \
                   is run here; use rpyc.utils.classic.obtain() where you trust the owner";
    Err(vm.new_type_error(message))
}

/// Whether there are no references in the container.
fn is_of_values(vm: &VirtualMachine, container: &PyObject) -> PyResult<bool> {
    let items = match container.downcast_ref::<PyDict>() {
        Some(_) => vm.call_method(container, "items", ())?,
        None => container.to_owned(),
    };
    let items: Vec<PyObjectRef> = items.try_to_value(vm)?;
    Ok(items.iter().all(|item| to_value(vm, item).is_some()))
}

/// A copy of the peer's container, if it is of the same exact builtin class as `own` and not too
/// large: Python compares those by their items.
pub(super) fn copy_of_container(
    vm: &VirtualMachine,
    own: &PyObject,
    other: &PyObject,
) -> PyResult<Option<PyObjectRef>> {
    let types = &vm.ctx.types;
    let class = own.class();
    let Some(proxy) = other.downcast_ref::<NetRef>() else {
        return Ok(None);
    };
    let name = proxy.target().name();
    let is = |ours: &Py<rustpython_vm::builtins::PyType>, theirs| class.is(ours) && name == theirs;
    let is_dict = is(types.dict_type, "builtins.dict");
    let is_set = class.is(types.set_type)
        && matches!(&*name, "builtins.set" | "builtins.frozenset")
        || is(types.frozenset_type, "builtins.set");
    if !is_dict && !is_set && !is(types.list_type, "builtins.list") {
        return Ok(None);
    }
    let source = if is_dict {
        vm.call_method(other, "items", ())?
    } else {
        other.to_owned()
    };
    let Some(items) = some_items(vm, &source)? else {
        return Ok(None);
    };
    // The keys may be the peer's own objects, and their hashes what it says.
    if is_dict {
        let keys = items
            .iter()
            .filter_map(|item| item.downcast_ref::<PyTuple>());
        let keys = keys.filter_map(|pair| pair.as_slice().first());
        pieces::check_hashes(vm, keys.map(|key| &**key))?;
    } else if is_set {
        pieces::check_hashes(vm, items.iter().map(|item| &**item))?;
    }
    let items = vm.ctx.new_list(items);
    if is_dict {
        return types.dict_type.as_object().call((items,), vm).map(Some);
    }
    if is_set {
        return types.set_type.as_object().call((items,), vm).map(Some);
    }
    Ok(Some(items.into()))
}

/// The items of a peer's iterable, unless there are too many.
fn some_items(vm: &VirtualMachine, iterable: &PyObject) -> PyResult<Option<Vec<PyObjectRef>>> {
    let iterator = vm.call_method(iterable, "__iter__", ())?;
    let Some(proxy) = iterator.downcast_ref::<NetRef>() else {
        return Ok(None);
    };
    let Target::Peer(netref) = proxy.target() else {
        return Ok(None);
    };
    let mut items = Vec::new();
    loop {
        let count = [Any::from(CHUNK)];
        let chunk = detached(vm, || netref.request(Handler::BuffIter, count));
        let chunk = chunk.map_err(|error| to_python_exception(vm, &error.into()))?;
        let chunk = to_python(vm, proxy.session(), chunk)?;
        let Some(chunk) = chunk.downcast_ref::<PyTuple>() else {
            return Ok(None);
        };
        if chunk.as_slice().is_empty() {
            return Ok(Some(items));
        }
        items.extend(chunk.as_slice().iter().cloned());
        if items.len() > MAX_ITEMS {
            return Ok(None);
        }
    }
}

const CHUNK: i64 = 1000;
const MAX_ITEMS: usize = 100_000;
