//! [`Exposed`]: a Rust value as an object that peers can use.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::class::{Class, Member, Method, Property};
use super::{
    Access, Any, Args, Context, FromAny, Function, IdParts, Identity, IntoAny, MethodInfo, Object,
    ObjectRef, ObjectResult, compare_identity, identity_hash, is_not,
};
use crate::exception::Exception;
use crate::wire::{Str, Value};

/// A Rust type that knows what it shows to peers; the attribute macros implement it.
pub trait Expose: Send + Sync + Sized + 'static {
    /// Its class: the same one each time.
    fn class() -> Arc<Class<Self>>;
}

/// A Rust value as an object that peers can use: a shared handle, cheap to clone.
///
/// Clones are the same object. It derefs to the value, so that the program itself goes on using
/// it; interior mutability is the value's own business.
pub struct Exposed<T>(Arc<Inner<T>>);

struct Inner<T> {
    class: Arc<Class<T>>,
    value: T,
}

impl<T: Expose> Exposed<T> {
    /// Exposes a value by its type's own class.
    pub fn new(value: T) -> Exposed<T> {
        Exposed::of_class(T::class(), value)
    }
}

impl<T: Send + Sync + 'static> Exposed<T> {
    /// Exposes a value by a class that was made by hand.
    pub fn of_class(class: impl Into<Arc<Class<T>>>, value: T) -> Exposed<T> {
        Exposed(Arc::new(Inner {
            class: class.into(),
            value,
        }))
    }

    /// The class it is shown by.
    pub fn class(&self) -> &Arc<Class<T>> {
        &self.0.class
    }

    /// The object, for what takes any.
    pub fn object(&self) -> ObjectRef {
        Arc::new(self.clone())
    }

    fn bound(&self, method: &Arc<Method<T>>) -> Function {
        let class = &self.0.class;
        let qualified = format!("{}.{}", class.name(), method.name);
        let (this, called) = (self.clone(), method.clone());
        let function = Function::new(&qualified, move |cx, args| called.call(&this, cx, args));
        let function = match &method.doc {
            Some(doc) => function.doc(doc),
            None => function,
        };
        function.of_module(&class.module).bound_to(self.object())
    }

    /// The property of this name, which is to be changed.
    fn property(&self, cx: &Context<'_>, name: &str) -> ObjectResult<&Property<T>> {
        match self.0.class.member(cx, name) {
            Some(Member::Property(property)) => Ok(property),
            Some(Member::Method(_) | Member::Constant(_)) => {
                let class = self.0.class.name();
                let text = format!("'{class}' object attribute '{name}' is read-only");
                Err(Exception::attribute_error(text))
            }
            None => Err(self.no_attribute(name)),
        }
    }

    /// The AttributeError for a part that a property is without.
    fn without(&self, property: &Property<T>, what: &str) -> Exception {
        let (name, class) = (&property.name, self.0.class.name());
        Exception::attribute_error(format!(
            "property '{name}' of '{class}' object has no {what}"
        ))
    }

    /// Calls a dunder method, if there is one.
    fn special<const N: usize>(
        &self,
        cx: &Context<'_>,
        name: &str,
        args: [Any; N],
    ) -> Option<ObjectResult> {
        let method = self.0.class.method(name)?;
        Some(method.call(self, cx, Args::from(args)))
    }
}

