//! serde types as Python's pickles, of protocol 3: every Python 3 reads it.

use serde::ser::{self, Serialize};

use super::CopyError;

/// Pickles a serde type: sequences as lists, tuples as tuples, maps and structs as dicts, `None`
/// and `()` as `None`, a unit variant as its name, another variant as a pair.
pub(super) fn to_pickle<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CopyError> {
    let mut bytes = vec![0x80, 3];
    write_plain(value, &mut bytes)?;
    bytes.push(b'.');
    Ok(bytes)
}

/// Writes the opcodes without header and STOP: for use within another pickle.
pub(super) fn write_plain<T: Serialize + ?Sized>(
    value: &T,
    to: &mut Vec<u8>,
) -> Result<(), CopyError> {
    value.serialize(&mut Writer(to))
}

struct Writer<'a>(&'a mut Vec<u8>);

/// A list, tuple or dict under construction; `end` closes it.
struct Open<'w, 'a> {
    writer: &'w mut Writer<'a>,
    end: u8,
    in_variant: bool,
}

impl Writer<'_> {
    fn sized(&mut self, opcode: u8, bytes: &[u8]) -> Result<(), CopyError> {
        let length = u32::try_from(bytes.len());
        let length = length.map_err(|_| CopyError::new("over 4 GB of text or bytes"))?;
        self.0.push(opcode);
        self.0.extend(length.to_le_bytes());
        self.0.extend(bytes);
        Ok(())
    }

    fn int(&mut self, int: i128) -> Result<(), CopyError> {
        if let Ok(small) = i32::try_from(int) {
            self.0.push(b'J');
            self.0.extend(small.to_le_bytes());
        } else if let Ok(word) = i64::try_from(int) {
            self.0.extend([0x8a, 8]);
            self.0.extend(word.to_le_bytes());
        } else {
            self.0.extend([0x8a, 16]);
            self.0.extend(int.to_le_bytes());
        }
        Ok(())
    }
}

impl<'w, 'a> Writer<'a> {
    fn open(&'w mut self, begin: &[u8], end: u8) -> Open<'w, 'a> {
        self.0.extend(begin);
        Open {
            writer: self,
            end,
            in_variant: false,
        }
    }

    fn open_list(&'w mut self) -> Open<'w, 'a> {
        self.open(b"](", b'e')
    }

    fn open_tuple(&'w mut self) -> Open<'w, 'a> {
        self.open(b"(", b't')
    }

    fn open_dict(&'w mut self) -> Open<'w, 'a> {
        self.open(b"}(", b'u')
    }
}

impl Open<'_, '_> {
    fn in_variant(mut self) -> Self {
        self.in_variant = true;
        self
    }

    fn close(self) {
        self.writer.0.push(self.end);
        if self.in_variant {
            self.writer.0.push(TUPLE2);
        }
    }
}

macro_rules! ints {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, v: $type) -> Result<(), CopyError> {
            self.int(v.into())
        }
    )*};
}

