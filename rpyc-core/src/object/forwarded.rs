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

/// Operations of an object, and the netref's that they are.
macro_rules! of_netref {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $answer:ty = $of_netref:ident;)*) => {
        $(
            fn $name(&self, _: &Context<'_>, $($arg: $kind),*) -> ObjectResult<$answer> {
                Ok(self.netref.$of_netref($($arg),*)?)
            }
        )*
    };
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

    of_netref! {
        attr(name: &str) -> Any = attr;
        set_attr(name: &str, value: Any) -> () = set_attr;
        del_attr(name: &str) -> () = del_attr;
        call(args: Args) -> Any = call;
        call_method(name: &str, args: Args) -> Any = call_method;
        repr() -> Str = repr;
        str() -> Str = str;
        hash() -> i64 = remote_hash;
        dir() -> Vec<Str> = dir;
        buffiter(count: usize) -> Vec<Any> = next_items;
        exit(exc: Any) -> Any = leave;
        pickle(protocol: i64) -> Bytes = pickle;
    }

    fn is_hashable(&self) -> bool {
        self.netref.may_be_hashable()
    }

    fn compare(&self, _: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        let args = [other.clone(), Any::from(op)];
        Ok(self.netref.request(Handler::Cmp, args)?)
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(self.netref.inspect()?.into())
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
