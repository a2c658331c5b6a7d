//! What can be done with a remote object: Python's operators, each at its owner.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::netref::{expect, text, unexpected};
use super::{Any, Args, ContextGuard, IntoAny, Netref, RemoteIter, Timed};
use crate::error::Error;
use crate::exception::Exception;
use crate::session::{AsyncResult, Link};
use crate::wire::{Callee, Handler, MethodCall, Str, Value};

/// Which of Python's comparisons is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // Python has exactly these six
pub enum Comparison {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Comparison {
    /// The method's name.
    pub fn method(self) -> &'static str {
        self.names().0
    }

    /// The method's name and the sign.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Comparison::Eq => ("__eq__", "=="),
            Comparison::Ne => ("__ne__", "!="),
            Comparison::Lt => ("__lt__", "<"),
            Comparison::Le => ("__le__", "<="),
            Comparison::Gt => ("__gt__", ">"),
            Comparison::Ge => ("__ge__", ">="),
        }
    }
}

/// Every operation fails with [`Error::Remote`] when it raises an exception over there, and with
/// any other [`Error`] when the connection doesn't do its part.
impl Netref {
    /// Gets the attribute `name`.
    ///
    /// # Errors
    /// [`Error::Remote`] with an AttributeError where there is none or access is
    /// refused; else any kind.
    pub fn attr(&self, name: &str) -> Result<Any, Error> {
        self.request(Handler::GetAttr, [Any::from(name)])
    }

    /// Sets the attribute `name`.
    ///
    /// # Errors
    /// As [`attr`](Netref::attr).
    pub fn set_attr(&self, name: &str, value: impl IntoAny) -> Result<(), Error> {
        let value = value.into_any().map_err(unsendable)?;
        self.request(Handler::SetAttr, [Any::from(name), value])
            .map(drop)
    }

    /// Deletes the attribute `name`.
    ///
    /// # Errors
    /// As [`attr`](Netref::attr).
    pub fn del_attr(&self, name: &str) -> Result<(), Error> {
        self.request(Handler::DelAttr, [Any::from(name)]).map(drop)
    }

    /// Calls the object.
    ///
    /// # Errors
    /// [`Error::Remote`] with what the call raised; else any kind.
    pub fn call(&self, args: Args) -> Result<Any, Error> {
        self.called(None, args, Link::call, Netref::request)
    }

    /// Calls the method `name`: in one round trip, but for a peer that has no request for it (rpyc-ng).
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn call_method(&self, name: &str, args: Args) -> Result<Any, Error> {
        self.called(Some(name), args, Link::call, Netref::request)
    }

