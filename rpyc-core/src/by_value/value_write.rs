//! serde types into what Python tells apart, and that into plain values.

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
    value.serialize(Writer).map(Data::into_value)
}

/// A serde type by what Python tells apart: [`Writer`] makes it.
pub(super) enum Data {
    Value(Value),
    List(Vec<Data>),
    Tuple(Vec<Data>),
    Dict(Vec<(Data, Data)>),
}

impl Data {
    fn into_value(self) -> Value {
        let pair =
            |(key, value): (Data, Data)| Value::tuple([key.into_value(), value.into_value()]);
        match self {
            Data::Value(value) => value,
            Data::List(items) | Data::Tuple(items) => {
                Value::tuple(items.into_iter().map(Data::into_value))
            }
            Data::Dict(entries) => Value::tuple(entries.into_iter().map(pair)),
        }
    }

    fn name(name: &'static str) -> Data {
        Data::Value(Value::Str(Str::from_static(name)))
    }

    /// The same as the content of a variant of an enum, if it is that.
    fn of_variant(self, variant: Option<&'static str>) -> Data {
        match variant {
            Some(name) => Data::Tuple(vec![Data::name(name), self]),
            None => self,
        }
    }
}

/// Makes [`Data`] of a serde type.
pub(super) struct Writer;

/// A list or tuple under construction.
pub(super) struct Items {
    whole: fn(Vec<Data>) -> Data,
    variant: Option<&'static str>,
    items: Vec<Data>,
}

impl Items {
    fn new(
        whole: fn(Vec<Data>) -> Data,
        variant: Option<&'static str>,
        len: Option<usize>,
    ) -> Result<Items, CopyError> {
        let items = Vec::with_capacity(reserved(len));
        Ok(Items {
            whole,
            variant,
            items,
        })
    }
}

/// A map under construction.
pub(super) struct Entries {
    variant: Option<&'static str>,
    entries: Vec<(Data, Data)>,
    key: Option<Data>,
}

impl Entries {
    fn new(variant: Option<&'static str>, len: Option<usize>) -> Result<Entries, CopyError> {
        let entries = Vec::with_capacity(reserved(len));
        Ok(Entries {
            variant,
            entries,
            key: None,
        })
    }
}

/// How many items are reserved: a type may claim any length.
fn reserved(len: Option<usize>) -> usize {
    len.unwrap_or(0).min(1024)
}

macro_rules! plain {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, v: $type) -> Result<Data, CopyError> {
            Ok(Data::Value(v.into()))
        }
    )*};
}

impl ser::Serializer for Writer {
    type Ok = Data;
    type Error = CopyError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    plain! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128)
        serialize_f64(f64) serialize_str(&str)
    }

    fn serialize_f32(self, v: f32) -> Result<Data, CopyError> {
        Ok(Data::Value(Value::Float(v.into())))
    }

    fn serialize_char(self, v: char) -> Result<Data, CopyError> {
        Ok(Data::Value(String::from(v).into()))
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<Data, CopyError> {
        Ok(Data::Value(Bytes::copy_from_slice(v).into()))
    }

    fn serialize_none(self) -> Result<Data, CopyError> {
        Ok(Data::Value(Value::None))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<Data, CopyError> {
        v.serialize(Writer)
    }

    fn serialize_unit(self) -> Result<Data, CopyError> {
        Ok(Data::Value(Value::None))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Data, CopyError> {
        Ok(Data::Value(Value::None))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Data, CopyError> {
        Ok(Data::name(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<Data, CopyError> {
        v.serialize(Writer)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<Data, CopyError> {
        Ok(v.serialize(Writer)?.of_variant(Some(variant)))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items, CopyError> {
        Items::new(Data::List, None, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Items, CopyError> {
        Items::new(Data::Tuple, None, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items, CopyError> {
        Items::new(Data::Tuple, None, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items, CopyError> {
        Items::new(Data::Tuple, Some(variant), Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries, CopyError> {
        Entries::new(None, len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Entries, CopyError> {
        Entries::new(None, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Entries, CopyError> {
        Entries::new(Some(variant), Some(len))
    }
}

macro_rules! items {
    ($($trait:ident $method:ident)*) => {$(
        impl ser::$trait for Items {
            type Ok = Data;
            type Error = CopyError;

            fn $method<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), CopyError> {
                self.items.push(v.serialize(Writer)?);
                Ok(())
            }

            fn end(self) -> Result<Data, CopyError> {
                Ok((self.whole)(self.items).of_variant(self.variant))
            }
        }
    )*};
}

items! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Entries {
            type Ok = Data;
            type Error = CopyError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                v: &T,
            ) -> Result<(), CopyError> {
                self.entries.push((Data::name(name), v.serialize(Writer)?));
                Ok(())
            }

            fn end(self) -> Result<Data, CopyError> {
                Ok(Data::Dict(self.entries).of_variant(self.variant))
            }
        }
    )*};
}

fields!(SerializeStruct SerializeStructVariant);

impl ser::SerializeMap for Entries {
    type Ok = Data;
    type Error = CopyError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CopyError> {
        self.key = Some(key.serialize(Writer)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), CopyError> {
        let key = self.key.take();
        let key = key.ok_or_else(|| CopyError::new("a map's value came before its key"))?;
        self.entries.push((key, v.serialize(Writer)?));
        Ok(())
    }

    fn end(self) -> Result<Data, CopyError> {
        ser::SerializeStruct::end(self)
    }
}
