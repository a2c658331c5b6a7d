//! serde types into plain values.

use bytes::Bytes;
use serde::ser::{self, Serialize};

use super::CopyError;
use crate::wire::{Str, Value};

/// Copies a serde type into a plain value.
///
/// Sequences and tuples become tuples; maps and structs become tuples of pairs, which Python's
/// `dict()` takes; `None` and `()` become `None`; a unit variant becomes its name, every other
/// variant a pair of its name and its content.
///
/// ```
/// use rpyc_core::by_value::{from_value, to_value};
/// # fn main() -> Result<(), rpyc_core::by_value::CopyError> {
/// let value = to_value(&(1, "two", [3.0]))?;
/// assert_eq!(value.to_string(), "(1, 'two', (3.0,))");
/// let (one, two, three): (u8, String, Vec<f64>) = from_value(value)?;
/// assert_eq!((one, &*two, &*three), (1, "two", &[3.0][..]));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What the type's own `Serialize` says.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, CopyError> {
    value.serialize(Writer)
}

struct Writer;

/// A tuple under construction, inside of a variant or not.
struct Items {
    variant: Option<&'static str>,
    items: Vec<Value>,
    key: Option<Value>,
}

impl Items {
    fn new(variant: Option<&'static str>, len: Option<usize>) -> Items {
        // A type may claim any length.
        let items = Vec::with_capacity(len.unwrap_or(0).min(1024));
        Items {
            variant,
            items,
            key: None,
        }
    }

    fn push(&mut self, item: &(impl Serialize + ?Sized)) -> Result<(), CopyError> {
        self.items.push(to_value(item)?);
        Ok(())
    }

    fn push_pair(&mut self, key: Value, item: &(impl Serialize + ?Sized)) -> Result<(), CopyError> {
        self.items.push(Value::Tuple(vec![key, to_value(item)?]));
        Ok(())
    }

    fn finish(self) -> Value {
        let items = Value::Tuple(self.items);
        match self.variant {
            None => items,
            Some(name) => Value::Tuple(vec![Value::Str(Str::from_static(name)), items]),
        }
    }
}

macro_rules! plain {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, v: $type) -> Result<Value, CopyError> {
            Ok(Value::from(v))
        }
    )*};
}

impl ser::Serializer for Writer {
    type Ok = Value;
    type Error = CopyError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Items;
    type SerializeStruct = Items;
    type SerializeStructVariant = Items;

    plain! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128)
        serialize_f64(f64) serialize_str(&str)
    }

    fn serialize_f32(self, v: f32) -> Result<Value, CopyError> {
        Ok(Value::Float(v.into()))
    }

    fn serialize_char(self, v: char) -> Result<Value, CopyError> {
        Ok(Value::from(String::from(v)))
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<Value, CopyError> {
        Ok(Value::Bytes(Bytes::copy_from_slice(v)))
    }

    fn serialize_none(self) -> Result<Value, CopyError> {
        Ok(Value::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<Value, CopyError> {
        to_value(v)
    }

    fn serialize_unit(self) -> Result<Value, CopyError> {
        Ok(Value::None)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, CopyError> {
        Ok(Value::None)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, CopyError> {
        Ok(Value::Str(Str::from_static(variant)))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<Value, CopyError> {
        to_value(v)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<Value, CopyError> {
        let name = Value::Str(Str::from_static(variant));
        Ok(Value::Tuple(vec![name, to_value(v)?]))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items, CopyError> {
        Ok(Items::new(None, len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Items, CopyError> {
        Ok(Items::new(None, Some(len)))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items, CopyError> {
        Ok(Items::new(None, Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items, CopyError> {
        Ok(Items::new(Some(variant), Some(len)))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Items, CopyError> {
        Ok(Items::new(None, len))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Items, CopyError> {
        Ok(Items::new(None, Some(len)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items, CopyError> {
        Ok(Items::new(Some(variant), Some(len)))
    }
}

macro_rules! sequence {
    ($($trait:ident $method:ident)*) => {$(
        impl ser::$trait for Items {
            type Ok = Value;
            type Error = CopyError;

            fn $method<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), CopyError> {
                self.push(v)
            }

            fn end(self) -> Result<Value, CopyError> {
                Ok(self.finish())
            }
        }
    )*};
}

sequence! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Items {
            type Ok = Value;
            type Error = CopyError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                v: &T,
            ) -> Result<(), CopyError> {
                self.push_pair(Value::Str(Str::from_static(name)), v)
            }

            fn end(self) -> Result<Value, CopyError> {
                Ok(self.finish())
            }
        }
    )*};
}

fields!(SerializeStruct SerializeStructVariant);

impl ser::SerializeMap for Items {
    type Ok = Value;
    type Error = CopyError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CopyError> {
        self.key = Some(to_value(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), CopyError> {
        let key = self.key.take();
        let key = key.ok_or_else(|| CopyError::new("a map's value came before its key"))?;
        self.push_pair(key, v)
    }

    fn end(self) -> Result<Value, CopyError> {
        Ok(self.finish())
    }
}