impl<T: Send + Sync + 'static> Object for Exposed<T> {
    fn id_parts(&self) -> IdParts {
        let name = self.0.class.full_name.clone();
        IdParts {
            class: Identity::of_class(&name),
            name,
            instance: Some(Identity::of(&*self.0)),
        }
    }

    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        match self.0.class.member(cx, name) {
            Some(Member::Method(method)) => Ok(Any::object(self.bound(method))),
            Some(Member::Property(property)) => match &property.get {
                Some(get) => get(self, cx),
                None => Err(self.without(property, "getter")),
            },
            Some(Member::Constant(any)) => Ok(any.clone()),
            None if name == "__doc__" => self.0.class.doc().cloned().into_any(),
            None => Err(self.no_attribute(name)),
        }
    }

    fn has_attr(&self, cx: &Context<'_>, name: &str) -> bool {
        name == "__doc__" || self.0.class.member(cx, name).is_some()
    }

    fn set_attr(&self, cx: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        let property = self.property(cx, name)?;
        let set = property.set.as_ref();
        set.ok_or_else(|| self.without(property, "setter"))?(self, cx, value)
    }

    fn del_attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult<()> {
        let property = self.property(cx, name)?;
        let del = property.del.as_ref();
        del.ok_or_else(|| self.without(property, "deleter"))?(self, cx)
    }

    fn access_override(
        &self,
        _: &Context<'_>,
        access: Access,
        _: &str,
        _: Option<&Any>,
    ) -> Option<ObjectResult> {
        // A service's attributes can't be changed by a peer, whatever the config says.
        let changes = matches!(access, Access::Set | Access::Del);
        let denied = changes && self.0.class.is_service;
        denied.then(|| Err(Exception::attribute_error("access denied")))
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        let method = self.0.class.method("__call__");
        let method = method.ok_or_else(|| is_not(self.0.class.name(), "callable"))?;
        method.call(self, cx, args)
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        match self.0.class.member(cx, name) {
            // It gets as many as it takes: the exception alone, or Python's type, value and traceback.
            Some(Member::Method(method)) if name == "__exit__" => {
                let given = args.positional;
                let exc = given.get(1).or(given.first()).unwrap_or(&Any::NONE).clone();
                let passed = match method.most {
                    Some(0) => Vec::new(),
                    Some(1) => vec![exc],
                    _ => vec![exc.clone(), exc, Any::NONE],
                };
                method.call(self, cx, Args::from(passed))
            }
            Some(Member::Method(method)) => method.call(self, cx, args),
            _ => self.attr(cx, name)?.call_in(cx, args),
        }
    }

    fn repr(&self, cx: &Context<'_>) -> ObjectResult<Str> {
        match self.special(cx, "__repr__", []) {
            Some(text) => as_text(text?, "__repr__"),
            None => Ok(Str::from(format!(
                "<{} object at {:#x}>",
                self.0.class.full_name,
                identity_hash(self)
            ))),
        }
    }

    fn str(&self, cx: &Context<'_>) -> ObjectResult<Str> {
        match self.special(cx, "__str__", []) {
            Some(text) => as_text(text?, "__str__"),
            None => self.repr(cx),
        }
    }

    fn hash(&self, cx: &Context<'_>) -> ObjectResult<i64> {
        match self.special(cx, "__hash__", []) {
            Some(hash) => {
                let number = hash?.as_value().and_then(Value::as_i64);
                let wrong = || Exception::type_error("__hash__ method should return an integer");
                number.ok_or_else(wrong)
            }
            None if !self.is_hashable() => Err(Exception::type_error(format!(
                "unhashable type: '{}'",
                self.0.class.name()
            ))),
            None => Ok(identity_hash(self)),
        }
    }

    fn is_hashable(&self) -> bool {
        // As in Python: who defines equality defines the hash, or has none.
        let defines = |name| self.0.class.method(name).is_some();
        defines("__hash__") || !defines("__eq__")
    }

    fn compare(&self, cx: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        if let Some(result) = self.special(cx, op, [other.clone()]) {
            return result;
        }
        if op == "__ne__"
            && let Some(equal) = self.special(cx, "__eq__", [other.clone()])
        {
            return Ok(match equal? {
                Any::Value(Value::Bool(equal)) => Any::from(!equal),
                other => other,
            });
        }
        Ok(compare_identity(self, op, other))
    }

    fn dir(&self, cx: &Context<'_>) -> ObjectResult<Vec<Str>> {
        match self.special(cx, "__dir__", []) {
            Some(names) => Ok(Vec::from_any(names?)?),
            None => Ok(self.0.class.dir.clone()),
        }
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(self.0.class.methods.clone())
    }

    fn next(&self, cx: &Context<'_>) -> ObjectResult<Option<Any>> {
        match self.special(cx, "__next__", []) {
            Some(Ok(item)) => Ok(Some(item)),
            Some(Err(exception)) if exception.is("StopIteration") => Ok(None),
            Some(Err(exception)) => Err(exception),
            None => Err(is_not(self.0.class.name(), "an iterator")),
        }
    }
}

fn as_text(any: Any, method: &str) -> ObjectResult<Str> {
    match any {
        Any::Value(Value::Str(text)) => Ok(text),
        other => Err(Exception::type_error(format!(
            "{method} returned non-string (type {})",
            other.type_name()
        ))),
    }
}

impl<T> Clone for Exposed<T> {
    fn clone(&self) -> Exposed<T> {
        Exposed(self.0.clone())
    }
}

impl<T> Deref for Exposed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> fmt::Debug for Exposed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<exposed {:?}>", self.0.class)
    }
}
