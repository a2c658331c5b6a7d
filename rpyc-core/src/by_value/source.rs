//! serde types out of whatever holds data: plain values, pickles.

use std::borrow::Cow;
use std::iter;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::CopyError;
use crate::wire::Int;

/// A value, its parts from the same source.
pub(super) trait Source<'s>: Sized {
    /// What it is, where `wanted` is wanted.
    fn open(self, wanted: Wanted) -> Result<Opened<'s, Self>, CopyError>;

    /// Whether it is `None`.
    fn is_none(&self) -> Result<bool, CopyError>;
}

/// What a serde type asks for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    Anything,
    Sequence,
    Map,
    Struct,
}

pub(super) enum Opened<'s, S> {
    None,
    Bool(bool),
    Int(Int),
    Float(f64),
    Str(Cow<'s, str>),
    Bytes(Cow<'s, [u8]>),
    Items(Box<dyn Iterator<Item = S> + 's>),
    Dict(Box<dyn Iterator<Item = (S, S)> + 's>),
}

/// A source as serde reads it.
pub(super) struct Reader<S>(pub(super) S);

impl<'s, S: Source<'s>> Reader<S> {
    fn visit<'de, V: Visitor<'de>>(
        self,
        wanted: Wanted,
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        match self.0.open(wanted)? {
            Opened::None => visitor.visit_unit(),
            Opened::Bool(flag) => visitor.visit_bool(flag),
            Opened::Int(int) => visit_int(&int, visitor),
            Opened::Float(float) => visitor.visit_f64(float),
            Opened::Str(Cow::Borrowed(text)) => visitor.visit_str(text),
            Opened::Str(Cow::Owned(text)) => visitor.visit_string(text),
            Opened::Bytes(Cow::Borrowed(bytes)) => visitor.visit_bytes(bytes),
            Opened::Bytes(Cow::Owned(bytes)) => visitor.visit_byte_buf(bytes),
            Opened::Items(items) => {
                let mut items = SeqDeserializer::new(items.map(Reader));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Opened::Dict(entries) => {
                let entries = entries.map(|(key, value)| (Reader(key), Reader(value)));
                let mut entries = MapDeserializer::new(entries);
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
        }
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

impl<'s, S: Source<'s>> IntoDeserializer<'_, CopyError> for Reader<S> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de, 's, S: Source<'s>> Deserializer<'de> for Reader<S> {
    type Error = CopyError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        self.visit(Wanted::Anything, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        match self.0.is_none()? {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        self.visit(Wanted::Sequence, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        self.visit(Wanted::Map, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        self.visit(Wanted::Struct, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        match self.0.open(Wanted::Anything)? {
            Opened::Str(name) => return visitor.visit_enum(name.into_deserializer()),
            Opened::Items(mut items) => {
                if let (Some(name), Some(content), None) =
                    (items.next(), items.next(), items.next())
                {
                    let variant = iter::once((Reader(name), Reader(content)));
                    let variant = MapDeserializer::new(variant);
                    return visitor.visit_enum(MapAccessDeserializer::new(variant));
                }
            }
            _ => {}
        }
        Err(CopyError::new("an enum is a name, or a pair"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct identifier ignored_any
    }
}
