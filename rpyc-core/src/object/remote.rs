//! What crosses a connection, used as what it is: shortcuts on [`Any`].

use serde::de::DeserializeOwned;

use super::{Any, Args, Netref, RemoteIter};
use crate::by_value::{ConversionError, from_value};
use crate::codec::{Str, Value};
use crate::connection::AsyncResult;
use crate::error::Error;

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
            let found = self.type_name();
            let what = match self {
                Any::Local(_) => "an object of this side",
                _ => "a plain value",
            };
            ConversionError::new(format!(
                "{what} ({found}) where a reference to a remote object was expected"
            ))
            .into()
        })
    }

    /// The value as a Rust type: numbers, text, bytes, tuples of them, anything that serde makes.
    ///
    /// # Errors
    /// [`Error::Conversion`] where it is of another type, or holds references: a remote list or
    /// dict is copied by [`obtain`](Any::obtain).
    pub fn extract<T: DeserializeOwned>(self) -> Result<T, Error> {
        match self {
            Any::Value(value) => Ok(from_value(value)?),
            other => Err(ConversionError::new(format!(
                "a reference ({}) where a plain value was expected; a remote structure is copied by obtain",
                other.type_name()
            ))
            .into()),
        }
    }

    /// Copies it, wherever it is: a plain value as [`extract`](Any::extract) does, a remote object
    /// as [`Netref::obtain`] does.
    ///
    /// # Errors
    /// As these two.
    pub fn obtain<T: DeserializeOwned>(&self) -> Result<T, Error> {
        match self {
            Any::Netref(netref) => netref.obtain(),
            other => other.clone().extract(),
        }
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
