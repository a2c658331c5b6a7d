//! Whether two things are equal, by Python's rules.

use super::depth::deeper;
use crate::object::{Any, Context, ObjectResult};
use crate::wire::{Handler, Int, Value};

/// `one == other`
///
/// # Errors
/// What an object's `__eq__` raised.
pub(in crate::object) fn same(cx: &Context<'_>, one: &Any, other: &Any) -> ObjectResult<bool> {
    let answer = match (one, other) {
        (Any::Value(one), Any::Value(other)) => return Ok(same_value(one, other)),
        (Any::Netref(one), Any::Netref(other)) if one == other => return Ok(true),
        (Any::Tuple(_), Any::Tuple(_) | Any::Value(Value::Tuple(_)))
        | (Any::Value(Value::Tuple(_)), Any::Tuple(_)) => {
            let one = one.clone().into_items().unwrap_or_default();
            let other = other.clone().into_items().unwrap_or_default();
            return all_same(cx, &one, &other);
        }
        (Any::Local(object), other) | (other, Any::Local(object)) => {
            deeper(|| object.compare(cx, "__eq__", other))?
        }
        (Any::Netref(netref), other) | (other, Any::Netref(netref)) => {
            netref.request(Handler::Cmp, [other.clone(), Any::from("__eq__")])?
        }
        _ => return Ok(false),
    };
    Ok(matches!(answer, Any::Value(Value::Bool(true))))
}

/// Whether two sequences are equal, item by item.
///
/// # Errors
/// As [`same`].
pub(super) fn all_same(cx: &Context<'_>, one: &[Any], other: &[Any]) -> ObjectResult<bool> {
    if one.len() != other.len() {
        return Ok(false);
    }
    for (one, other) in one.iter().zip(other) {
        if !same(cx, one, other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Numbers are equal across their types, sets in any order, and a NaN to nothing.
pub(super) fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Str(one), Value::Str(other)) => return one == other,
        (Value::Bytes(one), Value::Bytes(other)) => return one == other,
        _ => {}
    }
    let is_nan = match (one, other) {
        // Without a copy: they may be as large as a message.
        (Value::Str(one), Value::Str(other)) => return one == other,
        (Value::Bytes(one), Value::Bytes(other)) => return one == other,
        (Value::Float(float), _) => float.is_nan(),
        (Value::Complex(real, imaginary), _) => real.is_nan() || imaginary.is_nan(),
        _ => false,
    };
    let bytes = |value| {
        let mut bytes = Vec::new();
        put(value, &mut bytes);
        bytes
    };
    !is_nan && bytes(one) == bytes(other)
}

/// Appends bytes that are the same for two values where they are the same item of a collection: equal,
/// or both a NaN, which in Python is the same thing as itself.
///
/// They take time and memory by the size of the value, whatever a peer puts into it.
pub(super) fn put(value: &Value, out: &mut Vec<u8>) {
    if let Some(int) = integer(value) {
        return match int.to_i64() {
            Some(small) => head(b'i', small.cast_unsigned(), out),
            None => sized(b'I', &int.to_bigint().to_signed_bytes_be(), out),
        };
    }
    match value {
        Value::Bytes(bytes) => sized(b'b', bytes, out),
        Value::Str(text) => sized(b's', text.as_bytes(), out),
        Value::Float(float) => complex([*float, 0.0], out),
        Value::Complex(real, imaginary) => complex([*real, *imaginary], out),
        Value::Tuple(items) => {
            head(b't', items.len() as u64, out);
            items.iter().for_each(|item| put(item, out));
        }
        Value::Slice(parts) => {
            head(b':', 0, out);
            parts.iter().for_each(|part| put(part, out));
        }
        // In any order, and however often an item comes.
        Value::FrozenSet(items) => {
            let bytes = items.iter().map(|item| {
                let mut bytes = Vec::new();
                put(item, &mut bytes);
                bytes
            });
            let mut items: Vec<Vec<u8>> = bytes.collect();
            items.sort_unstable();
            items.dedup();
            sized(b'f', &items.concat(), out);
        }
        other => sized(b'n', other.to_string().as_bytes(), out),
    }
}

/// What an item is, so that none can be taken for one of another kind, and how long.
pub(super) fn head(kind: u8, number: u64, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&number.to_be_bytes());
}

fn sized(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    head(kind, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// The same for both zeros, and for every NaN.
fn complex(parts: [f64; 2], out: &mut Vec<u8>) {
    for part in parts {
        let part = if part.is_nan() { f64::NAN } else { part + 0.0 };
        head(b'c', part.to_bits(), out);
    }
}

/// The integer that a bool, an int or a whole float is.
fn integer(value: &Value) -> Option<Int> {
    match value {
        Value::Bool(flag) => Some(Int::from(i64::from(*flag))),
        Value::Int(int) => Some(int.clone()),
        Value::Float(float) => whole(*float),
        Value::Complex(real, imaginary) if *imaginary == 0.0 => whole(*real),
        _ => None,
    }
}

fn whole(float: f64) -> Option<Int> {
    use num_traits::FromPrimitive;
    let is_whole = float.is_finite() && float.fract() == 0.0;
    let big = num_bigint::BigInt::from_f64(float).filter(|_| is_whole);
    big.map(Int::from)
}
