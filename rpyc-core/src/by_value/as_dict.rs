//! [`AsDict`]: a serde struct as a Python dict.

use serde::Serialize;

use super::value_write::{Data, Shape, Writer};
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
        let data = self.0.serialize(Writer);
        by_reference(data.map_err(|error| Exception::type_error(error.to_string()))?)
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
