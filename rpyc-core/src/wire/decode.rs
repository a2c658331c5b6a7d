//! Bytes into values.

use bytes::Bytes;
use num_bigint::BigInt;
use num_traits::Num;

use super::{
    error::{DecodeError, DecodeErrorKind},
    int::Int,
    limits::Limits,
    plain_type::PlainType,
    reader::{self, Reader},
    string::Str,
    tag,
    value::Value,
};

/// The value at the start of `payload`. What follows it is ignored, as Python's rpyc does.
///
/// # Errors
///
/// The bytes are no value, or one beyond `limits`. Only the peer that sent them can be the cause.
pub fn decode_value(payload: &Bytes, limits: &Limits) -> Result<Value, DecodeError> {
    Ok(value(&mut Reader::new(payload, limits))?)
}

/// The value that `payload` consists of.
///
/// # Errors
///
/// As for [`decode_value`], and [`DecodeErrorKind::TrailingBytes`] if something follows the value.
pub fn decode_value_strict(payload: &Bytes, limits: &Limits) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(payload, limits);
    let value = value(&mut reader)?;
    match reader.left() {
        0 => Ok(value),
        left => Err(*reader.error(DecodeErrorKind::TrailingBytes(left))),
    }
}

pub(super) fn value(reader: &mut Reader<'_>) -> Result<Value, Box<DecodeError>> {
    let start = reader.offset();
    let tag = reader.u8("value")?;
    if let Some(int) = tag::small_int(tag) {
        return Ok(Value::from(int));
    }
    // Whatever recurses stays out of the function that reads the rest, so that its many locals don't pile up on the
    // stack once a level.
    match tag {
        tag::NONE => Ok(Value::None),
        tag::EMPTY_TUPLE => Ok(Value::Tuple(Vec::new())),
        tag::TUPLE_1..=tag::TUPLE_L4 => {
            let count = length(reader, tag::TUPLE, tag, "tuple", start)?;
            items(reader, count).map(Value::Tuple)
        }
        tag::FROZENSET => frozenset(reader),
        tag::SLICE => slice(reader),
        _ => leaf(reader, tag, start),
    }
}

/// Reads a value that holds no others, after its tag, which stood at `start`.
#[inline(never)]
fn leaf(reader: &mut Reader<'_>, tag: u8, start: usize) -> Result<Value, Box<DecodeError>> {
    Ok(match tag {
        tag::TRUE => Value::Bool(true),
        tag::FALSE => Value::Bool(false),
        tag::NOT_IMPLEMENTED => Value::NotImplemented,
        tag::ELLIPSIS => Value::Ellipsis,
        tag::STR => Value::Str(text(reader)?),
        tag::EMPTY_BYTES | tag::BYTES_1..=tag::BYTES_L4 => {
            let length = length(reader, tag::BYTES, tag, "bytes", start)?;
            Value::Bytes(reader.buffer("bytes", length)?)
        }
        tag::INT_L1 | tag::INT_L4 => Value::Int(int(reader, tag, start)?),
        tag::PY2_LONG => {
            let start = reader.offset();
            let tag = reader.u8("int")?;
            match tag::small_int(tag) {
                Some(small) => Value::from(small),
                None => Value::Int(int(reader, tag, start)?),
            }
        }
        tag::FLOAT => Value::Float(reader.f64("float")?),
        tag::COMPLEX => Value::Complex(reader.f64("complex")?, reader.f64("complex")?),
        unknown => {
            if reader.dialect().reads_types()
                && let Some(plain) = PlainType::of_tag(unknown)
            {
                return Ok(Value::Type(plain));
            }
            return Err(DecodeError::at(start, DecodeErrorKind::UnknownTag(unknown)));
        }
    })
}

