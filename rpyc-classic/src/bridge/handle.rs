//! [`Handle`]: a Python object that peers may hold references to.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rpyc_core::Exception;
use rpyc_core::object::{
    Access, Any, Args, Context, IdParts, MethodInfo, Object, ObjectRef, ObjectResult,
};
use rpyc_core::wire::{PlainType, Str, Value};

use super::shared::Functions;
use super::{PySession, Runtime, Shared};
use crate::target::pickle_protocol;

/// A Python object, as the protocol sees it.
pub struct Handle<P: Runtime> {
    held: P::Held,
    session: Arc<PySession<P>>,
    // Settled when the object goes out: later it may be asked for where no Python may run.
    id_parts: IdParts,
    plain_type: Option<PlainType>,
    // Whether its class decides by itself who may do what.
    has_hooks: bool,
}

impl<P: Runtime> Handle<P> {
    pub(super) fn new<'a>(
        vm: P::Vm<'a>,
        session: &Arc<PySession<P>>,
        object: P::Object<'a>,
    ) -> Result<Handle<P>, P::Error> {
        let shared = session.shared();
        let (id_parts, has_hooks) = P::identify(vm, shared, &object)?;
        let is_class = id_parts.instance.is_none();
        Ok(Handle {
            plain_type: is_class.then(|| shared.plain_type(vm, &object)).flatten(),
            held: shared.runtime.hold(object),
            session: session.clone(),
            id_parts,
            has_hooks,
        })
    }

    /// The object.
    pub(super) fn object<'a>(&self, vm: P::Vm<'a>) -> P::Object<'a> {
        P::held(vm, &self.held)
    }

    /// Whether it belongs to the interpreter of that session.
    pub(super) fn is_of(&self, session: &Arc<PySession<P>>) -> bool {
        Arc::ptr_eq(self.session.shared(), session.shared())
    }

    /// Does something in the interpreter; what it raises comes out with its traceback.
    fn run<R>(
        &self,
        work: impl for<'a> FnOnce(P::Vm<'a>, P::Object<'a>) -> Result<R, P::Error>,
    ) -> ObjectResult<R> {
        self.session.run(|vm| work(vm, self.object(vm)))
    }

    /// What a function of the sources makes of the object and `others`: the way of all that isn't hot.
    fn ask(
        &self,
        function: impl FnOnce(&Functions<P::Held>) -> &P::Held,
        others: impl IntoIterator<Item = Any>,
    ) -> ObjectResult {
        let function = function(&self.session.shared().functions);
        self.run(|vm, object| {
            let mut args = vec![object];
            for other in others {
                args.push(self.session.to_python(vm, other)?);
            }
            let answer = Shared::<P>::call(vm, function, args)?;
            self.session.to_any(vm, &answer)
        })
    }

    fn call_object<'a>(
        &self,
        vm: P::Vm<'a>,
        cx: &Context<'_>,
        function: &P::Object<'a>,
        args: Args,
    ) -> Result<Any, P::Error> {
        let (mut args, mut named) = self.session.from_args(vm, args)?;
        if cx.connection().dialect().has_names_in_bytes() {
            (args, named) = self.session.names_as_text(vm, function, args, named)?;
        }
        // What looks at its caller finds none: a peer has no frame.
        let result = match self.session.shared().looks_at_caller(vm, function) {
            true => self.session.call_builtin(vm, function, args, named),
            false => P::call(vm, function, args, named),
        };
        self.session.to_any(vm, &result?)
    }
}

impl<P: Runtime> Object for Handle<P> {
    fn id_parts(&self) -> IdParts {
        self.id_parts.clone()
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.run(|vm, object| self.session.to_any(vm, &P::attr(vm, &object, name)?))
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        let found = self.run(|vm, object| Ok(P::attr(vm, &object, name).is_ok()));
        found.unwrap_or(false)
    }

    fn set_attr(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        self.run(|vm, object| P::set_attr(vm, &object, name, self.session.to_python(vm, value)?))
    }

