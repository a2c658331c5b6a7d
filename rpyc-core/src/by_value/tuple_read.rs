//! A tuple that holds references, read as serde types: each reference copied, each value as it is.

use bytes::Bytes;
use serde::de::{self, DeserializeOwned, DeserializeSeed, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::CopyError;
use super::pickle_read::pickle_into;
use super::source::Reader;
use crate::wire::Value;

/// What a tuple holds.
pub(super) enum Part {
    Value(Value),
    /// The bytes that PICKLE was answered with.
    Copied(Bytes),
    Tuple(Vec<Part>),
}

impl Part {
    /// Makes a serde type of it.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, CopyError> {
        self.read_into(std::marker::PhantomData)
    }

    fn read_into<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, CopyError> {
        match self {
            Part::Value(value) => seed.deserialize(Reader(value)),
            Part::Tuple(parts) => seed.deserialize(Tuple(parts.into_iter())),
            Part::Copied(bytes) => match bytes.split_first() {
                Some((&MESSAGE_PACK_MARK, packed)) => {
                    let mut reader = rmp_serde::Deserializer::new(packed);
                    let read = seed.deserialize(&mut reader);
                    read.map_err(|error| CopyError::new(error.to_string()))
                }
                _ => pickle_into(&bytes, seed),
            },
        }
    }
}

struct Tuple(std::vec::IntoIter<Part>);

impl<'de> SeqAccess<'de> for Tuple {
    type Error = CopyError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, CopyError> {
        self.0.next().map(|part| part.read_into(seed)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

impl<'de> de::Deserializer<'de> for Tuple {
    type Error = CopyError;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, CopyError> {
        let value = visitor.visit_seq(&mut self)?;
        match self.0.len() {
            0 => Ok(value),
            more => Err(CopyError::new(format!(
                "a tuple of {more} more items than asked for"
            ))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CopyError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The first byte of an answer in MessagePack. No pickle begins with it, and MessagePack doesn't use it.
pub(super) const MESSAGE_PACK_MARK: u8 = 0xc1;
