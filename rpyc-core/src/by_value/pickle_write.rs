//! serde types as Python's pickles.

use serde::Serialize;

use super::CopyError;
use super::value_write::{self, Data, Shape};
use crate::object::ObjectResult;
use crate::object::pickled::Writer;

/// Pickles a serde type: sequences as lists, tuples as tuples, maps and structs as dicts, `None`
/// and `()` as `None`, a unit variant as its name, another variant as a pair.
pub(super) fn to_pickle<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CopyError> {
    Ok(write(value, Writer::begin(usize::MAX))?.finish())
}

/// The opcodes without header and STOP, behind `mark`: for use within another pickle.
pub(super) fn to_part<T: Serialize + ?Sized>(value: &T, mark: &[u8]) -> Result<Vec<u8>, CopyError> {
    Ok(write(value, Writer::within_another(mark))?.out)
}

fn write<T: Serialize + ?Sized>(value: &T, mut writer: Writer) -> Result<Writer, CopyError> {
    match writer.data(&value.serialize(value_write::Writer)?) {
        Ok(()) => Ok(writer),
        Err(refused) => Err(CopyError::new(refused.message())),
    }
}

impl Writer {
    fn data(&mut self, data: &Data) -> ObjectResult<()> {
        let (shape, items) = match data {
            Data::Value(value) => return self.value(value),
            Data::Many(shape, items) => (shape, items),
        };
        let (begin, end): (&[u8], &[u8]) = match shape {
            Shape::List => (b"](", b"e"),
            Shape::Tuple => (b"(", b"t"),
            Shape::Dict => (b"}(", b"u"),
        };
        self.put(begin)?;
        items.iter().try_for_each(|item| self.data(item))?;
        self.put(end)
    }
}

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
