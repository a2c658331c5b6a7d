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
