//! [`Key`]: what a dict can be indexed with and a set can hold, by Python's rules of hash and
//! equality.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::equality::Form;
use crate::exception::Exception;
use crate::object::{Any, short_name};
use crate::wire::Value;

/// A hashable thing. `1`, `1.0` and `True` are the same key; objects are keys by their identity.
///
/// All that may run foreign code happens when it is made: it is hashed and compared under locks.
#[derive(Clone)]
pub(super) struct Key {
    // The same for all things that are the same key.
    bytes: Arc<[u8]>,
    any: Any,
}

impl Key {
    /// # Errors
    /// A TypeError for what isn't hashable.
    pub(super) fn new(any: Any) -> Result<Key, Exception> {
        let mut form = Form::default();
        put_any(&any, &mut form)?;
        let mut bytes = Vec::new();
        form.write(&mut bytes);
        Ok(Key {
            bytes: bytes.into(),
            any,
        })
    }

    pub(super) fn as_value(&self) -> Option<&Value> {
        self.any.as_value()
    }

    pub(super) fn into_any(self) -> Any {
        self.any
    }
}

fn put_any(any: &Any, form: &mut Form) -> Result<(), Exception> {
    let (name, is_hashable, identity) = match any {
        Any::Value(value) => {
            if let Some(bad) = unhashable_within(value) {
                return Err(unhashable(bad.type_name()));
            }
            form.put(value);
            return Ok(());
        }
        Any::Tuple(items) => {
            form.head(b't', items.len() as u64);
            return items.iter().try_for_each(|item| put_any(item, form));
        }
        Any::Local(object) => {
            let parts = object.id_parts();
            let identity = parts.instance.unwrap_or(parts.class);
            (parts.name, object.is_hashable(), identity)
        }
        Any::Netref(netref) => {
            let name = netref.id_pack().name.clone();
            (name, netref.may_be_hashable(), netref.identity())
        }
    };
    if !is_hashable {
        return Err(unhashable(short_name(&name)));
    }
    for number in identity.numbers() {
        form.head(b'@', number);
    }
    Ok(())
}

fn unhashable_within(value: &Value) -> Option<&Value> {
    match value {
        Value::Slice(_) => Some(value),
        Value::Tuple(items) | Value::FrozenSet(items) => items.iter().find_map(unhashable_within),
        _ => None,
    }
}

