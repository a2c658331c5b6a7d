//! What travels by reference: the [`Object`] trait, netrefs, and what crosses the API.
//!
//! The protocol's handlers are written once, against [`Object`]. A Rust service, a closure, an
//! evaluator's object and a netref of another connection are all implementations of it.

mod any;
mod args;
mod args_macro;
mod builtins;
mod callback;
pub mod class;
mod context_guard;
mod convert;
mod dict_macro;
mod exposed;
pub(crate) mod forwarded;
mod function;
pub(crate) mod identity;
mod iter;
pub(crate) mod netref;
mod operations;
pub(crate) mod pickled;
mod raised;
mod remote;
mod restricted;
mod stand_in;
mod typed;

use std::any::Any as StdAny;
use std::sync::Arc;

use bytes::Bytes;

pub use self::any::Any;
pub use self::args::Args;
pub use self::builtins::{Dict, Iter, List, Set};
pub use self::callback::{Callback, callback};
pub use self::class::{Class, ClassBuilder, Signature};
pub use self::context_guard::ContextGuard;
pub(crate) use self::convert::plain;
pub use self::convert::{FromAny, IntoAny, items};
#[doc(hidden)]
pub use self::convert::{from_plain, plain_or_name};
#[doc(hidden)]
pub use self::dict_macro::with_entry;
pub use self::exposed::{Expose, Exposed};
pub use self::function::Function;
use self::identity::python_hash;
pub use self::identity::{IdParts, Identity, Space};
pub use self::iter::RemoteIter;
pub use self::netref::Netref;
pub use self::operations::Comparison;
pub use self::raised::Raised;
pub use self::restricted::restricted;
pub use self::stand_in::ClassStandIn;
#[doc(hidden)]
pub use self::typed::TypedRequest;
pub use self::typed::{AsyncCall, CallResult, Timed};
pub use crate::exception::ConversionError;
use crate::exception::Exception;
pub use crate::session::Context;
use crate::wire::{PlainType, Str, Value};

/// A shared handle of an object.
pub type ObjectRef = Arc<dyn Object>;

/// A method's name and its docstring, as INSPECT reports it.
pub type MethodInfo = (Str, Option<Str>);

/// What an operation on an object gives: a result, or the exception that it raised.
pub type ObjectResult<T = Any> = Result<T, Exception>;

/// Which of the three attribute accesses is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // Python has exactly these three
pub enum Access {
    /// `getattr`
    Get,
    /// `setattr`
    Set,
    /// `delattr`
    Del,
}

/// Whatever a peer may hold a reference to.
///
/// Every operation has a default that answers as Python does for an object without it. All of
/// them run on an executing thread of the connection, never on its reader; they may block and
/// may call back into the peer through [`Context::connection`].
///
/// Access to attributes has been decided by the time a method here is called: `attr`,
/// `set_attr` and `del_attr` get the name that the policy settled on. An object that
/// wants to decide itself implements [`access_override`](Object::access_override).
#[allow(unused_variables)] // a default does without
pub trait Object: StdAny + Send + Sync {
    /// Names and identities that its id_pack is made of.
    fn id_parts(&self) -> IdParts;

