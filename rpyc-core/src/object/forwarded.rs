//! A netref of one connection as a local object of another: RPyC over RPyC.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Any, Args, Context, IdParts, Identity, MethodInfo, Netref, Object, ObjectRef, ObjectResult,
    Space,
};
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
        match object.downcast_ref::<ForwardedObject>() {
            Some(forwarded) => Any::Netref(forwarded.netref.clone()),
            None => Any::Local(object),
        }
    }

    /// Whether the object lives elsewhere, and this side passes on what is asked of it.
    pub(crate) fn forwards(object: &ObjectRef) -> bool {
        object.downcast_ref::<ForwardedObject>().is_some()
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
        Ok(self.netref.attr(name)?)
    }

    fn set_attr(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        Ok(self.netref.set_attr(name, value)?)
    }

    fn del_attr(&self, _: &Context<'_>, name: &str) -> ObjectResult<()> {
        Ok(self.netref.del_attr(name)?)
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
        Ok(self.netref.remote_hash()?)
    }

    fn is_hashable(&self) -> bool {
        self.netref.may_be_hashable()
    }

    fn compare(&self, _: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        let args = [other.clone(), Any::from(op)];
        Ok(self.netref.request(Handler::Cmp, args)?)
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        Ok(self.netref.dir()?)
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(self.netref.inspect()?.into())
    }

    fn buffiter(&self, _: &Context<'_>, count: usize) -> ObjectResult<Vec<Any>> {
        Ok(self.netref.next_items(count)?)
    }

    fn exit(&self, _: &Context<'_>, exc: Any) -> ObjectResult {
        Ok(self.netref.leave(exc)?)
    }

    fn pickle(&self, _: &Context<'_>, protocol: i64) -> ObjectResult<Bytes> {
        Ok(self.netref.pickle(protocol)?)
    }

    fn is_subclass(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        let args = Args::from([other.clone()]);
        let answer = self.netref.call_method("__subclasscheck__", args)?;
        Ok(matches!(answer, Any::Value(Value::Bool(true))))
    }

    fn is_instance(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        match other {
            Any::Netref(other) if other.peer_number() == self.netref.peer_number() => {
                Ok(other.is_instance(&self.netref)?)
            }
            _ => Ok(false),
        }
    }
}
