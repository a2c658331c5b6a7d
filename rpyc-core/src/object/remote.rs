//! What crosses a connection, used as what it is: shortcuts on [`Any`].

use super::{Any, Args, ConversionError, FromAny, Netref, RemoteIter};
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

    /// The value as a Rust type: whatever [`FromAny`] makes, also of a remote list or dict,
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
    pub fn set_attr(&self, name: &str, value: impl Into<Any>) -> Result<(), Error> {
        self.netref()?.set_attr(name, value)
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
    pub fn get_item(&self, key: impl Into<Any>) -> Result<Any, Error> {
        self.netref()?.get_item(key)
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
