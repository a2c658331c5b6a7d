//! A netref of one connection as a local object of another: RPyC over RPyC.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Any, Args, Context, IdParts, Identity, MethodInfo, Netref, Object, ObjectRef, ObjectResult,
    Space,
};
use crate::exception::Exception;
use crate::wire::{Handler, InstanceId, Str, Value};

/// Forwards every operation to the connection that the netref came over.
///
/// It gets ids of the connection that it goes out on, its class mapped one to one; the name stays.
/// The peer who holds it can't hold the connection that it came over: that stays open for it.
#[derive(Debug)]
pub(crate) struct ForwardedObject {
    netref: Netref,
    // The number of the connection that it goes out on.
    holder: Option<u64>,
}

impl ForwardedObject {
    /// For use on this side.
    pub(crate) fn new(netref: Netref) -> ForwardedObject {
        ForwardedObject {
            netref,
            holder: None,
        }
    }

    /// For the peer of the connection of this number.
    pub(crate) fn handed_on(netref: Netref, holder: u64) -> ForwardedObject {
        netref.link().retain_for(holder);
        ForwardedObject {
            netref,
            holder: Some(holder),
        }
    }

    /// The netref itself, where that's what the object is: it comes back as it went out.
    pub(crate) fn unwrap(object: ObjectRef) -> Any {
        let any: &dyn std::any::Any = &*object;
        match any.downcast_ref::<ForwardedObject>() {
            Some(forwarded) => Any::Netref(forwarded.netref.clone()),
            None => Any::Local(object),
        }
    }

    /// Whether the object lives elsewhere, and this side passes on what is asked of it.
    pub(crate) fn forwards(object: &ObjectRef) -> bool {
        let any: &dyn std::any::Any = &**object;
        any.is::<ForwardedObject>()
    }

    fn ask(&self, handler: Handler, args: impl IntoIterator<Item = Any>) -> ObjectResult {
        self.netref.request(handler, args).map_err(Exception::from)
    }
}

impl Drop for ForwardedObject {
    fn drop(&mut self) {
        if let Some(holder) = self.holder {
            self.netref.link().release_for(holder);
        }
    }
}

impl Object for ForwardedObject {
    fn id_parts(&self) -> IdParts {
        let id_pack = self.netref.id_pack();
        let space = Space::of_connection(self.netref.peer_number());
        IdParts {
            name: id_pack.name.clone(),
            class: Identity::new(space, id_pack.class.0),
            instance: match id_pack.instance {
                InstanceId(0) => None,
                InstanceId(id) => Some(Identity::new(space, id)),
            },
        }
    }

    // The policy of the connection that it goes out on has let the name through; the owner's
    // decides as well.

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.ask(Handler::GetAttr, [Any::from(name)])
    }

    fn set_attr(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        self.ask(Handler::SetAttr, [Any::from(name), value])
            .map(drop)
    }

    fn del_attr(&self, _: &Context<'_>, name: &str) -> ObjectResult<()> {
        self.ask(Handler::DelAttr, [Any::from(name)]).map(drop)
    }

    fn call(&self, _: &Context<'_>, args: Args) -> ObjectResult {
        Ok(self.netref.call(args)?)
    }

    fn call_method(&self, _: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        Ok(self.netref.call_method(name, args)?)
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        Ok(self.netref.repr()?)
    }

    fn str(&self, _: &Context<'_>) -> ObjectResult<Str> {
        Ok(self.netref.str()?)
    }

    fn hash(&self, _: &Context<'_>) -> ObjectResult<i64> {
        let hash = self.ask(Handler::Hash, [])?;
        let number = hash.as_value().and_then(Value::as_i64);
        number.ok_or_else(|| Exception::type_error("__hash__ method should return an integer"))
    }

    fn is_hashable(&self) -> bool {
        self.netref.may_be_hashable()
    }

    fn compare(&self, _: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        self.ask(Handler::Cmp, [other.clone(), Any::from(op)])
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        let names = self.ask(Handler::Dir, [])?.into_items();
        let names = names.map_err(|_| Exception::type_error("dir() should return names"))?;
        let names = names.into_iter().filter_map(|name| match name {
            Any::Value(Value::Str(name)) => Some(name),
            _ => None,
        });
        Ok(names.collect())
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(self.netref.inspect()?.into())
    }

    fn buffiter(&self, _: &Context<'_>, count: usize) -> ObjectResult<Vec<Any>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let items = self
            .ask(Handler::BuffIter, [Any::from(count)])?
            .into_items();
        items.map_err(|_| Exception::type_error("BUFFITER should return a tuple"))
    }

    fn exit(&self, _: &Context<'_>, exc: Any) -> ObjectResult {
        Ok(self.netref.leave(exc)?)
    }

    fn pickle(&self, _: &Context<'_>, protocol: i64) -> ObjectResult<Bytes> {
        match self.ask(Handler::Pickle, [Any::from(protocol)])? {
            Any::Value(Value::Bytes(bytes)) => Ok(bytes),
            other => Err(Exception::type_error(format!(
                "PICKLE should return bytes, not {}",
                other.type_name()
            ))),
        }
    }

    fn is_subclass(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        let args = Args::from([other.clone()]);
        let answer = self.netref.call_method("__subclasscheck__", args)?;
        Ok(matches!(answer, Any::Value(Value::Bool(true))))
    }

    fn is_instance(&self, cx: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        let _ = cx;
        let Any::Netref(other) = other else {
            return Ok(false);
        };
        if other.peer_number() != self.netref.peer_number() {
            return Ok(false);
        }
        let id_pack = Any::Value(other.id_pack().to_value());
        let answer = self.ask(Handler::InstanceCheck, [id_pack])?;
        Ok(matches!(answer, Any::Value(Value::Bool(true))))
    }
}
