//! Plain values into serde types.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use super::CopyError;
use super::source::{Opened, Reader, Source, Wanted};
use crate::wire::Value;

/// Makes a serde type of a plain value.
///
/// The reverse of [`to_value`](super::to_value). Integers fit where they are in range; an int
/// fits where a float is asked for, a float never fits an int, and a bool fits neither. A struct
/// is read from pairs of names and values, or from its fields in order.
///
/// # Errors
/// Says what was there and what was asked for.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, CopyError> {
    T::deserialize(Reader(value))
}

// Its depth is bounded by the wire layer that it came through.
impl Source<'static> for Value {
    fn open(self, wanted: Wanted) -> Result<Opened<'static, Value>, CopyError> {
        let items = |items: Vec<Value>| Opened::Items(Box::new(items.into_iter()));
        Ok(match self {
            Value::None | Value::NotImplemented | Value::Ellipsis => Opened::None,
            Value::Bool(flag) => Opened::Bool(flag),
            Value::Int(int) => Opened::Int(int),
            Value::Float(float) => Opened::Float(float),
            Value::Complex(real, imaginary) => items(vec![real.into(), imaginary.into()]),
            // Vec<u8> asks for a sequence, and bytes are one.
            Value::Bytes(bytes) if wanted == Wanted::Sequence => {
                Opened::Items(Box::new(bytes.into_iter().map(Value::from)))
            }
            Value::Bytes(bytes) => Opened::Bytes(Cow::Owned(bytes.into())),
            Value::Str(text) => Opened::Str(Cow::Owned(text.into())),
            Value::Tuple(parts) => match wanted {
                Wanted::Map if parts.iter().all(is_pair) => pairs(parts),
                Wanted::Struct if parts.iter().all(is_named) => pairs(parts),
                _ => items(parts),
            },
            Value::FrozenSet(parts) => items(parts),
            Value::Slice(parts) => items(Vec::from(*parts)),
            Value::Type(plain) => Opened::Str(Cow::Borrowed(plain.name())),
        })
    }

    fn is_none(&self) -> Result<bool, CopyError> {
        Ok(Value::is_none(self))
    }
}

fn is_pair(item: &Value) -> bool {
    matches!(item.as_tuple(), Some([_, _]))
}

fn is_named(item: &Value) -> bool {
    matches!(item.as_tuple(), Some([Value::Str(_), _]))
}

fn pairs(items: Vec<Value>) -> Opened<'static, Value> {
    let pair = |item: Value| {
        <[Value; 2]>::try_from(item.into_tuple()?)
            .ok()
            .map(Into::into)
    };
    let pairs: Vec<(Value, Value)> = items.into_iter().filter_map(pair).collect();
    Opened::Dict(Box::new(pairs.into_iter()))
}
