//! serde types into what Python tells apart, and that into plain values.

use std::iter;

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
    Many(Shape, Vec<Data>),
}

/// What holds several; the items of a dict are its keys and values in turn.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    List,
    Tuple,
    Dict,
}

impl Data {
    fn into_value(self) -> Value {
        match self {
            Data::Value(value) => value,
            Data::Many(shape, items) => {
                let mut values = items.into_iter().map(Data::into_value);
                match shape {
                    Shape::List | Shape::Tuple => Value::tuple(values),
                    Shape::Dict => Value::tuple(iter::from_fn(|| {
                        Some(Value::tuple([values.next()?, values.next()?]))
                    })),
                }
            }
        }
    }

    fn name(name: &'static str) -> Data {
        Data::Value(Value::Str(Str::from_static(name)))
    }
}

/// Makes [`Data`] of a serde type.
pub(super) struct Writer;

/// What holds several, under construction.
pub(super) struct Parts {
    shape: Shape,
    // What it is the content of.
    variant: Option<&'static str>,
    items: Vec<Data>,
}

impl Parts {
    fn new(
        shape: Shape,
        variant: Option<&'static str>,
        len: Option<usize>,
    ) -> Result<Parts, CopyError> {
        Ok(Parts {
            shape,
            variant,
            // A type may claim any length.
            items: Vec::with_capacity(len.unwrap_or(0).min(1024)),
        })
    }

    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), CopyError> {
        self.items.push(item.serialize(Writer)?);
        Ok(())
    }

    fn whole(self) -> Data {
        let whole = Data::Many(self.shape, self.items);
        match self.variant {
            Some(name) => Data::Many(Shape::Tuple, vec![Data::name(name), whole]),
            None => whole,
        }
    }
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
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    plain! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128)
        serialize_f64(f64) serialize_str(&str)
    }

    fn serialize_f32(self, v: f32) -> Result<Data, CopyError> {
        self.serialize_f64(v.into())
    }

    fn serialize_char(self, v: char) -> Result<Data, CopyError> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
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
        let items = vec![Data::name(variant), v.serialize(Writer)?];
        Ok(Data::Many(Shape::Tuple, items))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Parts, CopyError> {
        Parts::new(Shape::List, None, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Parts, CopyError> {
        Parts::new(Shape::Tuple, None, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Parts, CopyError> {
        Parts::new(Shape::Tuple, None, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts, CopyError> {
        Parts::new(Shape::Tuple, Some(variant), Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Parts, CopyError> {
        Parts::new(Shape::Dict, None, len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Parts, CopyError> {
        Parts::new(Shape::Dict, None, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts, CopyError> {
        Parts::new(Shape::Dict, Some(variant), Some(len))
    }
}

macro_rules! parts {
    ($($trait:ident { $($method:ident $(($name:ident))?)* })*) => {$(
        impl ser::$trait for Parts {
            type Ok = Data;
            type Error = CopyError;

            $(
                fn $method<T: Serialize + ?Sized>(
                    &mut self,
                    $($name: &'static str,)?
                    v: &T,
                ) -> Result<(), CopyError> {
                    $(self.items.push(Data::name($name));)?
                    self.push(v)
                }
            )*

            fn end(self) -> Result<Data, CopyError> {
                Ok(self.whole())
            }
        }
    )*};
}

parts! {
    SerializeSeq { serialize_element }
    SerializeTuple { serialize_element }
    SerializeTupleStruct { serialize_field }
    SerializeTupleVariant { serialize_field }
    SerializeMap { serialize_key serialize_value }
    SerializeStruct { serialize_field(name) }
    SerializeStructVariant { serialize_field(name) }
}