impl<'w, 'a> ser::Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = CopyError;
    type SerializeSeq = Open<'w, 'a>;
    type SerializeTuple = Open<'w, 'a>;
    type SerializeTupleStruct = Open<'w, 'a>;
    type SerializeTupleVariant = Open<'w, 'a>;
    type SerializeMap = Open<'w, 'a>;
    type SerializeStruct = Open<'w, 'a>;
    type SerializeStructVariant = Open<'w, 'a>;

    ints! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
    }

    fn serialize_u128(self, v: u128) -> Result<(), CopyError> {
        match i128::try_from(v) {
            Ok(int) => self.int(int),
            Err(_) => {
                self.0.extend([0x8a, 17]);
                self.0.extend(v.to_le_bytes());
                self.0.push(0);
                Ok(())
            }
        }
    }

    fn serialize_bool(self, v: bool) -> Result<(), CopyError> {
        self.0.push(if v { 0x88 } else { 0x89 });
        Ok(())
    }

    fn serialize_f32(self, v: f32) -> Result<(), CopyError> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), CopyError> {
        self.0.push(b'G');
        self.0.extend(v.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), CopyError> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, v: &str) -> Result<(), CopyError> {
        self.sized(b'X', v.as_bytes())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), CopyError> {
        self.sized(b'B', v)
    }

    fn serialize_none(self) -> Result<(), CopyError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<(), CopyError> {
        v.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CopyError> {
        self.0.push(b'N');
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CopyError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), CopyError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<(), CopyError> {
        v.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<(), CopyError> {
        ser::Serializer::serialize_str(&mut *self, variant)?;
        v.serialize(&mut *self)?;
        self.0.push(TUPLE2);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'w, 'a>, CopyError> {
        Ok(self.open_list())
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'w, 'a>, CopyError> {
        Ok(self.open_tuple())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'w, 'a>, CopyError> {
        Ok(self.open_tuple())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'w, 'a>, CopyError> {
        ser::Serializer::serialize_str(&mut *self, variant)?;
        Ok(self.open_tuple().in_variant())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'w, 'a>, CopyError> {
        Ok(self.open_dict())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'w, 'a>, CopyError> {
        Ok(self.open_dict())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'w, 'a>, CopyError> {
        ser::Serializer::serialize_str(&mut *self, variant)?;
        Ok(self.open_dict().in_variant())
    }
}

macro_rules! sequence {
    ($($trait:ident $method:ident)*) => {$(
        impl ser::$trait for Open<'_, '_> {
            type Ok = ();
            type Error = CopyError;

            fn $method<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), CopyError> {
                v.serialize(&mut *self.writer)
            }

            fn end(self) -> Result<(), CopyError> {
                self.close();
                Ok(())
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
        impl ser::$trait for Open<'_, '_> {
            type Ok = ();
            type Error = CopyError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                v: &T,
            ) -> Result<(), CopyError> {
                ser::Serializer::serialize_str(&mut *self.writer, name)?;
                v.serialize(&mut *self.writer)
            }

            fn end(self) -> Result<(), CopyError> {
                self.close();
                Ok(())
            }
        }
    )*};
}

fields!(SerializeStruct SerializeStructVariant);

impl ser::SerializeMap for Open<'_, '_> {
    type Ok = ();
    type Error = CopyError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CopyError> {
        key.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), CopyError> {
        v.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), CopyError> {
        self.close();
        Ok(())
    }
}

const TUPLE2: u8 = 0x86;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::super::pickle_read::from_pickle;
    use super::super::{from_value, to_value};
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Empty,
        Circle(f64),
        Segment(i64, i64),
        Named { name: String, sides: Option<u8> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Everything {
        flag: bool,
        small: i8,
        word: i64,
        wide: i128,
        unsigned: u64,
        real: f64,
        text: String,
        letter: char,
        list: Vec<u32>,
        pair: (u8, String),
        map: BTreeMap<i32, Shape>,
        maybe: Option<Box<Everything>>,
    }

    fn shape() -> impl Strategy<Value = Shape> {
        prop_oneof![
            Just(Shape::Empty),
            (-1e9..1e9).prop_map(Shape::Circle),
            any::<(i64, i64)>().prop_map(|(a, b)| Shape::Segment(a, b)),
            any::<(String, Option<u8>)>().prop_map(|(name, sides)| Shape::Named { name, sides }),
        ]
    }

    prop_compose! {
        fn flat()(
            (flag, small, word, wide, unsigned, text, letter, list, pair) in any::<(bool, i8, i64, i128, u64, String, char, Vec<u32>, (u8, String))>(),
            real in -1e300..1e300,
            map in proptest::collection::btree_map(any::<i32>(), shape(), 0..4),
        ) -> Everything {
            Everything { flag, small, word, wide, unsigned, real, text, letter, list, pair, map, maybe: None }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(outer in flat(), inner in flat()) {
            let everything = Everything { maybe: Some(Box::new(inner)), ..outer };
            let pickle = to_pickle(&everything);
            prop_assert_eq!(pickle.and_then(|pickle| from_pickle(&pickle)), Ok(everything.clone()));
            let value = to_value(&everything);
            prop_assert_eq!(value.and_then(from_value), Ok(everything));
        }
    }
}
