//! [`Serde`]: a serde type as an argument or a result.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{from_value, to_value};
use crate::exception::Exception;
use crate::object::{Any, ConversionError, FromAny, IntoAny, ObjectResult};

/// Passes a serde type by value, where a conversion of its own is missing: as a plain value, in the
/// form that [`to_value`] gives it.
///
/// A remote list or dict is copied too, where its side allows that (`allow_pickle`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serde<T>(pub T);

impl<T: DeserializeOwned> FromAny for Serde<T> {
    fn from_any(any: Any) -> Result<Serde<T>, ConversionError> {
        let copied = match any {
            Any::Value(value) => {
                from_value(value).map_err(|error| Exception::type_error(error.to_string()))
            }
            Any::Netref(netref) => netref.obtain().map_err(Exception::from),
            other => return Err(ConversionError::mismatch("a plain value", &other)),
        };
        copied.map(Serde).map_err(ConversionError::raised)
    }
}

impl<T: Serialize> IntoAny for Serde<T> {
    fn into_any(self) -> ObjectResult {
        let value = to_value(&self.0);
        let value = value.map_err(|error| Exception::type_error(error.to_string()))?;
        Ok(Any::Value(value))
    }
}
