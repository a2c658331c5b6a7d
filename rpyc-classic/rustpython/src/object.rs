//! [`PyHandle`]: a Python object that peers may hold references to.

use std::sync::Arc;

use bytes::Bytes;
use rpyc_classic::target::pickle_protocol;
use rpyc_core::Exception;
use rpyc_core::object::{
    Access, Any, Args, Context, IdParts, MethodInfo, Object, ObjectRef, ObjectResult, Raised,
};
use rpyc_core::wire::{PlainType, Str};
use rustpython_vm::builtins::{PyBytes, PyStr, PyType};
use rustpython_vm::protocol::{PyIter, PyIterReturn};
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

use super::convert::{plain_type, to_any, to_func_args, to_python};
use super::exception::raise;
use super::interned;
use super::library::library;
use super::names::id_parts;
use super::plain_names;
use super::session::PythonSession;
use super::text::{strict_text, text};
use super::thread::Held;

/// A Python object, as the protocol sees it.
pub(super) struct PyHandle {
    held: Held,
    session: Arc<PythonSession>,
    // Settled when the object goes out: later it may be asked for where no Python may run.
    id_parts: IdParts,
    plain_type: Option<PlainType>,
    // Whether its class decides by itself who may do what.
    has_hooks: bool,
}

impl PyHandle {
    pub(super) fn new(
        vm: &VirtualMachine,
        session: &Arc<PythonSession>,
        object: PyObjectRef,
    ) -> PyHandle {
        PyHandle {
            id_parts: {
                let shared = session.shared();
                id_parts(vm, &shared.classes, shared.space, &object)
            },
            plain_type: plain_type(vm, &object),
            has_hooks: HOOKS.iter().any(|hook| {
                let hook = vm.ctx.intern_str(*hook);
                object.class().get_attr(hook).is_some()
            }),
            held: Held::new(object, &session.shared().source),
            session: session.clone(),
        }
    }

    /// The object; only for attached threads.
    pub(super) fn object(&self) -> &PyObjectRef {
        self.held.object()
    }

    /// Whether it belongs to the interpreter of that session.
    pub(super) fn is_of(&self, session: &Arc<PythonSession>) -> bool {
        Arc::ptr_eq(self.session.shared(), session.shared())
    }

    /// Does something in the interpreter; what it raises comes out with its traceback.
    fn run<R>(
        &self,
        work: impl FnOnce(&VirtualMachine, &PyObjectRef) -> PyResult<R>,
    ) -> ObjectResult<R> {
        self.session.run(|vm| work(vm, self.object()))
    }

    /// The same for an operation whose result goes to the peer.
    fn give(&self, work: impl FnOnce(&VirtualMachine, &PyObjectRef) -> PyResult) -> ObjectResult {
        self.run(|vm, object| Ok(to_any(vm, &self.session, work(vm, object)?)))
    }

    fn call_object(
        &self,
        vm: &VirtualMachine,
        cx: &Context<'_>,
        object: &PyObjectRef,
        args: Args,
    ) -> PyResult {
        let mut args = to_func_args(vm, &self.session, args)?;
        if cx.connection().dialect().has_names_in_bytes() {
            let as_text = self.session.shared().policy().names_as_text.object();
            args = plain_names::as_text(vm, as_text, self.session.namespace(vm)?, object, args)?;
        }
        // What looks at its caller finds none: a peer has no frame.
        match self.session.shared().policy().looks_at_caller(vm, object) {
            true => self.session.call_builtin(vm, object, args),
            false => object.call(args, vm),
        }
    }
}

impl Object for PyHandle {
    fn id_parts(&self) -> IdParts {
        self.id_parts.clone()
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.give(|vm, object| object.get_attr(&vm.ctx.new_str(name), vm))
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        let found = self.run(|vm, object| object.has_attr(&vm.ctx.new_str(name), vm));
        found.unwrap_or(false)
    }

    fn set_attr(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        self.run(|vm, object| {
            let value = to_python(vm, &self.session, value)?;
            if object.downcast_ref::<PyType>().is_some() && !interned::admit(vm, name) {
                return Err(vm.new_memory_error("no room for more names of attributes of classes"));
            }
            object.set_attr(&vm.ctx.new_str(name), value, vm)
        })
    }

    fn del_attr(&self, _: &Context<'_>, name: &str) -> ObjectResult<()> {
        self.run(|vm, object| {
            // The interpreter would keep the name, though the class has no such attribute.
            if let Some(class) = object.downcast_ref::<PyType>()
                && class.class().is(vm.ctx.types.type_type)
                && vm.ctx.interned_str(name).is_none()
            {
                let class = class.name().to_string();
                let message = format!("type object '{class}' has no attribute '{name}'");
                return Err(vm.new_attribute_error(message));
            }
            object.del_attr(&vm.ctx.new_str(name), vm)
        })
    }