    /// Gets the attribute `name`.
    ///
    /// # Errors
    /// An AttributeError where there is none.
    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        Err(self.no_attribute(name))
    }

    /// Whether there is an attribute `name`.
    fn has_attr(&self, cx: &Context<'_>, name: &str) -> bool {
        self.attr(cx, name).is_ok()
    }

    /// Sets the attribute `name`.
    ///
    /// # Errors
    /// An AttributeError where it can't be set.
    fn set_attr(&self, cx: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        Err(self.no_attribute(name))
    }

    /// Deletes the attribute `name`.
    ///
    /// # Errors
    /// An AttributeError where it can't be deleted.
    fn del_attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult<()> {
        Err(self.no_attribute(name))
    }

    /// `_rpyc_getattr`, `_rpyc_setattr` or `_rpyc_delattr`: decides an access alone.
    ///
    /// `None` leaves the decision to the connection's policy. `value` is given for
    /// [`Access::Set`] only.
    fn access_override(
        &self,
        cx: &Context<'_>,
        access: Access,
        name: &str,
        value: Option<&Any>,
    ) -> Option<ObjectResult> {
        None
    }

    /// Calls the object.
    ///
    /// # Errors
    /// What the call raised; a TypeError where it isn't callable.
    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        Err(is_not(&self.id_parts().name, "callable"))
    }

    /// Calls the method `name`, which the policy let through.
    ///
    /// # Errors
    /// What the access or the call raised.
    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        self.attr(cx, name)?.call_in(cx, args)
    }

    /// `repr(object)`
    ///
    /// # Errors
    /// What `__repr__` raised.
    fn repr(&self, cx: &Context<'_>) -> ObjectResult<Str> {
        let parts = self.id_parts();
        Ok(Str::from(format!("<{} object>", parts.name)))
    }

    /// `str(object)`
    ///
    /// # Errors
    /// What `__str__` raised.
    fn str(&self, cx: &Context<'_>) -> ObjectResult<Str> {
        self.repr(cx)
    }

    /// `hash(object)`; two references to one object hash alike.
    ///
    /// # Errors
    /// A TypeError where it isn't hashable.
    fn hash(&self, cx: &Context<'_>) -> ObjectResult<i64> {
        Ok(identity_hash(self))
    }

    /// Whether it can be a key of a [`Dict`] or an element of a [`Set`] of this side, which it is by
    /// its identity: not where Python would say `unhashable type`.
    fn is_hashable(&self) -> bool {
        true
    }

    /// A comparison: `op` is one of `__eq__ __ne__ __lt__ __gt__ __le__ __ge__ __cmp__`.
    ///
    /// The result may be `NotImplemented`, which lets the peer try the other operand.
    ///
    /// # Errors
    /// What the comparison raised.
    fn compare(&self, cx: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        Ok(compare_identity(self, op, other))
    }

    /// `dir(object)`
    ///
    /// # Errors
    /// What `__dir__` raised.
    fn dir(&self, cx: &Context<'_>) -> ObjectResult<Vec<Str>> {
        Ok(Vec::new())
    }

    /// Its methods as INSPECT reports them, along the whole class hierarchy.
    ///
    /// A Python proxy offers an operator only if its method stands here: `__call__`, `__iter__`,
    /// `__len__`, `__getitem__`, `__enter__`, ...
    ///
    /// # Errors
    /// What the inspection raised.
    fn methods(&self, cx: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(Arc::new([]))
    }

    /// The next item, where the object is an iterator; `None` at its end.
    ///
    /// # Errors
    /// What the iterator raised; a TypeError where it isn't one.
    fn next(&self, cx: &Context<'_>) -> ObjectResult<Option<Any>> {
        Err(is_not(&self.id_parts().name, "an iterator"))
    }

    /// Up to `count` items of the iterator. None at all say that it is at its end: the peer goes on
    /// asking until then, so that fewer than `count` may be given at any time.
    ///
    /// # Errors
    /// As [`next`](Object::next).
    fn buffiter(&self, cx: &Context<'_>, count: usize) -> ObjectResult<Vec<Any>> {
        let mut items = Vec::new();
        while items.len() < count {
            match self.next(cx)? {
                Some(item) => items.push(item),
                None => break,
            }
        }
        Ok(items)
    }

    /// Leaves the context manager: `exc` is `None`, the exception (a netref, or [`Raised`]), or (from
    /// stock clients) the exception's class as a netref.
    ///
    /// # Errors
    /// What `__exit__` raised.
    fn exit(&self, cx: &Context<'_>, exc: Any) -> ObjectResult {
        let args = match exc {
            Any::Value(Value::None) => [Any::NONE, Any::NONE, Any::NONE],
            exc => [exc.clone(), exc, Any::NONE],
        };
        self.call_method(cx, "__exit__", Args::from(args))
    }

    /// The object pickled, with the pickle protocol that the peer asked for.
    ///
    /// # Errors
    /// A TypeError where it can't be pickled.
    fn pickle(&self, cx: &Context<'_>, protocol: i64) -> ObjectResult<Bytes> {
        Err(Exception::type_error(format!(
            "cannot pickle '{}' object",
            short_name(&self.id_parts().name)
        )))
    }

    /// `isinstance(other, object)`, where the object is a class.
    ///
    /// # Errors
    /// A TypeError where the object isn't a class.
    fn is_instance(&self, cx: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        Err(Exception::type_error(
            "isinstance() arg 2 must be a class, type, or tuple of classes and types",
        ))
    }

    /// `issubclass(other, object)`, where the object is a class.
    ///
    /// # Errors
    /// A TypeError where one of the two isn't a class.
    fn is_subclass(&self, cx: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        Err(Exception::type_error(
            "issubclass() arg 2 must be a class, a tuple of classes, or a union",
        ))
    }

    /// `bool(object)`: what `__bool__` says; else whether `__len__` is other than 0; else true.
    ///
    /// # Errors
    /// What the method raised; a TypeError where it returned something else.
    fn is_true(&self, cx: &Context<'_>) -> ObjectResult<bool> {
        let methods = self.methods(cx)?;
        let has = |name: &str| methods.iter().any(|(known, _)| **known == *name);
        let method = match (has("__bool__"), has("__len__")) {
            (true, _) => "__bool__",
            (false, true) => "__len__",
            (false, false) => return Ok(true),
        };
        match self.call_method(cx, method, Args::new())? {
            Any::Value(Value::Bool(truth)) => Ok(truth),
            Any::Value(Value::Int(length)) => Ok(length.to_i64() != Some(0)),
            other => Err(Exception::type_error(format!(
                "{method} should return a bool or an int, not {}",
                other.type_name()
            ))),
        }
    }

    /// `type(object)`; what stands for the class of a Rust object tells its name and its methods.
    ///
    /// # Errors
    /// What the inspection raised.
    fn class(&self, cx: &Context<'_>) -> ObjectResult<ObjectRef> {
        Ok(Arc::new(ClassStandIn::new(
            self.id_parts(),
            self.methods(cx)?,
        )))
    }

    /// The type that the object is, if it is one of those that rpyc-ng takes by value.
    fn plain_type(&self) -> Option<PlainType> {
        None
    }

    /// The AttributeError for an attribute that isn't there, in Python's words.
    fn no_attribute(&self, name: &str) -> Exception {
        Exception::attribute_error(format!(
            "'{}' object has no attribute '{name}'",
            short_name(&self.id_parts().name)
        ))
    }
}