    fn del_attr(&self, _: &Context<'_>, name: &str) -> ObjectResult<()> {
        self.run(|vm, object| P::del_attr(vm, &object, name))
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
        let hook = match access {
            Access::Get => "_rpyc_getattr",
            Access::Set => "_rpyc_setattr",
            Access::Del => "_rpyc_delattr",
        };
        let args = [Any::from(hook), Any::from(name)];
        let said = self.ask(|its| &its.call_hook, args.into_iter().chain(value.cloned()));
        said.and_then(items)
            .map(|said| said.into_iter().next())
            .transpose()
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        self.run(|vm, object| self.call_object(vm, cx, &object, args))
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        self.run(|vm, object| self.call_object(vm, cx, &P::attr(vm, &object, name)?, args))
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        self.ask(|its| &its.to_repr, None).and_then(text)
    }

    fn str(&self, _: &Context<'_>) -> ObjectResult<Str> {
        self.ask(|its| &its.to_str, None).and_then(text)
    }

    fn hash(&self, _: &Context<'_>) -> ObjectResult<i64> {
        self.run(|vm, object| P::hash(vm, &object))
    }

    fn compare(&self, _: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        self.ask(|its| &its.compare, [Any::from(op), other.clone()])
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        let names = self.ask(|its| &its.names, None)?;
        items(names)?.into_iter().map(text).collect()
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        let methods = items(self.ask(|its| &its.methods, None)?)?;
        let methods = methods.into_iter().map(|method| {
            let mut parts = items(method)?.into_iter();
            let name = parts.next().map(text).transpose()?.unwrap_or_default();
            Ok((name, parts.next().and_then(|doc| text(doc).ok())))
        });
        methods.collect()
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        let next = self.ask(|its| &its.next_item, None)?;
        Ok(items(next)?.into_iter().next())
    }

    fn buffiter(&self, _: &Context<'_>, count: usize) -> ObjectResult<Vec<Any>> {
        self.ask(|its| &its.buffiter, [Any::from(count as u64)])
            .and_then(items)
    }

    fn exit(&self, _: &Context<'_>, exc: Any) -> ObjectResult {
        self.ask(|its| &its.leave, [exc])
    }

    fn pickle(&self, _: &Context<'_>, protocol: i64) -> ObjectResult<Bytes> {
        let pickled = self.ask(|its| &its.pickled, [Any::from(pickle_protocol(protocol))])?;
        match pickled {
            Any::Value(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(wrong()),
        }
    }

    fn is_instance(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        self.ask(|its| &its.has_instance, [other.clone()])
            .and_then(truth)
    }

    fn is_subclass(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        self.ask(|its| &its.has_subclass, [other.clone()])
            .and_then(truth)
    }

    fn is_true(&self, _: &Context<'_>) -> ObjectResult<bool> {
        self.ask(|its| &its.is_true, None).and_then(truth)
    }

    fn class(&self, _: &Context<'_>) -> ObjectResult<ObjectRef> {
        match self.ask(|its| &its.class_of, None)? {
            Any::Local(class) => Ok(class),
            _ => Err(wrong()),
        }
    }

    fn plain_type(&self) -> Option<PlainType> {
        self.plain_type
    }

    fn no_attribute(&self, name: &str) -> Exception {
        let class = self.id_parts.name.rsplit('.').next().unwrap_or_default();
        Exception::attribute_error(format!("'{class}' object has no attribute '{name}'"))
    }
}

impl<P: Runtime> fmt::Debug for Handle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.id_parts).finish()
    }
}

fn items(answer: Any) -> ObjectResult<Vec<Any>> {
    answer.into_items().map_err(|_| wrong())
}

fn text(answer: Any) -> ObjectResult<Str> {
    match answer {
        Any::Value(Value::Str(text)) => Ok(text),
        _ => Err(wrong()),
    }
}

fn truth(answer: Any) -> ObjectResult<bool> {
    match answer {
        Any::Value(Value::Bool(flag)) => Ok(flag),
        _ => Err(wrong()),
    }
}

/// The sources give what is expected, unless a client has broken what they need.
fn wrong() -> Exception {
    Exception::type_error("a function of the evaluator's gives something unexpected")
}
