//! Whether two things are equal, by Python's rules.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use super::depth::deeper;
use crate::object::{Any, Context, ObjectResult};
use crate::wire::{Handler, Int, Value};

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
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_item(a, b))
        }
        (Value::FrozenSet(one), Value::FrozenSet(other)) => same_set(one, other),
        (Value::Slice(one), Value::Slice(other)) => {
            one.iter().zip(&**other).all(|(a, b)| same_item(a, b))
        }
        _ => match (integer(one), integer(other)) {
            (Some(one), Some(other)) => one == other,
            (None, None) => match (complex(one), complex(other)) {
                (Some(one), Some(other)) => one == other,
                _ => one == other,
            },
            _ => false,
        },
    }
}

/// Whether two items of collections are the same: equal, or both the same thing, which in Python
/// a NaN is to itself.
pub(super) fn same_item(one: &Value, other: &Value) -> bool {
    same_value(one, other)
        || match (complex(one), complex(other)) {
            (Some(one), Some(other)) => bits(one) == bits(other),
            _ => false,
        }
}

fn same_set(one: &[Value], other: &[Value]) -> bool {
    let (one, other) = (distinct(one), distinct(other));
    one.len() == other.len() && all_within(&one, &other)
}

/// The items of a frozenset, each one once, by their hashes. As none can be found that collide,
/// nothing is compared here: with sets of sets that would go on from level to level.
fn distinct(items: &[Value]) -> HashMap<u64, &Value> {
    items
        .iter()
        .map(|item| (hash_of(&Item(item)), item))
        .collect()
}

fn all_within(part: &HashMap<u64, &Value>, whole: &HashMap<u64, &Value>) -> bool {
    let mut part = part.iter();
    part.all(|(hash, item)| whole.get(hash).is_some_and(|other| same_item(item, other)))
}

/// An item of a collection: equal items hash alike, and others don't. What is hashed says of which
/// kind an item is: a peer could have each `0` in a tuple taken for a `()` else.
pub(super) struct Item<'a>(pub(super) &'a Value);

impl Hash for Item<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(int) = integer(self.0) {
            // Small ones, nearly all, without an allocation.
            match int.to_i64() {
                Some(small) => (0_u8, small).hash(state),
                None => (1_u8, int.to_bigint()).hash(state),
            }
            return;
        }
        match self.0 {
            Value::Bytes(bytes) => (2_u8, bytes).hash(state),
            Value::Str(text) => (3_u8, text).hash(state),
            Value::Tuple(items) => {
                (4_u8, items.len()).hash(state);
                items.iter().for_each(|item| Item(item).hash(state));
            }
            // Equal in any order, and however often an item comes.
            Value::FrozenSet(items) => {
                let mut hashes: Vec<u64> = items.iter().map(|item| hash_of(&Item(item))).collect();
                hashes.sort_unstable();
                hashes.dedup();
                (5_u8, hashes).hash(state);
            }
            Value::Slice(parts) => {
                6_u8.hash(state);
                parts.iter().for_each(|part| Item(part).hash(state));
            }
            other => match complex(other) {
                Some(number) => (7_u8, bits(number)).hash(state),
                None => (8_u8, other.type_name()).hash(state),
            },
        }
    }
}

/// A hash that no peer can foretell, so that none finds keys that collide.
pub(super) fn hash_of(hashed: &impl Hash) -> u64 {
    static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SECRET.hash_one(hashed)
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

/// The number that a float or a complex is.
fn complex(value: &Value) -> Option<(f64, f64)> {
    match value {
        Value::Float(float) => Some((*float, 0.0)),
        Value::Complex(real, imaginary) => Some((*real, *imaginary)),
        _ => None,
    }
}

/// The same for both zeros, and for every NaN.
fn bits((real, imaginary): (f64, f64)) -> [u64; 2] {
    [real, imaginary].map(|part| match part {
        part if part.is_nan() => f64::NAN.to_bits(),
        part => (part + 0.0).to_bits(),
    })
}

fn is_true(answer: &Any) -> bool {
    matches!(answer, Any::Value(Value::Bool(true)))
}
