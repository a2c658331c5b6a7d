//! What stands behind a typed client: [`Timed`], [`AsyncCall`], [`CallResult`].

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use super::operations::unsendable;
use super::{Any, Args, FromAny, Netref, ObjectResult};
use crate::error::Error;
use crate::session::AsyncResult;
use crate::wire::Handler;

/// What a typed client's method gives: a `Result` of a type that [`FromAny`] makes, with an error that an
/// [`Error`] becomes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't what a remote call can give",
    note = "a `Result<T, E>` is, where `T` implements `FromAny` and `E` implements `From` of this crate's `Error`"
)]
pub trait CallResult: Sized {
    /// Made of what the call gave.
    fn from_call(outcome: Result<Any, Error>) -> Self;
}

impl<T: FromAny, E: From<Error>> CallResult for Result<T, E> {
    fn from_call(outcome: Result<Any, Error>) -> Result<T, E> {
        let converted = outcome.and_then(|any| Ok(T::from_any(any)?));
        converted.map_err(E::from)
    }
}

/// The answer to a typed client's call, now or later: an [`AsyncResult`] whose value has a type.
///
/// `R` is what the method itself would give.
pub struct AsyncCall<R> {
    result: AsyncResult,
    gives: PhantomData<fn() -> R>,
}

impl<R: CallResult> AsyncCall<R> {
    /// Waits for the answer and gives it.
    pub fn value(&self) -> R {
        R::from_call(self.result.value())
    }
}

impl<R> Deref for AsyncCall<R> {
    type Target = AsyncResult;

    fn deref(&self) -> &AsyncResult {
        &self.result
    }
}

impl<R> fmt::Debug for AsyncCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.result.fmt(f)
    }
}

/// A remote object with a time limit for each call; made by [`Netref::timed`]. A typed client calls one, too,
/// whose limit may be the config's.
#[derive(Clone, Debug)]
pub struct Timed {
    netref: Netref,
    limit: Option<Duration>,
}

/// What a typed client asks for.
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub enum TypedRequest {
    Call(&'static str, Args),
    Get(&'static str),
    Set(&'static str, ObjectResult),
}

impl Timed {
    #[doc(hidden)]
    pub fn new(netref: &Netref, limit: Option<Duration>) -> Timed {
        let netref = netref.clone();
        Timed { netref, limit }
    }

    /// Calls the object.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the limit has passed, whatever the config says; else as
    /// [`Netref::call`].
    pub fn call(&self, args: Args) -> Result<Any, Error> {
        self.netref.async_called(None, args, self.limit)?.value()
    }

    /// Calls the method `name`.
    ///
    /// # Errors
    /// As [`call`](Timed::call).
    pub fn call_method(&self, name: &str, args: Args) -> Result<Any, Error> {
        let called = self.netref.async_called(Some(name), args, self.limit);
        called?.value()
    }

    #[doc(hidden)]
    pub fn netref(&self) -> &Netref {
        &self.netref
    }

    #[doc(hidden)]
    pub fn wait_for(&self, request: TypedRequest) -> Result<Any, Error> {
        if self.limit.is_some() {
            return self.send(request)?.value();
        }
        let netref = &self.netref;
        match request {
            TypedRequest::Call(name, args) => netref.call_method(name, args),
            TypedRequest::Get(name) => netref.attr(name),
            TypedRequest::Set(name, value) => netref.set_attr(name, value).map(|()| Any::NONE),
        }
    }

    #[doc(hidden)]
    pub fn start<R>(&self, request: TypedRequest) -> Result<AsyncCall<R>, Error> {
        Ok(AsyncCall {
            result: self.send(request)?,
            gives: PhantomData,
        })
    }

    fn send(&self, request: TypedRequest) -> Result<AsyncResult, Error> {
        let (netref, limit) = (&self.netref, self.limit);
        let (handler, args) = match request {
            TypedRequest::Call(name, args) => return netref.async_called(Some(name), args, limit),
            TypedRequest::Get(name) => (Handler::GetAttr, vec![Any::from(name)]),
            TypedRequest::Set(name, value) => {
                let value = value.map_err(unsendable)?;
                (Handler::SetAttr, vec![Any::from(name), value])
            }
        };
        netref.async_request_within(handler, args, limit)
    }
}
