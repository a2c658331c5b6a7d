//! [`Key`]: what a dict can be indexed with, by Python's rules of hash and equality.

use std::hash::{Hash, Hasher};

use super::equality::{integer, same_value};
use crate::codec::Value;
use crate::exception::Exception;
use crate::object::{Any, Netref, ObjectRef};

/// A hashable thing. `1`, `1.0` and `True` are the same key.
#[derive(Clone)]
pub(super) enum Key {
    Value(Value),
    Local(ObjectRef),
    Netref(Netref),
}

impl Key {
    /// # Errors
    /// A TypeError for what isn't hashable.
    pub(super) fn new(any: Any) -> Result<Key, Exception> {
        match any {
            Any::Value(value) if is_hashable(&value) => Ok(Key::Value(value)),
            Any::Local(object) => Ok(Key::Local(object)),
            Any::Netref(netref) => Ok(Key::Netref(netref)),
            other => Err(Exception::type_error(format!(
                "unhashable type: '{}'",
                other.type_name()
            ))),
        }
    }

    pub(super) fn into_any(self) -> Any {
        match self {
            Key::Value(value) => Any::Value(value),
            Key::Local(object) => Any::Local(object),
            Key::Netref(netref) => Any::Netref(netref),
        }
    }
}

fn is_hashable(value: &Value) -> bool {
    match value {
        Value::Slice(_) => false,
        Value::Tuple(items) => items.iter().all(is_hashable),
        _ => true,
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        match (self, other) {
            (Key::Value(one), Key::Value(other)) => same_value(one, other),
            (Key::Local(one), Key::Local(other)) => one.id_parts() == other.id_parts(),
            (Key::Netref(one), Key::Netref(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Key::Value(value) => hash_value(value, state),
            Key::Local(object) => object.id_parts().instance.hash(state),
            Key::Netref(netref) => netref.hash(state),
        }
    }
}

fn hash_value<H: Hasher>(value: &Value, state: &mut H) {
    if let Some(int) = integer(value) {
        // Small ones, nearly all, without an allocation.
        match int.to_i64() {
            Some(small) => small.hash(state),
            None => int.to_bigint().hash(state),
        }
        return;
    }
    match value {
        Value::Float(float) => float.to_bits().hash(state),
        Value::Complex(real, imaginary) => (real.to_bits(), imaginary.to_bits()).hash(state),
        Value::Bytes(bytes) => bytes.hash(state),
        Value::Str(text) => text.hash(state),
        Value::Tuple(items) => {
            items.len().hash(state);
            items.iter().for_each(|item| hash_value(item, state));
        }
        // Equal in any order: only what no order changes.
        Value::FrozenSet(_) => "frozenset".hash(state),
        other => other.type_name().hash(state),
    }
}
