//! Which of two things is less, by Python's rules; sorting by it.

use std::cmp::Ordering;

use super::depth::deeper;
use super::equality::{integer, same, within};
use crate::exception::Exception;
use crate::object::{Any, Context, ObjectResult};
use crate::wire::{Handler, Value};

/// `one < other`
///
/// # Errors
/// A TypeError where they have no order; what a comparison raised.
pub(super) fn less(cx: &Context<'_>, one: &Any, other: &Any) -> ObjectResult<bool> {
    if let (Any::Value(one), Any::Value(other)) = (one, other)
        && let Some(less) = less_values(one, other)
    {
        return Ok(less);
    }
    let tuples = |any: &Any| matches!(any, Any::Tuple(_) | Any::Value(Value::Tuple(_)));
    if tuples(one) && tuples(other) {
        let one = one.clone().into_items().unwrap_or_default();
        let other = other.clone().into_items().unwrap_or_default();
        return Ok(match first_difference(cx, &one, &other)? {
            Some((one, other)) => less(cx, one, other)?,
            None => one.len() < other.len(),
        });
    }
    for (asked, op, operand) in [(one, "__lt__", other), (other, "__gt__", one)] {
        let answer = match asked {
            Any::Local(object) => deeper(|| object.compare(cx, op, operand))?,
            Any::Netref(netref) => {
                netref.request(Handler::Cmp, [operand.clone(), Any::from(op)])?
            }
            Any::Value(_) | Any::Tuple(_) => continue,
        };
        match answer {
            Any::Value(Value::NotImplemented) => {}
            answer => return Ok(matches!(answer, Any::Value(Value::Bool(true)))),
        }
    }
    Err(Exception::type_error(format!(
        "'<' not supported between instances of '{}' and '{}'",
        one.type_name().trim_start_matches("builtins."),
        other.type_name().trim_start_matches("builtins.")
    )))
}

/// The first items that two sequences differ in.
///
/// # Errors
/// What a comparison raised.
pub(super) fn first_difference<'a>(
    cx: &Context<'_>,
    one: &'a [Any],
    other: &'a [Any],
) -> ObjectResult<Option<(&'a Any, &'a Any)>> {
    for (one, other) in one.iter().zip(other) {
        if !same(cx, one, other)? {
            return Ok(Some((one, other)));
        }
    }
    Ok(None)
}

/// Sorts by the keys, stably. A peer may answer as it likes to what is less: any order comes of
/// that, and no panic.
///
/// # Errors
/// As [`less`].
pub(super) fn sort(cx: &Context<'_>, items: Vec<(Any, Any)>) -> ObjectResult<Vec<(Any, Any)>> {
    let mut runs: Vec<Vec<(Any, Any)>> = items.into_iter().map(|item| vec![item]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(one) = pairs.next() {
            merged.push(match pairs.next() {
                Some(other) => merge(cx, one, other)?,
                None => one,
            });
        }
        runs = merged;
    }
    Ok(runs.pop().unwrap_or_default())
}

fn merge(
    cx: &Context<'_>,
    one: Vec<(Any, Any)>,
    other: Vec<(Any, Any)>,
) -> ObjectResult<Vec<(Any, Any)>> {
    let mut merged = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
    while let (Some((first, _)), Some((second, _))) = (one.peek(), other.peek()) {
        let next = if less(cx, second, first)? {
            other.next()
        } else {
            one.next()
        };
        merged.extend(next);
    }
    merged.extend(one.chain(other));
    Ok(merged)
}

/// None where plain values have no order between them.
fn less_values(one: &Value, other: &Value) -> Option<bool> {
    let is_number =
        |value: &Value| matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_));
    match (one, other) {
        (Value::Str(one), Value::Str(other)) => Some(**one < **other),
        (Value::Bytes(one), Value::Bytes(other)) => Some(one < other),
        (Value::FrozenSet(part), Value::FrozenSet(whole)) => {
            Some(within(part, whole) && !within(whole, part))
        }
        (one, other) if is_number(one) && is_number(other) => {
            Some(compare_numbers(one, other) == Some(Ordering::Less))
        }
        _ => None,
    }
}

fn compare_numbers(one: &Value, other: &Value) -> Option<Ordering> {
    match (integer(one), integer(other)) {
        (Some(one), Some(other)) => match (one.to_i64(), other.to_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => Some(one.to_bigint().cmp(&other.to_bigint())),
        },
        _ => float(one)?.partial_cmp(&float(other)?),
    }
}

/// One of them isn't whole, so that what is beyond a float's precision is no matter.
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(float) => Some(*float),
        value => {
            let int = integer(value)?;
            let infinite = if int.is_negative() {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            };
            Some(int.to_f64().unwrap_or(infinite))
        }
    }
}
