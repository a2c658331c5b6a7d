//! Whether two things are equal, by Python's rules.

use super::deeper;
use crate::object::{Any, Context, ObjectResult};
use crate::wire::{Handler, Int, Value};

/// `one == other`; fails with what an object's `__eq__` raised.
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
        (Value::Float(float), _) if float.is_nan() => return false,
        (Value::Complex(real, imaginary), _) if real.is_nan() || imaginary.is_nan() => {
            return false;
        }
        _ => {}
    }
    Form::of(one) == Form::of(other)
}

/// What is the same for two values where they are the same item of a collection: equal, or both a NaN,
/// which in Python is the same thing as itself.
///
/// It takes time and memory by the size of the value, whatever a peer puts into it.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    bytes: Vec<u8>,
    // The items of each set that the bytes tell of, sorted. They stay apart until the end: a set would copy what is
    // nested in it at each level.
    sets: Vec<Vec<Form>>,
}

impl Form {
    fn of(value: &Value) -> Form {
        let mut form = Form::default();
        form.put(value);
        form
    }

    /// Appends one of bytes alone, which tell it apart from all others.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
        self.sets.iter().flatten().for_each(|item| item.write(out));
    }

    /// Appends that of a value.
    pub(super) fn put(&mut self, value: &Value) {
        if let Some(int) = integer(value) {
            return match int.to_i64() {
                Some(small) => self.head(b'i', small.cast_unsigned()),
                None => self.sized(b'I', &int.to_bigint().to_signed_bytes_be()),
            };
        }
        match value {
            Value::Bytes(bytes) => self.sized(b'b', bytes),
            Value::Str(text) => self.sized(b's', text.as_bytes()),
            Value::Float(float) => self.complex([*float, 0.0]),
            Value::Complex(real, imaginary) => self.complex([*real, *imaginary]),
            Value::Tuple(items) => {
                self.head(b't', items.len() as u64);
                items.iter().for_each(|item| self.put(item));
            }
            Value::Slice(parts) => {
                self.head(b':', 0);
                parts.iter().for_each(|part| self.put(part));
            }
            // In any order, and however often an item comes.
            Value::FrozenSet(items) => {
                let mut items: Vec<Form> = items.iter().map(Form::of).collect();
                items.sort_unstable();
                items.dedup();
                self.head(b'f', items.len() as u64);
                self.sets.push(items);
            }
            other => self.sized(b'n', other.to_string().as_bytes()),
        }
    }

    /// Appends what an item is, so that none can be taken for one of another kind, and how long.
    pub(super) fn head(&mut self, kind: u8, number: u64) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&number.to_be_bytes());
    }

    fn sized(&mut self, kind: u8, bytes: &[u8]) {
        self.head(kind, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends the same for both zeros, and for every NaN.
    fn complex(&mut self, parts: [f64; 2]) {
        for part in parts {
            let part = if part.is_nan() { f64::NAN } else { part + 0.0 };
            self.head(b'c', part.to_bits());
        }
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
