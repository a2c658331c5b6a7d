//! [`AsDict`]: a serde struct as a Python dict.

use serde::Serialize;

use super::CopyError;
use super::value_write::{Form, write};
use crate::exception::Exception;
use crate::object::{Any, Dict, IntoAny, ObjectResult};

/// Hands out a serde type as the dict that it would be in Python, by reference: a struct by the names
/// of its fields, in their order, and so are structs and maps within it.
///
/// ```
/// use rpyc_core::by_value::AsDict;
/// use rpyc_core::service;
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Reading {
///     volts: f64,
///     channel: u32,
/// }
///
/// struct Lab;
///
/// #[service]
/// impl Lab {
///     /// In Python: `conn.root.read(3)["volts"]`.
///     #[exposed]
///     fn read(&self, channel: u32) -> AsDict<Reading> {
///         AsDict(Reading { volts: 1.5, channel })
///     }
/// }
/// ```
///
/// [`Serde`](super::Serde) takes such a dict apart again, in a Rust client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AsDict<T>(pub T);

impl<T: Serialize> IntoAny for AsDict<T> {
    fn into_any(self) -> ObjectResult {
        write::<Dicts, T>(&self.0).map_err(|error| Exception::type_error(error.to_string()))
    }
}

/// A map is a dict.
enum Dicts {}

impl Form for Dicts {
    type Out = Any;

    fn tuple(items: Vec<Any>) -> Any {
        Any::tuple(items)
    }

    fn map(entries: Vec<(Any, Any)>) -> Result<Any, CopyError> {
        let dict = Dict::new();
        for (key, value) in entries {
            dict.insert(key, value)
                .map_err(|refused| CopyError::new(refused.message()))?;
        }
        Ok(dict.into())
    }
}
