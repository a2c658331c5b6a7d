//! [`Serde`]: a serde type as an argument or a result.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{from_value, to_value};
use crate::error::Error;
use crate::exception::Exception;
use crate::object::{Any, ConversionError, FromAny, IntoAny, ObjectResult, plain};

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
        let value = to_value(&self.0);
        let value = value.map_err(|error| Exception::type_error(error.to_string()))?;
        Ok(Any::Value(value))
    }
}