    fn access_override(
        &self,
        _: &Context<'_>,
        access: Access,
        name: &str,
        value: Option<&Any>,
    ) -> Option<ObjectResult> {
        if !self.has_hooks {
            return None;
        }
        let [get, set, delete] = HOOKS;
        let hook = match access {
            Access::Get => get,
            Access::Set => set,
            Access::Del => delete,
        };
        let outcome = self.run(|vm, object| {
            let Some(hook) = object.class().get_attr(vm.ctx.intern_str(hook)) else {
                return Ok(None);
            };
            let mut args = vec![object.clone(), vm.ctx.new_str(name).into()];
            if let Some(value) = value {
                args.push(to_python(vm, &self.session, value.clone())?);
            }
            let result = hook.call(args, vm)?;
            Ok(Some(to_any(vm, &self.session, result)))
        });
        outcome.transpose()
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        self.give(|vm, object| self.call_object(vm, cx, object, args))
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        self.give(|vm, object| {
            let method = object.get_attr(&vm.ctx.new_str(name), vm)?;
            self.call_object(vm, cx, &method, args)
        })
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        // Python's repr has escapes for them, RustPython's has them as they are.
        self.run(|vm, object| Ok(text(&*object.repr(vm)?)))
    }

    fn str(&self, _: &Context<'_>) -> ObjectResult<Str> {
        self.run(|vm, object| strict_text(vm, &*object.str(vm)?))
    }

    fn hash(&self, _: &Context<'_>) -> ObjectResult<i64> {
        self.run(|vm, object| object.hash(vm))
    }

    fn compare(&self, _: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        self.give(|vm, object| {
            let other = to_python(vm, &self.session, other.clone())?;
            let compare = self.session.shared().policy().compare.object();
            compare.call((object.clone(), vm.ctx.new_str(op), other), vm)
        })
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        self.run(|vm, object| {
            let names = vm.dir(Some(object.clone()))?;
            let names = names.borrow_vec();
            let names = names.iter().filter_map(|name| name.downcast_ref::<PyStr>());
            Ok(names.map(text).collect())
        })
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        self.run(|vm, object| self.session.shared().methods(vm, object))
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        self.run(|vm, object| {
            let next = PyIter::new(object.as_object()).next(vm)?;
            Ok(match next {
                PyIterReturn::Return(item) => Some(to_any(vm, &self.session, item)),
                PyIterReturn::StopIteration(_) => None,
            })
        })
    }

    fn buffiter(&self, _: &Context<'_>, count: usize) -> ObjectResult<Vec<Any>> {
        self.run(|vm, object| {
            let iterator = object.get_iter(vm)?;
            let mut items = Vec::new();
            while items.len() < count {
                match iterator.next(vm)? {
                    PyIterReturn::Return(item) => items.push(to_any(vm, &self.session, item)),
                    PyIterReturn::StopIteration(_) => break,
                }
            }
            Ok(items)
        })
    }

    fn exit(&self, _: &Context<'_>, exc: Any) -> ObjectResult {
        self.give(|vm, object| {
            let shared = self.session.shared();
            let exc = match Raised::of(&exc) {
                Some(raised) => raise(vm, shared, raised).into(),
                None => to_python(vm, &self.session, exc)?,
            };
            shared
                .policy()
                .leave
                .object()
                .call((object.clone(), exc), vm)
        })
    }

    fn pickle(&self, _: &Context<'_>, protocol: i64) -> ObjectResult<Bytes> {
        self.run(|vm, object| {
            let pickle = library(vm, "pickle")?;
            let dumps = pickle.get_attr("dumps", vm)?;
            let protocol = vm.ctx.new_int(pickle_protocol(protocol));
            let pickled = dumps.call((object.clone(), protocol), vm)?;
            match pickled.downcast_ref::<PyBytes>() {
                Some(bytes) => Ok(Bytes::copy_from_slice(bytes.as_bytes())),
                None => Err(vm.new_type_error("pickle.dumps() returned no bytes")),
            }
        })
    }

    fn is_instance(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        self.run(|vm, object| {
            let other = to_python(vm, &self.session, other.clone())?;
            other.is_instance(object, vm)
        })
    }

    fn is_subclass(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        self.run(|vm, object| {
            let other = to_python(vm, &self.session, other.clone())?;
            other.is_subclass(object, vm)
        })
    }

    fn is_true(&self, _: &Context<'_>) -> ObjectResult<bool> {
        self.run(|vm, object| object.clone().is_true(vm))
    }

    fn class(&self, _: &Context<'_>) -> ObjectResult<ObjectRef> {
        self.run(|vm, object| {
            let class = object.class().to_owned().into();
            let class: ObjectRef = Arc::new(PyHandle::new(vm, &self.session, class));
            Ok(class)
        })
    }

    fn plain_type(&self) -> Option<PlainType> {
        self.plain_type
    }

    fn no_attribute(&self, name: &str) -> Exception {
        let class = self.id_parts.name.rsplit('.').next().unwrap_or_default();
        Exception::attribute_error(format!("'{class}' object has no attribute '{name}'"))
    }
}

/// By which a class decides; whether there are any is seen when the object goes out.
const HOOKS: [&str; 3] = ["_rpyc_getattr", "_rpyc_setattr", "_rpyc_delattr"];
