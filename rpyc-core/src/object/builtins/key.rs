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
    use allocation_counter::measure;

    use super::*;

    /// Each with each at each level, they were compared 9^10 times. Python sends no item twice.
    #[test]
    fn a_frozenset_may_hold_an_item_more_than_once() {
        let repeated = |times| {
            (0..10).fold(Value::from(1), |inner, _| {
                Value::FrozenSet(vec![inner; times])
            })
        };
        let key = |times| Key::new(Any::Value(repeated(times))).unwrap();
        assert!(key(3) == key(1));
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
}
