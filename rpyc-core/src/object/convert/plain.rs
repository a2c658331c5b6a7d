//! What the derive of exceptions needs: fields as plain values.

use super::{FromAny, IntoAny};
use crate::object::Any;
use crate::wire::Value;

/// The plain value; of what isn't one, as of any attribute of an exception, a text that names it.
#[doc(hidden)]
pub fn plain_or_name(field: impl IntoAny) -> Value {
    match field.into_any() {
        Ok(Any::Value(value)) => value,
        Ok(other) => Value::from(format!("<{}>", other.type_name())),
        Err(refused) => Value::from(format!("<{refused}>")),
    }
}

/// The field again; one that isn't there is `None`.
#[doc(hidden)]
pub fn from_plain<T: FromAny>(value: Option<&Value>) -> Option<T> {
    let value = value.cloned().unwrap_or(Value::None);
    T::from_any(Any::Value(value)).ok()
}
