//! serde types into plain values, or into dicts by reference.

use std::marker::PhantomData;

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
    write::<Plain, T>(value)
}

/// What a serde type is made into.
pub(super) trait Form {
    type Out: From<Value>;

    fn list(items: Vec<Self::Out>) -> Self::Out {
        Self::tuple(items)
    }

    fn tuple(items: Vec<Self::Out>) -> Self::Out;

    fn map(entries: Vec<(Self::Out, Self::Out)>) -> Result<Self::Out, CopyError>;
}

/// A plain value: a map is a tuple of pairs.
enum Plain {}

impl Form for Plain {
    type Out = Value;

    fn tuple(items: Vec<Value>) -> Value {
        Value::Tuple(items)
    }

    fn map(entries: Vec<(Value, Value)>) -> Result<Value, CopyError> {
        let pairs = entries
            .into_iter()
            .map(|(key, value)| Value::Tuple(vec![key, value]));
        Ok(Value::Tuple(pairs.collect()))
    }
}

pub(super) fn write<F: Form, T: Serialize + ?Sized>(value: &T) -> Result<F::Out, CopyError> {
    value.serialize(Writer(PhantomData::<F>))
}

struct Writer<F>(PhantomData<F>);

/// A list, tuple or map under construction, inside of a variant or not.
struct Items<F: Form> {
    is_list: bool,
    variant: Option<&'static str>,
    items: Vec<F::Out>,
    entries: Option<Vec<(F::Out, F::Out)>>,
    key: Option<F::Out>,
}

impl<F: Form> Items<F> {
    fn of_tuple(variant: Option<&'static str>, len: Option<usize>) -> Items<F> {
        Items {
            is_list: false,
            variant,
            items: Vec::with_capacity(reserved(len)),
            entries: None,
            key: None,
        }
    }

    fn of_map(variant: Option<&'static str>, len: Option<usize>) -> Items<F> {
        Items {
            is_list: false,
            variant,
            items: Vec::new(),
            entries: Some(Vec::with_capacity(reserved(len))),
            key: None,
        }
    }

    fn push(&mut self, item: &(impl Serialize + ?Sized)) -> Result<(), CopyError> {
        self.items.push(write::<F, _>(item)?);
        Ok(())
    }

    fn push_entry(
        &mut self,
        key: F::Out,
        item: &(impl Serialize + ?Sized),
    ) -> Result<(), CopyError> {
        let value = write::<F, _>(item)?;
        self.entries.get_or_insert_default().push((key, value));
        Ok(())
    }

    fn finish(self) -> Result<F::Out, CopyError> {
        let content = match self.entries {
            Some(entries) => F::map(entries)?,
            None if self.is_list => F::list(self.items),
            None => F::tuple(self.items),
        };
        Ok(match self.variant {
            None => content,
            Some(name) => F::tuple(vec![name_of(name), content]),
        })
    }
}

/// How many items are reserved: a type may claim any length.
fn reserved(len: Option<usize>) -> usize {
    len.unwrap_or(0).min(1024)
}

fn name_of<O: From<Value>>(name: &'static str) -> O {
    O::from(Value::Str(Str::from_static(name)))
}

macro_rules! plain {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, v: $type) -> Result<F::Out, CopyError> {
            Ok(Value::from(v).into())
        }
    )*};
}

impl<F: Form> ser::Serializer for Writer<F> {
    type Ok = F::Out;
    type Error = CopyError;
    type SerializeSeq = Items<F>;
    type SerializeTuple = Items<F>;
    type SerializeTupleStruct = Items<F>;
    type SerializeTupleVariant = Items<F>;
    type SerializeMap = Items<F>;
    type SerializeStruct = Items<F>;
    type SerializeStructVariant = Items<F>;

    plain! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128)
        serialize_f64(f64) serialize_str(&str)
    }

    fn serialize_f32(self, v: f32) -> Result<F::Out, CopyError> {
        Ok(Value::Float(v.into()).into())
    }

    fn serialize_char(self, v: char) -> Result<F::Out, CopyError> {
        Ok(Value::from(String::from(v)).into())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<F::Out, CopyError> {
        Ok(Value::Bytes(Bytes::copy_from_slice(v)).into())
    }

    fn serialize_none(self) -> Result<F::Out, CopyError> {
        Ok(Value::None.into())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<F::Out, CopyError> {
        write::<F, _>(v)
    }

    fn serialize_unit(self) -> Result<F::Out, CopyError> {
        Ok(Value::None.into())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<F::Out, CopyError> {
        Ok(Value::None.into())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<F::Out, CopyError> {
        Ok(name_of(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<F::Out, CopyError> {
        write::<F, _>(v)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<F::Out, CopyError> {
        Ok(F::tuple(vec![name_of(variant), write::<F, _>(v)?]))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items<F>, CopyError> {
        Ok(Items {
            is_list: true,
            ..Items::of_tuple(None, len)
        })
    }

    fn serialize_tuple(self, len: usize) -> Result<Items<F>, CopyError> {
        Ok(Items::of_tuple(None, Some(len)))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items<F>, CopyError> {
        Ok(Items::of_tuple(None, Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items<F>, CopyError> {
        Ok(Items::of_tuple(Some(variant), Some(len)))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Items<F>, CopyError> {
        Ok(Items::of_map(None, len))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Items<F>, CopyError> {
        Ok(Items::of_map(None, Some(len)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items<F>, CopyError> {
        Ok(Items::of_map(Some(variant), Some(len)))
    }
}

macro_rules! sequence {
    ($($trait:ident $method:ident)*) => {$(
        impl<F: Form> ser::$trait for Items<F> {
            type Ok = F::Out;
            type Error = CopyError;

            fn $method<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), CopyError> {
                self.push(v)
            }

            fn end(self) -> Result<F::Out, CopyError> {
                self.finish()
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
        impl<F: Form> ser::$trait for Items<F> {
            type Ok = F::Out;
            type Error = CopyError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                v: &T,
            ) -> Result<(), CopyError> {
                self.push_entry(name_of(name), v)
            }

            fn end(self) -> Result<F::Out, CopyError> {
                self.finish()
            }
        }
    )*};
}

fields!(SerializeStruct SerializeStructVariant);

impl<F: Form> ser::SerializeMap for Items<F> {
    type Ok = F::Out;
    type Error = CopyError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CopyError> {
        self.key = Some(write::<F, _>(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), CopyError> {
        let key = self.key.take();
        let key = key.ok_or_else(|| CopyError::new("a map's value came before its key"))?;
        self.push_entry(key, v)
    }

    fn end(self) -> Result<F::Out, CopyError> {
        self.finish()
    }
}