impl dyn Object {
    /// The object itself, where it is of this type.
    pub fn downcast_ref<T: Object>(&self) -> Option<&T> {
        let any: &dyn StdAny = self;
        any.downcast_ref()
    }
}

/// A hash that is the object's as long as it lives.
fn identity_hash(object: &(impl Object + ?Sized)) -> i64 {
    let parts = object.id_parts();
    python_hash(&parts.instance.unwrap_or(parts.class))
}

/// A comparison of what equals nothing but itself.
fn compare_identity(object: &(impl Object + ?Sized), op: &str, other: &Any) -> Any {
    let is_same = matches!(other, Any::Local(other) if other.id_parts() == object.id_parts());
    compared(op, is_same)
}

/// A comparison with what may be the same; with anything else the peer is to compare.
fn compared(op: &str, is_same: bool) -> Any {
    match op {
        "__eq__" if is_same => Any::from(true),
        "__ne__" if is_same => Any::from(false),
        _ => Any::Value(Value::NotImplemented),
    }
}

/// The TypeError for an operation that an object of this type hasn't, in Python's words.
fn is_not(name: &str, what: &str) -> Exception {
    Exception::type_error(format!("'{}' object is not {what}", short_name(name)))
}

/// `module.Class` without the module, as Python's messages have it.
fn short_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
