//! A variant of an enum: its name and, if it has one, its content.

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, Visitor};

use super::CopyError;

/// A variant, its parts from the same source.
pub(super) struct Variant<D> {
    pub(super) name: D,
    pub(super) content: Option<D>,
}

impl<'de, D: Deserializer<'de, Error = CopyError>> de::EnumAccess<'de> for Variant<D> {
    type Error = CopyError;
    type Variant = Content<D>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<D>), CopyError> {
        Ok((seed.deserialize(self.name)?, Content(self.content)))
    }
}

pub(super) struct Content<D>(Option<D>);

impl<D> Content<D> {
    fn required(self) -> Result<D, CopyError> {
        self.0
            .ok_or_else(|| CopyError::new("the variant lacks its content"))
    }
}

impl<'de, D: Deserializer<'de, Error = CopyError>> de::VariantAccess<'de> for Content<D> {
    type Error = CopyError;

    fn unit_variant(self) -> Result<(), CopyError> {
        // A content of None counts as no content.
        self.0.map_or(Ok(()), Deserialize::deserialize)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, CopyError> {
        seed.deserialize(self.required()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, CopyError> {
        self.required()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CopyError> {
        self.required()?.deserialize_struct("", fields, visitor)
    }
}
