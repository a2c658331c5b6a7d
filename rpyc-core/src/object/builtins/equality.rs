//! Whether two things are equal, by Python's rules.

use super::depth::deeper;
use crate::codec::{Handler, Int, Value};
use crate::object::{Any, Context, ObjectResult};

/// `one == other`
///
/// # Errors
/// What an object's `__eq__` raised.
pub(in crate::object) fn same(cx: &Context<'_>, one: &Any, other: &Any) -> ObjectResult<bool> {
    match (one, other) {
        (Any::Value(one), Any::Value(other)) => Ok(same_value(one, other)),
        (Any::Netref(one), Any::Netref(other)) if one == other => Ok(true),
        (Any::Tuple(_), Any::Tuple(_) | Any::Value(Value::Tuple(_)))
        | (Any::Value(Value::Tuple(_)), Any::Tuple(_)) => {
            let one = one.clone().into_items().unwrap_or_default();
            let other = other.clone().into_items().unwrap_or_default();
            all_same(cx, &one, &other)
        }
        (Any::Local(object), other) | (other, Any::Local(object)) => {
            deeper(|| Ok(is_true(&object.compare(cx, "__eq__", other)?)))
        }
        (Any::Netref(netref), other) | (other, Any::Netref(netref)) => {
            let args = [other.clone(), Any::from("__eq__")];
            Ok(is_true(&netref.request(Handler::Cmp, args)?))
        }
        _ => Ok(false),
    }
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

/// Numbers are equal across their types, sets in any order.
pub(super) fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Tuple(one), Value::Tuple(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_value(a, b))
        }
        (Value::FrozenSet(one), Value::FrozenSet(other)) => {
            let within = |some: &[Value], all: &[Value]| {
                some.iter().all(|a| all.iter().any(|b| same_value(a, b)))
            };
            within(one, other) && within(other, one)
        }
        (Value::Slice(one), Value::Slice(other)) => {
            one.iter().zip(&**other).all(|(a, b)| same_value(a, b))
        }
        _ => match (integer(one), integer(other)) {
            (Some(one), Some(other)) => one == other,
            (Some(int), None) => number_is(&int, other),
            (None, Some(int)) => number_is(&int, one),
            (None, None) => one == other,
        },
    }
}

/// The integer that a bool, an int or a whole float is.
pub(super) fn integer(value: &Value) -> Option<Int> {
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

fn number_is(int: &Int, other: &Value) -> bool {
    integer(other).is_some_and(|other| other == *int)
}

fn is_true(answer: &Any) -> bool {
    matches!(answer, Any::Value(Value::Bool(true)))
}
