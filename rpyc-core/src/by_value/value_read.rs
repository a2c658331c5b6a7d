//! Plain values into serde types.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::CopyError;
use super::variant::Variant;
use crate::wire::{Int, Value};

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

/// A value as a serde data source. Its depth is bounded by the wire layer that it came through.
pub(super) struct Reader(pub(super) Value);

impl<'de> IntoDeserializer<'de, CopyError> for Reader {
    type Deserializer = Reader;

    fn into_deserializer(self) -> Reader {
        self
    }
}

fn visit_int<'de, V: Visitor<'de>>(int: &Int, visitor: V) -> Result<V::Value, CopyError> {
    if let Some(small) = int.to_i64() {
        return visitor.visit_i64(small);
    }
    if let Some(positive) = int.to_u64() {
        return visitor.visit_u64(positive);
    }
    let big = int.to_bigint();
    if let Ok(number) = i128::try_from(&big) {
        return visitor.visit_i128(number);
    }
    match u128::try_from(&big) {
        Ok(number) => visitor.visit_u128(number),
        Err(_) => Err(CopyError::new("an int of more than 128 bits")),
    }
}

fn visit_items<'de, V: Visitor<'de>>(items: Vec<Value>, visitor: V) -> Result<V::Value, CopyError> {
    let mut items = SeqDeserializer::new(items.into_iter().map(Reader));
    let value = visitor.visit_seq(&mut items)?;
    items.end()?;
    Ok(value)
}

/// The pairs that a map is made of; the items as they were, if they aren't all pairs.
fn pairs(items: Vec<Value>) -> Result<Vec<(Reader, Reader)>, Vec<Value>> {
    if !items
        .iter()
        .all(|item| matches!(item, Value::Tuple(pair) if pair.len() == 2))
    {
        return Err(items);
    }
    let pair = |item: Value| {
        let mut pair = item.into_tuple()?.into_iter();
        Some((Reader(pair.next()?), Reader(pair.next()?)))
    };
    Ok(items.into_iter().filter_map(pair).collect())
}

fn visit_pairs<'de, V: Visitor<'de>>(
    pairs: Vec<(Reader, Reader)>,
    visitor: V,
) -> Result<V::Value, CopyError> {
    let mut pairs = MapDeserializer::new(pairs.into_iter());
    let value = visitor.visit_map(&mut pairs)?;
    pairs.end()?;
    Ok(value)
}

impl<'de> de::Deserializer<'de> for Reader {
    type Error = CopyError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        match self.0 {
            Value::None | Value::NotImplemented | Value::Ellipsis => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::Int(int) => visit_int(&int, visitor),
            Value::Float(float) => visitor.visit_f64(float),
            Value::Complex(real, imaginary) => {
                visit_items(vec![Value::Float(real), Value::Float(imaginary)], visitor)
            }
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes.into()),
            Value::Str(text) => visitor.visit_string(text.into()),
            Value::Tuple(items) | Value::FrozenSet(items) => visit_items(items, visitor),
            Value::Slice(parts) => visit_items(Vec::from(*parts), visitor),
            Value::Type(plain) => visitor.visit_str(plain.name()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        match self.0 {
            Value::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        visitor.visit_newtype_struct(self)
    }

    // Vec<u8> asks for a sequence, and bytes are one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        match self.0 {
            Value::Bytes(bytes) => {
                let items = bytes.iter().map(|byte| Value::from(*byte)).collect();
                visit_items(items, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        match self.0 {
            Value::Tuple(items) => match pairs(items) {
                Ok(pairs) => visit_pairs(pairs, visitor),
                Err(_) => Err(de::Error::invalid_type(
                    de::Unexpected::Other("a tuple that isn't made of pairs"),
                    &visitor,
                )),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        match self.0 {
            Value::Tuple(items) => match pairs(items) {
                Ok(pairs) if pairs.iter().all(|(name, _)| name.0.as_str().is_some()) => {
                    visit_pairs(pairs, visitor)
                }
                Ok(pairs) => {
                    let pair = |(a, b): (Reader, Reader)| Value::Tuple(vec![a.0, b.0]);
                    visit_items(pairs.into_iter().map(pair).collect(), visitor)
                }
                Err(items) => visit_items(items, visitor),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        let (name, content) = match self.0 {
            Value::Str(name) => (Value::Str(name), None),
            Value::Tuple(items) => match <[Value; 2]>::try_from(items) {
                Ok([name, content]) => (name, Some(content)),
                Err(_) => return Err(CopyError::new("an enum is a name, or a pair")),
            },
            other => {
                let found = other.type_name();
                return Err(CopyError::new(format!(
                    "{found} where an enum was expected"
                )));
            }
        };
        visitor.visit_enum(Variant {
            name: Reader(name),
            content: content.map(Reader),
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct identifier ignored_any
    }
}