/// Reads the length of a value of this family, after its tag, which stood at `start`.
#[inline]
fn length(
    reader: &mut Reader<'_>,
    family: tag::Family,
    tag: u8,
    reading: &'static str,
    start: usize,
) -> Result<usize, Box<DecodeError>> {
    match tag.wrapping_sub(family.one) {
        more @ 0..=3 => Ok(usize::from(more) + 1),
        _ if tag == family.empty => Ok(0),
        _ if tag == family.l1 => reader.short_length(reading),
        _ if tag == family.l4 => reader.long_length(reading),
        _ => {
            let kind = DecodeErrorKind::UnexpectedTag {
                reading,
                found: tag,
            };
            Err(DecodeError::at(start, kind))
        }
    }
}

/// Reads the tag and the length of a value of this family.
#[inline]
pub(super) fn head(
    reader: &mut Reader<'_>,
    family: tag::Family,
    reading: &'static str,
) -> Result<usize, Box<DecodeError>> {
    let start = reader.offset();
    let tag = reader.u8(reading)?;
    length(reader, family, tag, reading, start)
}

/// Reads the head of a tuple of `expected` parts.
pub(super) fn head_of_parts(
    reader: &mut Reader<'_>,
    reading: &'static str,
    expected: usize,
) -> Result<(), Box<DecodeError>> {
    let start = reader.offset();
    let found = head(reader, tag::TUPLE, reading)?;
    if found == expected {
        return Ok(());
    }
    let kind = DecodeErrorKind::WrongCount {
        reading,
        expected,
        found,
    };
    Err(DecodeError::at(start, kind))
}

/// Reads the items of a tuple, after their count.
fn items(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Value>, Box<DecodeError>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    reader.begin_items(count)?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        reader.begin_item();
        items.push(value(reader)?);
    }
    reader.end_items();
    Ok(items)
}

fn frozenset(reader: &mut Reader<'_>) -> Result<Value, Box<DecodeError>> {
    let count = head(reader, tag::TUPLE, "frozenset")?;
    items(reader, count).map(Value::FrozenSet)
}

fn slice(reader: &mut Reader<'_>) -> Result<Value, Box<DecodeError>> {
    head_of_parts(reader, "slice", 3)?;
    reader.begin_items(3)?;
    let mut part = || {
        reader.begin_item();
        value(reader)
    };
    let parts = Box::new([part()?, part()?, part()?]);
    reader.end_items();
    Ok(Value::Slice(parts))
}

/// Reads a str, after its tag.
pub(super) fn text(reader: &mut Reader<'_>) -> Result<Str, Box<DecodeError>> {
    let start = reader.offset();
    let length = head(reader, tag::BYTES, "str")?;
    let text = if reader.shares(length) {
        Str::from_shared(reader.buffer("str", length)?)
    } else {
        std::str::from_utf8(reader.take("str", length)?).map(Str::from)
    };
    text.map_err(|_| DecodeError::at(start, DecodeErrorKind::InvalidUtf8))
}

/// Reads an int, after the tag of its decimal text, which stood at `start`.
fn int(reader: &mut Reader<'_>, tag: u8, start: usize) -> Result<Int, Box<DecodeError>> {
    let length = match tag {
        tag::INT_L1 => reader.short_length("int")?,
        tag::INT_L4 => reader.long_length("int")?,
        tag => length(reader, tag::BYTES, tag, "int", start)?,
    };
    let start = reader.offset();
    let text = reader.take("int", length)?;
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    let invalid = || DecodeError::at(start, DecodeErrorKind::InvalidInt);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(invalid());
    }
    if let Some(abs) = reader::decimal(digits) {
        return Ok(if negative { -abs } else { abs }.into());
    }
    // Before any arithmetic: its cost grows faster than the text.
    let limit = reader.limits().max_int_digits;
    if digits.len() > limit {
        let digits = digits.len();
        return Err(DecodeError::at(
            start,
            DecodeErrorKind::IntTooLong { digits, limit },
        ));
    }
    let text = std::str::from_utf8(text).map_err(|_| invalid())?;
    BigInt::from_str_radix(text, 10)
        .map(Int::from)
        .map_err(|_| invalid())
}
