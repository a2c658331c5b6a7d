//! [`Any`]: whatever crosses a connection.

use std::fmt;

use super::{Args, Context, Netref, Object, ObjectRef, is_not};
use crate::exception::Exception;
use crate::wire::{Str, Value, heap_size};

/// Whatever crosses a connection: a plain value, a tuple, a local object or a netref.
///
/// Plain values are copied to the peer; local objects are handed out by reference, as
/// a netref at the peer's side; a netref goes back to its owner as the very object that it
/// stands for. A tuple is copied, its items are treated one by one.
#[derive(Clone)]
pub enum Any {
    /// An immutable value, passed by value.
    Value(Value),
    /// A tuple that holds at least one reference.
    Tuple(Vec<Any>),
    /// An object of this process, passed by reference.
    Local(ObjectRef),
    /// A reference to an object of a peer's.
    Netref(Netref),
}

impl Any {
    /// Python's `None`.
    pub const NONE: Any = Any::Value(Value::None);

    /// A tuple of the items; by value where every item is a plain value.
    pub fn tuple(items: impl IntoIterator<Item = Any>) -> Any {
        let items: Vec<Any> = items.into_iter().collect();
        if items.is_empty() {
            return Any::Value(Value::Tuple(Vec::new()));
        }
        if items.iter().all(|item| matches!(item, Any::Value(_))) {
            let values = items.into_iter().filter_map(Any::into_value);
            return Any::Value(Value::Tuple(values.collect()));
        }
        Any::Tuple(items)
    }

    /// An object of this process, to be passed by reference.
    pub fn object(object: impl Object) -> Any {
        Any::Local(std::sync::Arc::new(object))
    }

    /// The plain value, if it is one.
    pub fn as_value(&self) -> Option<&Value> {
        match self {
            Any::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The plain value, if it is one.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Any::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The object of this process, if it is one of this type.
    pub fn as_object<T: Object>(&self) -> Option<&T> {
        match self {
            Any::Local(object) => object.downcast_ref(),
            _ => None,
        }
    }

    /// The text, if it is a str.
    pub fn as_str(&self) -> Option<&str> {
        self.as_value().and_then(Value::as_str)
    }

    /// Whether it is Python's `None`.
    pub fn is_none(&self) -> bool {
        matches!(self, Any::Value(Value::None))
    }

    /// The items, if it is a tuple of either kind.
    ///
    /// # Errors
    /// The thing itself, where it is no tuple.
    pub fn into_items(self) -> Result<Vec<Any>, Any> {
        match self {
            Any::Tuple(items) => Ok(items),
            Any::Value(Value::Tuple(items)) if items.is_empty() => Ok(Vec::new()),
            Any::Value(Value::Tuple(items)) => Ok(items.into_iter().map(Any::Value).collect()),
            other => Err(other),
        }
    }

    /// The name of its type as Python would print it: `int`, `tuple`, `mymodule.Thing`.
    pub fn type_name(&self) -> Str {
        match self {
            Any::Value(value) => Str::from(value.type_name()),
            Any::Tuple(_) => Str::from("tuple"),
            Any::Local(object) => object.id_parts().name,
            Any::Netref(netref) => netref.id_pack().name.clone(),
        }
    }

    /// The bytes of memory that it holds beside itself, about. A local object is its owner's.
    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Any::Value(value) => value.heap_size(),
            Any::Local(_) => 0,
            Any::Tuple(_) | Any::Netref(_) => self.heap_size_by_reference(),
        }
    }

    #[inline(never)]
    fn heap_size_by_reference(&self) -> usize {
        match self {
            Any::Tuple(items) => heap_size::items(items, Any::heap_size),
            Any::Netref(netref) => netref.heap_size(),
            Any::Value(_) | Any::Local(_) => self.heap_size(),
        }
    }

    /// Calls it, in a handler that may be given objects of either side: one of this side's own that
    /// came back is called here, a netref's at its owner. What is surely the peer's, a callback
    /// mostly, needs no context: [`call`](Any::call).
    ///
    /// # Errors
    /// What the call raised; a TypeError where it is a plain value.
    pub fn call_in(&self, cx: &Context<'_>, args: Args) -> Result<Any, Exception> {
        match self {
            Any::Local(object) => object.call(cx, args.checked()?),
            Any::Netref(netref) => netref.call(args).map_err(Exception::from),
            Any::Value(_) | Any::Tuple(_) => Err(is_not(&self.type_name(), "callable")),
        }
    }
}

impl fmt::Debug for Any {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Any::Value(value) => value.fmt(f),
            Any::Tuple(items) => f.debug_list().entries(items).finish(),
            Any::Local(object) => write!(f, "<local {}>", object.id_parts().name),
            Any::Netref(netref) => netref.fmt(f),
        }
    }
}

impl<T: Into<Value>> From<T> for Any {
    fn from(value: T) -> Any {
        Any::Value(value.into())
    }
}

impl From<Netref> for Any {
    fn from(netref: Netref) -> Any {
        Any::Netref(netref)
    }
}

impl From<ObjectRef> for Any {
    fn from(object: ObjectRef) -> Any {
        Any::Local(object)
    }
}
