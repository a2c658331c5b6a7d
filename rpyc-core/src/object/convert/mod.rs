//! Between Rust's types and what crosses the API: [`FromAny`] and [`IntoAny`].
//!
//! | Rust | from a peer | to a peer |
//! |---|---|---|
//! | integers, `f32`, `f64`, `bool`, `char`, `String`, [`Str`](crate::wire::Str), `&str` | by value | by value |
//! | [`Bytes`](bytes::Bytes), `Vec<u8>` | bytes | bytes |
//! | `Option<T>`, `()` | `None` | `None` |
//! | tuples of up to 8 | a tuple | a tuple |
//! | `Vec<T>`, `[T; N]`, sets | a tuple, or any iterable of the peer's, fetched in batches | a tuple (sets: a frozenset) |
//! | closures: [`callback`](crate::object::callback), [`Function`](crate::object::Function) | | a function, by reference |
//! | `&T` of these | | a clone |
//! | `HashMap`, `BTreeMap` | a dict of the peer's, fetched | a dict, by reference |
//! | [`Serde<T>`](crate::by_value::Serde) of a serde type | plain values; containers of the peer's, fetched | plain values: a struct is a tuple of pairs, which `dict()` takes |
//! | [`Exposed<T>`](crate::Exposed) | the object, come back | a reference |
//! | [`Exception`](crate::Exception) | an exception, or its class | (raise it) |
//! | [`Any`], [`Netref`](crate::Netref), [`ObjectRef`](crate::object::ObjectRef), [`Value`](crate::Value) | as it is | as it is |

mod from;
mod from_peer;
mod into;
mod tuples;

pub use self::from_peer::items;
pub(crate) use self::from_peer::plain;
pub(super) use self::from_peer::{items_here, pairs};
use super::{Any, ObjectResult};
use crate::exception::ConversionError;
use crate::wire::Value;

/// A Rust type that an argument or a result can be turned into.
///
/// The conversion is as strict as Python's own builtins are: an int is accepted where a float is
/// asked for and a bool where an int is, nothing else is coerced.
#[diagnostic::on_unimplemented(
    message = "no `{Self}` can be made of what a peer sends",
    note = "numbers, text, bytes, paths, `Option`, tuples, `Vec`, arrays, sets and maps of what can be made; \
            `Any`, `Netref`, `Exposed<T>` of an object that comes back; `Serde<T>` makes a serde type"
)]
pub trait FromAny: Sized {
    /// Makes one of what crossed the API; containers of the peer's are fetched.
    ///
    /// # Errors
    /// It is of another type, out of range, or fetching it failed.
    fn from_any(any: Any) -> Result<Self, ConversionError>;

    /// Makes several; bytes are special.
    #[doc(hidden)]
    fn vec_from_any(any: Any) -> Result<Vec<Self>, ConversionError> {
        items_from_any(any)
    }
}

fn items_from_any<T: FromAny>(any: Any) -> Result<Vec<T>, ConversionError> {
    let items = items(any)?.into_iter().enumerate();
    let item = |(index, item)| T::from_any(item).map_err(|error| error.of_item(index));
    items.map(item).collect()
}

/// A Rust type that can be a result, or an argument of a call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent to a peer",
    note = "numbers, text, bytes, paths, `Option`, tuples, `Vec`, arrays, sets and maps of what can be sent; \
            `Any`, `Netref`, `Exposed`, `Function`, `List`, `Dict`, `Set`; \
            `Serde(x)` sends a serde type by value, `callback(|x: i64| ..)` a closure"
)]
pub trait IntoAny {
    /// What crosses the API for it.
    ///
    /// # Errors
    /// The exception that it stands for, or that it can't be sent.
    fn into_any(self) -> ObjectResult;

    /// What crosses the API for several; bytes are special.
    #[doc(hidden)]
    fn vec_into_any(items: Vec<Self>) -> ObjectResult
    where
        Self: Sized,
    {
        let items: ObjectResult<Vec<Any>> = items.into_iter().map(IntoAny::into_any).collect();
        Ok(Any::tuple(items?))
    }
}

/// A field of an exception as a plain value; of what isn't one, a text that names it.
#[doc(hidden)]
pub fn plain_or_name(field: impl IntoAny) -> Value {
    match field.into_any() {
        Ok(Any::Value(value)) => value,
        Ok(other) => Value::from(format!("<{}>", other.type_name())),
        Err(refused) => Value::from(format!("<{refused}>")),
    }
}

/// The field again, where it is of its type; one that isn't there is `None`.
#[doc(hidden)]
pub fn from_plain<T: FromAny>(value: Option<&Value>) -> Option<T> {
    let value = value.cloned().unwrap_or(Value::None);
    T::from_any(Any::Value(value)).ok()
}
