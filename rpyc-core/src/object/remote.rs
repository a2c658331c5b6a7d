//! What crosses a connection, used as what it is: shortcuts on [`Any`].

use std::time::Duration;

use super::{
    Any, Args, ContextGuard, ConversionError, FromAny, IntoAny, Netref, RemoteIter, Timed,
};
use crate::error::Error;
use crate::session::AsyncResult;
use crate::wire::{Str, Value};

/// Operations of the remote object that it refers to, as on [`Netref`]; on anything else they fail
/// with [`Error::Conversion`].
impl Any {
    /// The netref, if it is one.
    pub fn as_netref(&self) -> Option<&Netref> {
        match self {
            Any::Netref(netref) => Some(netref),
            _ => None,
        }
    }

    /// The netref.
    ///
    /// # Errors
    /// [`Error::Conversion`] where it is something else; says what.
    pub fn netref(&self) -> Result<&Netref, Error> {
        self.as_netref().ok_or_else(|| {
            ConversionError::mismatch("a reference to a remote object", self.type_name()).into()
        })
    }

    /// The value as a Rust type. Of the three ways: `extract::<T>` for numbers, text, containers and
    /// references, `extract::<Serde<T>>` for a serde type of plain values,
    /// [`obtain::<T>`](Any::obtain) for a whole remote structure in one round trip.
    ///
    /// It makes whatever [`FromAny`] makes, also of a remote list or dict,
    /// which is fetched. [`Serde`](crate::by_value::Serde) makes serde types.
    ///
    /// # Errors
    /// [`Error::Conversion`] where it is of another type, or fetching failed.
    pub fn extract<T: FromAny>(self) -> Result<T, Error> {
        Ok(T::from_any(self)?)
    }

    /// Gets the attribute `name`; see [`Netref::attr`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn attr(&self, name: &str) -> Result<Any, Error> {
        self.netref()?.attr(name)
    }

    /// Sets the attribute `name`; see [`Netref::set_attr`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn set_attr(&self, name: &str, value: impl IntoAny) -> Result<(), Error> {
        self.netref()?.set_attr(name, value)
    }

    /// Calls the object; see [`Netref::call`]. In a handler, [`call_in`](Any::call_in) also calls an
    /// object of this side's own that came back.
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn call(&self, args: Args) -> Result<Any, Error> {
        self.netref()?.call(args)
    }

    /// Calls the object without waiting; see [`Netref::async_call`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn async_call(&self, args: Args) -> Result<AsyncResult, Error> {
        self.netref()?.async_call(args)
    }

    /// Deletes the attribute `name`; see [`Netref::del_attr`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn del_attr(&self, name: &str) -> Result<(), Error> {
        self.netref()?.del_attr(name)
    }

    /// Calls the method `name`; see [`Netref::call_method`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn call_method(&self, name: &str, args: Args) -> Result<Any, Error> {
        self.netref()?.call_method(name, args)
    }

    /// Calls the method `name` without waiting; see [`Netref::async_call_method`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn async_call_method(&self, name: &str, args: Args) -> Result<AsyncResult, Error> {
        self.netref()?.async_call_method(name, args)
    }

    /// `object[key]`; see [`Netref::get_item`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn get_item(&self, key: impl IntoAny) -> Result<Any, Error> {
        self.netref()?.get_item(key)
    }

    /// `object[key] = value`; see [`Netref::set_item`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn set_item(&self, key: impl IntoAny, value: impl IntoAny) -> Result<(), Error> {
        self.netref()?.set_item(key, value)
    }

    /// `del object[key]`; see [`Netref::del_item`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn del_item(&self, key: impl IntoAny) -> Result<(), Error> {
        self.netref()?.del_item(key)
    }

    /// `len(object)`: of a tuple here, else at its owner; see [`Netref::len`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    #[allow(clippy::len_without_is_empty)] // a question to the peer, not a property
    pub fn len(&self) -> Result<usize, Error> {
        match self {
            Any::Tuple(items) => Ok(items.len()),
            Any::Value(Value::Tuple(items) | Value::FrozenSet(items)) => Ok(items.len()),
            other => other.netref()?.len(),
        }
    }

    /// `item in object`; see [`Netref::contains`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn contains(&self, item: impl IntoAny) -> Result<bool, Error> {
        self.netref()?.contains(item)
    }

    /// Enters the context manager; see [`Netref::enter`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn enter(&self) -> Result<ContextGuard, Error> {
        self.netref()?.enter()
    }

    /// The object with a time limit of its own; see [`Netref::timed`].
    ///
    /// # Errors
    /// As [`netref`](Any::netref).
    pub fn timed(&self, limit: Duration) -> Result<Timed, Error> {
        Ok(self.netref()?.timed(limit))
    }

    /// Iterates over a tuple here, or over a remote object in batches; see [`Netref::iter`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn iter(&self) -> Result<RemoteIter, Error> {
        match self {
            Any::Tuple(items) => Ok(RemoteIter::over_items(items.clone())),
            Any::Value(Value::Tuple(items) | Value::FrozenSet(items)) => Ok(
                RemoteIter::over_items(items.iter().cloned().map(Any::Value).collect()),
            ),
            other => other.netref()?.iter(),
        }
    }

    /// `repr(object)`: of a plain value here, else at its owner.
    ///
    /// # Errors
    /// As [`Netref::repr`].
    pub fn repr(&self) -> Result<Str, Error> {
        match self {
            Any::Value(value) => Ok(Str::from(value.to_string())),
            other => other.netref()?.repr(),
        }
    }
}