fn unhashable(name: &str) -> Exception {
    Exception::type_error(format!("unhashable type: '{name}'"))
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use allocation_counter::measure;

    use super::super::equality::same_value;
    use super::*;
    use crate::object::{Dict, List, Set};

    #[test]
    fn numbers_are_one_key_across_their_types_and_so_is_every_nan() {
        let key = |value: Value| Key::new(Any::Value(value)).unwrap();
        let same = [
            (Value::from(1), Value::from(1.0)),
            (Value::from(true), Value::Complex(1.0, 0.0)),
            (Value::from(0), Value::from(-0.0)),
            (Value::from(0.5), Value::Complex(0.5, -0.0)),
            (Value::Complex(0.0, 1.5), Value::Complex(-0.0, 1.5)),
            (Value::from(f64::NAN), Value::from(-f64::NAN)),
            (
                Value::FrozenSet(vec![Value::from(1), Value::from("a")]),
                Value::FrozenSet(vec![Value::from("a"), Value::from(1.0), Value::from(true)]),
            ),
        ];
        for (one, other) in same {
            assert!(key(one.clone()) == key(other.clone()), "{one} {other}");
            let tuple = |value| key(Value::tuple([value]));
            assert!(tuple(one.clone()) == tuple(other.clone()), "({one},)");
        }
        let different = [
            (Value::from(1), Value::from("1")),
            (
                Value::from("a"),
                Value::Bytes(bytes::Bytes::from_static(b"a")),
            ),
            (Value::FrozenSet(Vec::new()), Value::tuple([])),
            (
                Value::FrozenSet(vec![Value::from(1)]),
                Value::FrozenSet(vec![Value::from(2)]),
            ),
        ];
        for (one, other) in different {
            assert!(key(one.clone()) != key(other.clone()), "{one} {other}");
        }
    }

    /// All of them once had one hash: a peer's thousands of keys were each compared with all others.
    #[test]
    fn frozensets_and_nans_have_hashes_of_their_own() {
        let hasher = std::hash::RandomState::new();
        let frozenset = |n: i64| Value::FrozenSet(vec![Value::from(n), Value::from("x")]);
        let hash = |n| hasher.hash_one(Key::new(Any::Value(frozenset(n))).unwrap());
        let hashes: std::collections::HashSet<u64> = (0..1000).map(hash).collect();
        assert_eq!(hashes.len(), 1000);
        // A table of NaNs that equal nothing would be such a heap, too.
        let set = Set::of((0..1000).map(|_| f64::NAN)).unwrap();
        assert_eq!(set.len(), 1);
    }

    /// Their items were compared each with each: 10,000,000,000 times.
    #[test]
    fn large_frozensets_are_compared_in_linear_time() {
        let up: Vec<Value> = (0..100_000).map(Value::from).collect();
        let down: Vec<Value> = up.iter().rev().cloned().collect();
        let dict = Dict::new();
        dict.insert(Value::FrozenSet(up), "up").unwrap();
        let found = dict.get(Value::FrozenSet(down)).unwrap();
        assert!(found.is_some());
    }

    /// Both directions were gone through at each level: 2^60 comparisons.
    #[test]
    fn nested_frozensets_are_compared_in_polynomial_time() {
        let nested = || {
            (0..60).fold(Value::from(1), |inner, n| {
                Value::FrozenSet(vec![inner, Value::from(n)])
            })
        };
        let dict = Dict::new();
        dict.insert(nested(), "nested").unwrap();
        assert!(dict.get(nested()).unwrap().is_some());
        // The same item again and again, at each level.
        let repeated = || {
            (0..10).fold(Value::from(1), |inner, _| {
                Value::FrozenSet(vec![inner.clone(), inner.clone(), inner])
            })
        };
        dict.insert(repeated(), "repeated").unwrap();
        assert!(dict.get(repeated()).unwrap().is_some());
    }

    /// Each level copied all that was in it: 100 MiB.
    #[test]
    fn what_is_deep_in_frozensets_is_not_copied_by_each() {
        let nested = |held: Value| {
            (0..100).fold(held, |inner, n| {
                let pair = Value::tuple([Value::from(n), inner]);
                Value::FrozenSet(vec![pair, Value::from(n)])
            })
        };
        let set = Value::FrozenSet(vec![
            Value::from("x".repeat(1 << 19)),
            Value::from("y".repeat(1 << 19)),
        ]);
        let value = Any::Value(nested(set));
        let allocated = measure(|| drop(Key::new(value.clone())));
        assert!(allocated.bytes_total < 8 << 20, "{allocated:?}");
    }

    /// Each place of a tuple could hold either of two items of one hash: 2^20 keys of one hash.
    #[test]
    fn items_of_different_kinds_have_hashes_of_their_own() {
        let half = 0.5_f64.to_bits().cast_signed();
        let items = [
            Value::from(0),
            Value::tuple([]),
            Value::FrozenSet(Vec::new()),
            Value::from(""),
            Value::Bytes(bytes::Bytes::new()),
            Value::from(0.5),
            Value::tuple([Value::from(half), Value::from(0)]),
            Value::None,
        ];
        let hasher = std::hash::RandomState::new();
        let hash = |value: &Value| hasher.hash_one(Key::new(Any::Value(value.clone())).unwrap());
        let hashes: std::collections::HashSet<u64> = items.iter().map(hash).collect();
        assert_eq!(hashes.len(), items.len());
        let slice = |stop| Value::Slice(Box::new([Value::None, Value::from(stop), Value::None]));
        let frozenset = |stops: [i64; 2]| Value::FrozenSet(stops.map(slice).to_vec());
        assert!(same_value(&frozenset([1, 2]), &frozenset([2, 1])));
        assert!(!same_value(&frozenset([1, 2]), &frozenset([1, 3])));
    }

    /// Lists, dicts and sets of ours were taken, by their identity.
    #[test]
    fn what_python_cannot_hash_is_no_key() {
        let of = |any: Any| match Key::new(any) {
            Ok(_) => "a key".to_owned(),
            Err(exception) => exception.to_string(),
        };
        let slice = || Value::Slice(Box::new([Value::None, Value::None, Value::None]));
        let held = Any::tuple([Any::from(1), Any::from(List::new())]);
        let cases = [
            (Any::from(List::new()), "list"),
            (Any::from(Dict::new()), "dict"),
            (Any::from(Set::new()), "set"),
            (held, "list"),
            (Any::Value(slice()), "slice"),
            (Any::Value(Value::FrozenSet(vec![slice()])), "slice"),
        ];
        for (any, name) in cases {
            assert_eq!(of(any), format!("TypeError: unhashable type: '{name}'"));
        }
    }
}
