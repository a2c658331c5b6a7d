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

/// Reads one value.
pub(super) fn value(reader: &mut Reader<'_>) -> Result<Value, Box<DecodeError>> {
    let start = reader.offset();
    let tag = reader.u8("value")?;
    // Whatever recurses stays out of the function that reads the rest, so that its many locals don't pile up on the
    // stack once a level.
    match tag {
        tag::NONE => Ok(Value::None),
        tag::EMPTY_TUPLE => Ok(Value::Tuple(Vec::new())),
        tag::SMALL_INT_FIRST..=tag::SMALL_INT_LAST => {
            Ok(Value::Int((i64::from(tag) - tag::SMALL_INT_BIAS).into()))
        }
        tag::TUPLE_1..=tag::TUPLE_L4 => items(reader, tag, "tuple", start).map(Value::Tuple),
        tag::FROZENSET => frozenset(reader),
        tag::SLICE => slice(reader),
        _ => leaf(reader, tag, start),
    }
}

/// Reads a value that holds no others, after its tag, which stood at `start`.
#[inline(never)]
fn leaf(reader: &mut Reader<'_>, tag: u8, start: usize) -> Result<Value, Box<DecodeError>> {
    Ok(match tag {
        tag::NONE => Value::None,
        tag::TRUE => Value::Bool(true),
        tag::FALSE => Value::Bool(false),
        tag::NOT_IMPLEMENTED => Value::NotImplemented,
        tag::ELLIPSIS => Value::Ellipsis,
        tag::STR => Value::Str(text(reader)?),
        tag::EMPTY_BYTES | tag::BYTES_1..=tag::BYTES_L4 => {
            let length = bytes_length(reader, tag, "bytes", start)?;
            Value::Bytes(reader.buffer("bytes", length)?)
        }
        tag::INT_L1 => {
            let length = reader.short_length("int")?;
            Value::Int(int(reader, length)?)
        }
        tag::INT_L4 => {
            let length = reader.long_length("int")?;
            Value::Int(int(reader, length)?)
        }
        tag::PY2_LONG => {
            let inner = reader.offset();
            let length = match reader.u8("int")? {
                small @ tag::SMALL_INT_FIRST..=tag::SMALL_INT_LAST => {
                    return Ok(Value::from(i64::from(small) - tag::SMALL_INT_BIAS));
                }
                tag::INT_L1 => reader.short_length("int")?,
                tag::INT_L4 => reader.long_length("int")?,
                tag => bytes_length(reader, tag, "int", inner)?,
            };
            Value::Int(int(reader, length)?)
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

/// Reads the count of a tuple with this tag, which began at `start`.
#[inline]
pub(super) fn tuple_count(
    reader: &mut Reader<'_>,
    tag: u8,
    reading: &'static str,
    start: usize,
) -> Result<usize, Box<DecodeError>> {
    Ok(match tag {
        tag::EMPTY_TUPLE => 0,
        tag::TUPLE_1 => 1,
        tag::TUPLE_2 => 2,
        tag::TUPLE_3 => 3,
        tag::TUPLE_4 => 4,
        tag::TUPLE_L1 => reader.short_length(reading)?,
        tag::TUPLE_L4 => reader.long_length(reading)?,
        found => {
            return Err(DecodeError::at(
                start,
                DecodeErrorKind::UnexpectedTag { reading, found },
            ));
        }
    })
}

/// Reads the items of a tuple with this tag.
fn items(
    reader: &mut Reader<'_>,
    tag: u8,
    reading: &'static str,
    start: usize,
) -> Result<Vec<Value>, Box<DecodeError>> {
    let count = tuple_count(reader, tag, reading, start)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    reader.announce(count)?;
    reader.enter()?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        reader.begin_item();
        items.push(value(reader)?);
    }
    reader.leave();
    Ok(items)
}

fn frozenset(reader: &mut Reader<'_>) -> Result<Value, Box<DecodeError>> {
    let start = reader.offset();
    let tag = reader.u8("frozenset")?;
    items(reader, tag, "frozenset", start).map(Value::FrozenSet)
}

fn slice(reader: &mut Reader<'_>) -> Result<Value, Box<DecodeError>> {
    let start = reader.offset();
    let tag = reader.u8("slice")?;
    let found = tuple_count(reader, tag, "slice", start)?;
    if found != 3 {
        return Err(DecodeError::at(
            start,
            DecodeErrorKind::WrongCount {
                reading: "slice",
                expected: 3,
                found,
            },
        ));
    }
    reader.announce(found)?;
    reader.enter()?;
    let mut part = || {
        reader.begin_item();
        value(reader)
    };
    let parts = [part()?, part()?, part()?];
    reader.leave();
    Ok(Value::Slice(Box::new(parts)))
}

/// Reads the length of a bytes value with this tag, which began at `start`.
#[inline]
fn bytes_length(
    reader: &mut Reader<'_>,
    tag: u8,
    reading: &'static str,
    start: usize,
) -> Result<usize, Box<DecodeError>> {
    Ok(match tag {
        tag::EMPTY_BYTES => 0,
        tag::BYTES_1 => 1,
        tag::BYTES_2 => 2,
        tag::BYTES_3 => 3,
        tag::BYTES_4 => 4,
        tag::BYTES_L1 => reader.short_length(reading)?,
        tag::BYTES_L4 => reader.long_length(reading)?,
        found => {
            return Err(DecodeError::at(
                start,
                DecodeErrorKind::UnexpectedTag { reading, found },
            ));
        }
    })
}

/// Reads a str, after its tag.
pub(super) fn text(reader: &mut Reader<'_>) -> Result<Str, Box<DecodeError>> {
    let start = reader.offset();
    let tag = reader.u8("str")?;
    let length = bytes_length(reader, tag, "str", start)?;
    let text = if reader.shares(length) {
        Str::from_shared(reader.buffer("str", length)?)
    } else {
        std::str::from_utf8(reader.take("str", length)?).map(Str::from)
    };
    text.map_err(|_| DecodeError::at(start, DecodeErrorKind::InvalidUtf8))
}

/// Reads an int of `length` bytes of decimal text.
fn int(reader: &mut Reader<'_>, length: usize) -> Result<Int, Box<DecodeError>> {
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