    /// Calls the object, or its method, in the way that the peer has for it.
    #[inline]
    fn called<T>(
        &self,
        method: Option<&str>,
        args: Args,
        call: impl FnOnce(&Arc<Link>, Callee<'_>, Args) -> Result<T, Error>,
        request: impl FnOnce(&Netref, Handler, Vec<Any>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let args = args.checked().map_err(unsendable)?;
        match method.map(|name| (name, self.link().dialect().method_call(name))) {
            None | Some((_, MethodCall::AtOnce)) => call(self.link(), self.callee(method), args),
            Some((name, MethodCall::InTwoSteps)) => {
                call(self.link(), self.method(name)?.callee(None), args)
            }
            Some((_, MethodCall::By(handler))) => request(self, handler, args.positional),
        }
    }

    /// The method itself.
    fn method(&self, name: &str) -> Result<Netref, Error> {
        match self.attr(name)? {
            Any::Netref(method) => Ok(method),
            other => Err(Error::Remote(Exception::type_error(format!(
                "'{name}' of {} is no method of its owner's, but {}",
                self.id_pack().name,
                other.type_name()
            )))),
        }
    }

    /// Calls the object without waiting; the result comes later.
    ///
    /// # Errors
    /// As [`async_request`](Netref::async_request).
    pub fn async_call(&self, args: Args) -> Result<AsyncResult, Error> {
        self.async_called(None, args, None)
    }

    /// Calls the method `name` without waiting; the result comes later. Towards a peer that has no request for that
    /// (rpyc-ng), the method is got first, which is waited for.
    ///
    /// # Errors
    /// As [`async_request`](Netref::async_request).
    pub fn async_call_method(&self, name: &str, args: Args) -> Result<AsyncResult, Error> {
        self.async_called(Some(name), args, None)
    }

    /// Calls the object, or its method, without waiting; the result expires `limit` after that is sent.
    pub(super) fn async_called(
        &self,
        method: Option<&str>,
        args: Args,
        limit: Option<Duration>,
    ) -> Result<AsyncResult, Error> {
        self.called(
            method,
            args,
            |link, callee, args| AsyncResult::call_within(link, callee, args, limit),
            |netref, handler, args| netref.async_request_within(handler, args, limit),
        )
    }

    /// The object with a time limit of its own for each call, in place of the config's.
    pub fn timed(&self, limit: Duration) -> Timed {
        Timed::new(self, Some(limit))
    }

    /// `repr(object)`
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn repr(&self) -> Result<Str, Error> {
        expect("REPR", "a str", &self.request(Handler::Repr, [])?, text)
    }

    /// `str(object)`
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn str(&self) -> Result<Str, Error> {
        expect("STR", "a str", &self.request(Handler::Str, [])?, text)
    }

    /// `hash(object)`: the object's own hash, over there.
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn remote_hash(&self) -> Result<i64, Error> {
        let answer = self.request(Handler::Hash, [])?;
        expect("HASH", "an int of 64 bits", &answer, Value::as_i64)
    }

    /// `dir(object)`
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn dir(&self) -> Result<Vec<Str>, Error> {
        let names = |value: &Value| value.as_tuple()?.iter().map(text).collect();
        expect(
            "DIR",
            "a tuple of names",
            &self.request(Handler::Dir, [])?,
            names,
        )
    }

    /// Compares the objects themselves, over there; `==` between netrefs only asks whether they
    /// stand for the same object.
    ///
    /// Where the object's class has no such comparison, `Eq` and `Ne` tell whether they are the
    /// same object.
    ///
    /// # Errors
    /// As [`call`](Netref::call); a TypeError where the order of the two isn't defined.
    pub fn compare(&self, op: Comparison, other: impl IntoAny) -> Result<bool, Error> {
        let other = other.into_any().map_err(unsendable)?;
        let args = [other.clone(), Any::from(op.method())];
        let answer = self.request(Handler::Cmp, args)?;
        let same = || matches!(&other, Any::Netref(netref) if netref == self);
        match answer {
            Any::Value(Value::Bool(outcome)) => Ok(outcome),
            Any::Value(Value::NotImplemented) => match op {
                Comparison::Eq => Ok(same()),
                Comparison::Ne => Ok(!same()),
                _ => Err(Error::Remote(Exception::type_error(format!(
                    "'{}' not supported between instances of '{}' and '{}'",
                    op.names().1,
                    self.id_pack().name,
                    other.type_name()
                )))),
            },
            other => Err(unexpected("CMP", "a bool", &other)),
        }
    }

    /// `len(object)`
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn len(&self) -> Result<usize, Error> {
        let answer = self.call_method("__len__", Args::new())?;
        let size = |value: &Value| usize::try_from(value.as_u64()?).ok();
        expect("__len__", "a size", &answer, size)
    }

    /// Whether `len(object)` is 0.
    ///
    /// # Errors
    /// As [`len`](Netref::len).
    pub fn is_empty(&self) -> Result<bool, Error> {
        self.len().map(|len| len == 0)
    }

    /// `item in object`
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn contains(&self, item: impl IntoAny) -> Result<bool, Error> {
        let answer = self.call_method("__contains__", Args::new().arg(item))?;
        expect("__contains__", "a bool", &answer, Value::as_bool)
    }

    /// `object[key]`
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn get_item(&self, key: impl IntoAny) -> Result<Any, Error> {
        self.call_method("__getitem__", Args::new().arg(key))
    }

    /// `object[key] = value`
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn set_item(&self, key: impl IntoAny, value: impl IntoAny) -> Result<(), Error> {
        self.call_method("__setitem__", Args::new().arg(key).arg(value))
            .map(drop)
    }

    /// `del object[key]`
    ///
    /// # Errors
    /// As [`call`](Netref::call).
    pub fn del_item(&self, key: impl IntoAny) -> Result<(), Error> {
        self.call_method("__delitem__", Args::new().arg(key))
            .map(drop)
    }

    /// Iterates over the object, as `for` does in Python; over a dict that means its keys.
    ///
    /// Items come in batches that grow from 16 to 1,024, so that a loop isn't a round trip for each
    /// item; a generator over there runs ahead of the loop by as much. See
    /// [`RemoteIter::batch`]. An exception ends the iteration as its last item.
    ///
    /// # Errors
    /// As [`call`](Netref::call): a TypeError or AttributeError where it can't be iterated.
    pub fn iter(&self) -> Result<RemoteIter, Error> {
        RemoteIter::over(self)
    }

    /// Enters the object as a context manager: `with object as value`.
    ///
    /// # Errors
    /// What `__enter__` raised; the context isn't entered then.
    pub fn enter(&self) -> Result<ContextGuard, Error> {
        ContextGuard::enter(self)
    }

    /// `isinstance(object, class)`, asked of their owner.
    ///
    /// # Errors
    /// As [`call`](Netref::call); a TypeError where `class` isn't a class; [`Error::Misuse`] where
    /// the two came over different connections: neither peer knows the other's objects.
    pub fn is_instance(&self, class: &Netref) -> Result<bool, Error> {
        self.check_connection(class)?;
        let id_pack = Any::Value(self.id_pack().to_value());
        let answer = class.request(Handler::InstanceCheck, [id_pack])?;
        expect("INSTANCECHECK", "a bool", &answer, Value::as_bool)
    }

    /// `issubclass(object, class)`, asked of their owner.
    ///
    /// # Errors
    /// As [`is_instance`](Netref::is_instance); a TypeError where the object isn't a class either; an AttributeError
    /// where its owner doesn't let `__subclasscheck__` be called.
    pub fn is_subclass(&self, class: &Netref) -> Result<bool, Error> {
        self.check_connection(class)?;
        let args = Args::from([Any::Netref(self.clone())]);
        let answer = class.call_method("__subclasscheck__", args)?;
        expect("__subclasscheck__", "a bool", &answer, Value::as_bool)
    }

    fn check_connection(&self, class: &Netref) -> Result<(), Error> {
        if self.peer_number() == class.peer_number() {
            return Ok(());
        }
        Err(Error::Misuse(format!(
            "{self:?} and the class {class:?} came over two connections: ask for the class over that of the object"
        )))
    }

    /// The object pickled by its owner, with this pickle protocol.
    pub(crate) fn pickle(&self, protocol: i64) -> Result<Bytes, Error> {
        let answer = self.request(Handler::Pickle, [Any::from(protocol)])?;
        let bytes = |value: &Value| value.as_bytes().cloned();
        expect("PICKLE", "bytes", &answer, bytes)
    }

    /// The next items of an iterator, about so many; none at its end.
    pub(super) fn next_items(&self, count: usize) -> Result<Vec<Any>, Error> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let answer = self.request(Handler::BuffIter, [Any::from(count)])?;
        let items = answer.into_items();
        items.map_err(|other| unexpected("BUFFITER", "a tuple", &other))
    }
}

pub(super) fn unsendable(error: Exception) -> Error {
    Error::Misuse(format!("an argument can't be sent: {}", error.message()))
}
