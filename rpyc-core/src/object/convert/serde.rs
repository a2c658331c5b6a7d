//! [`Serde`]: serde types as arguments and results, by value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FromAny, FromAnyError, IntoAny, from_peer};
use crate::by_value::{from_value, to_value};
use crate::codec::Value;
use crate::exception::Exception;
use crate::object::{Any, ObjectResult};

/// A serde type as an argument or as a result of an exposed method, by value.
///
/// It goes out as plain values: a struct as a tuple of pairs, which Python's `dict()` takes. It comes
/// in as such, or as lists and dicts of the peer's, which are fetched one by one: a large structure
/// is better copied by [`obtain`](crate::Any::obtain).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs)] // a wrapper is what it wraps
pub struct Serde<T>(pub T);

impl<T: Serialize> IntoAny for Serde<T> {
    fn into_any(self) -> ObjectResult {
        match to_value(&self.0) {
            Ok(value) => Ok(Any::Value(value)),
            Err(error) => Err(Exception::type_error(error.to_string())),
        }
    }
}

impl<T: DeserializeOwned> FromAny for Serde<T> {
    fn from_any(any: Any) -> Result<Serde<T>, FromAnyError> {
        let value = plain(any, MAX_DEPTH)?;
        from_value(value).map(Serde).map_err(FromAnyError::other)
    }
}

/// Fetches containers, and what they hold.
fn plain(any: Any, depth: usize) -> Result<Value, FromAnyError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(FromAnyError::other("containers are nested too deep"));
    };
    match any {
        Any::Value(value) => Ok(value),
        any if &*any.type_name() == "builtins.dict" => {
            let pairs = from_peer::pairs(any)?.into_iter();
            let pair =
                |(key, value)| Ok(Value::Tuple(vec![plain(key, depth)?, plain(value, depth)?]));
            let pairs: Result<Vec<Value>, FromAnyError> = pairs.map(pair).collect();
            pairs.map(Value::Tuple)
        }
        any => {
            let items = from_peer::items(any)?.into_iter().enumerate();
            let item = |(index, item)| plain(item, depth).map_err(|error| error.of_item(index));
            let items: Result<Vec<Value>, FromAnyError> = items.map(item).collect();
            items.map(Value::Tuple)
        }
    }
}

/// A peer's list may hold itself.
const MAX_DEPTH: usize = 64;
