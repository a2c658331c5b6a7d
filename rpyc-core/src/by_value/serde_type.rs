//! A serde type as an argument or a result: [`Serde`] by value, [`AsDict`] by reference.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::value_write::{Data, Shape, Writer};
use super::{CopyError, from_value, to_value};
use crate::error::Error;
use crate::exception::Exception;
use crate::object::{Any, ConversionError, Dict, FromAny, IntoAny, ObjectResult, plain};

/// Passes a serde type by value, where a conversion of its own is missing: as a plain value, in the
/// form that [`to_value`] gives it.
///
/// A remote list or dict is copied too: in one round trip where its side allows that
/// (`allow_pickle`), else one container after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serde<T>(pub T);

impl<T: DeserializeOwned> FromAny for Serde<T> {
    fn from_any(any: Any) -> Result<Serde<T>, ConversionError> {
        if let Any::Netref(netref) = &any {
            match netref.obtain() {
                Ok(copied) => return Ok(Serde(copied)),
                // Its side doesn't allow copies, or can't copy this: its parts are fetched one by one.
                Err(Error::Remote(_) | Error::Conversion(_)) => {}
                Err(error) => return Err(ConversionError::raised(error)),
            }
        }
        let value = plain(any)?;
        from_value(value).map(Serde).map_err(ConversionError::other)
    }
}

impl<T: Serialize> IntoAny for Serde<T> {
    fn into_any(self) -> ObjectResult {
        Ok(Any::Value(to_value(&self.0).map_err(refused)?))
    }
}

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
/// [`Serde`] takes such a dict apart again, in a Rust client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AsDict<T>(pub T);

impl<T: Serialize> IntoAny for AsDict<T> {
    fn into_any(self) -> ObjectResult {
        by_reference(self.0.serialize(Writer).map_err(refused)?)
    }
}

fn by_reference(data: Data) -> ObjectResult {
    let (shape, items) = match data {
        Data::Value(value) => return Ok(Any::Value(value)),
        Data::Many(shape, items) => (shape, items),
    };
    let items: ObjectResult<Vec<Any>> = items.into_iter().map(by_reference).collect();
    let mut items = items?.into_iter();
    match shape {
        Shape::List | Shape::Tuple => Ok(Any::tuple(items)),
        Shape::Dict => {
            let dict = Dict::new();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                dict.insert(key, value)?;
            }
            Ok(dict.into())
        }
    }
}

fn refused(error: CopyError) -> Exception {
    Exception::type_error(error.to_string())
}
