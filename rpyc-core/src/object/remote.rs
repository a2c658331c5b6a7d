//! What crosses a connection, used as what it is: shortcuts on [`Any`].

use std::time::Duration;

use super::convert::items_here;
use super::{
    Any, Args, Comparison, ContextGuard, ConversionError, FromAny, IntoAny, Netref, RemoteIter,
    Timed,
};
use crate::error::Error;
use crate::session::AsyncResult;
use crate::wire::{Str, Value};

/// Operations of the netref, under the same names.
macro_rules! of_netref {
    ($($what:literal $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        /// Operations of the remote object that it refers to, as on [`Netref`]; on anything else they fail
        /// with [`Error::Conversion`].
        impl Any {
            $(
                #[doc = concat!($what, "; see [`Netref::", stringify!($name), "`].")]
                ///
                /// # Errors
                /// As that, and as [`netref`](Any::netref).
                pub fn $name(&self, $($arg: $kind),*) -> Result<$answer, Error> {
                    self.netref()?.$name($($arg),*)
                }
            )*
        }
    };
}

of_netref! {
    "Gets the attribute `name`" attr(name: &str) -> Any;
    "Sets the attribute `name`" set_attr(name: &str, value: impl IntoAny) -> ();
    "Calls the object (in a handler, [`call_in`](Any::call_in) also calls one of this side's own that came back)"
        call(args: Args) -> Any;
    "Calls the object without waiting" async_call(args: Args) -> AsyncResult;
    "Deletes the attribute `name`" del_attr(name: &str) -> ();
    "Calls the method `name`" call_method(name: &str, args: Args) -> Any;
    "Calls the method `name` without waiting" async_call_method(name: &str, args: Args) -> AsyncResult;
    "`object[key]`" get_item(key: impl IntoAny) -> Any;
    "`object[key] = value`" set_item(key: impl IntoAny, value: impl IntoAny) -> ();
    "`del object[key]`" del_item(key: impl IntoAny) -> ();
    "`item in object`" contains(item: impl IntoAny) -> bool;
    "Enters the context manager" enter() -> ContextGuard;
    "`dir(object)`" dir() -> Vec<Str>;
    "Compares the objects themselves" compare(op: Comparison, other: impl IntoAny) -> bool;
    "`isinstance(object, class)`" is_instance(class: &Netref) -> bool;
    "`issubclass(object, class)`" is_subclass(class: &Netref) -> bool;
}

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

    /// `len(object)`: of a tuple here, else at its owner; see [`Netref::len`].
    ///
    /// # Errors
    /// As that, and as [`netref`](Any::netref).
    pub fn len(&self) -> Result<usize, Error> {
        match self {
            Any::Tuple(items) => Ok(items.len()),
            Any::Value(Value::Tuple(items) | Value::FrozenSet(items)) => Ok(items.len()),
            other => other.netref()?.len(),
        }
    }

    /// Whether `len(object)` is 0.
    ///
    /// # Errors
    /// As [`len`](Any::len).
    pub fn is_empty(&self) -> Result<bool, Error> {
        self.len().map(|len| len == 0)
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
        match items_here(self.clone()) {
            Ok(items) => Ok(RemoteIter::over_items(items)),
            Err(other) => other.netref()?.iter(),
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

    /// `str(object)`: of a plain value here, else at its owner.
    ///
    /// # Errors
    /// As [`Netref::str`].
    pub fn str(&self) -> Result<Str, Error> {
        match self {
            Any::Value(Value::Str(text)) => Ok(text.clone()),
            Any::Value(_) => self.repr(),
            other => other.netref()?.str(),
        }
    }
}
