//! [`Dict`]: a dict of this side, given by reference.

use indexmap::IndexMap;

use super::equality::same;
use super::iter::Iter;
use super::key::Key;
use super::{collection, repr_of};
use crate::exception::Exception;
use crate::object::class::Method;
use crate::object::convert::{items, pairs};
use crate::object::{Any, Args, Class, ClassBuilder, Context, Exposed, IntoAny, ObjectResult};
use crate::sync::Mutex;
use crate::wire::Value;

/// A dict that both sides see: Python's `dict`, given by reference, in the order of insertion.
///
/// It is a shared handle: clones are the same dict. `1`, `1.0` and `True` are the same key, objects
/// are keys by their identity. Removing an entry moves those behind it, as the order is kept.
#[derive(Clone, Debug)]
pub struct Dict(This);

type Entries = IndexMap<Key, Any>;
type This = Exposed<Mutex<Entries>>;

collection!(Dict, "dict", Entries);

impl Dict {
    /// Sets an entry; gives the value that it replaces.
    ///
    /// # Errors
    /// What a conversion raised; a TypeError for a key that isn't hashable.
    pub fn insert(&self, key: impl IntoAny, value: impl IntoAny) -> ObjectResult<Option<Any>> {
        let key = Key::new(key.into_any()?)?;
        let value = value.into_any()?;
        Ok(set_entry(&self.0, key, value))
    }

    /// The value of a key.
    ///
    /// # Errors
    /// What the conversion of the key raised; a TypeError if it isn't hashable.
    pub fn get(&self, key: impl IntoAny) -> ObjectResult<Option<Any>> {
        let key = Key::new(key.into_any()?)?;
        Ok(self.0.lock().get(&key).cloned())
    }

    /// Removes an entry; gives its value.
    ///
    /// # Errors
    /// As [`get`](Dict::get).
    pub fn remove(&self, key: impl IntoAny) -> ObjectResult<Option<Any>> {
        let key = Key::new(key.into_any()?)?;
        Ok(remove_entry(&self.0, &key))
    }

    /// The entries as they are now.
    pub fn items(&self) -> Vec<(Any, Any)> {
        entries(&self.0)
    }
}

fn class() -> Class<Mutex<Entries>> {
    Dict::builder()
        .with("__getitem__", ["key"], |this, cx, [key]| {
            let key = key_of(this, cx, key)?;
            let found = this.lock().get(&key).cloned();
            found.ok_or_else(|| missing(key))
        })
        .with("__setitem__", ["key", "value"], |this, cx, [key, value]| {
            set_entry(this, key_of(this, cx, key)?, value);
            Ok(())
        })
        .with("__delitem__", ["key"], |this, cx, [key]| {
            let key = key_of(this, cx, key)?;
            let old = remove_entry(this, &key);
            old.map(drop).ok_or_else(|| missing(key))
        })
        .with("__contains__", ["key"], |this, cx, [key]| {
            let key = key_of(this, cx, key)?;
            Ok(this.lock().contains_key(&key))
        })
        .with("__iter__", [], |this, _, []| Ok(Iter::new(keys(this))))
        .with("__reversed__", [], |this, _, []| {
            let reversed = keys(this).into_iter().rev();
            Ok(Iter::new(reversed))
        })
        .with("__repr__", [], repr)
        .with("__eq__", ["other"], equals)
        .with("popitem", [], |this, _, []| {
            let last = this.lock().pop();
            let empty = || Exception::key_error("popitem(): dictionary is empty");
            last.map(|(key, value)| (key.into_any(), value))
                .ok_or_else(empty)
        })
        .with("keys", [], |this, _, []| Ok(Any::tuple(keys(this))))
        .with("values", [], |this, _, []| {
            let values = entries(this).into_iter().map(|(_, value)| value);
            Ok(Any::tuple(values))
        })
        .with("items", [], |this, _, []| Ok(entries(this)))
        .with_optional("get", ["key"], ["default"], |this, cx, [key], [default]| {
            let key = key_of(this, cx, key)?;
            let found = this.lock().get(&key).cloned();
            Ok(found.or(default))
        })
        .with_optional("pop", ["key"], ["default"], |this, cx, [key], [default]| {
            let key = key_of(this, cx, key)?;
            let old = remove_entry(this, &key);
            old.or(default).ok_or_else(|| missing(key))
        })
        .with_optional(
            "setdefault",
            ["key"],
            ["default"],
            |this, cx, [key], [default]| {
                let (key, default) = (key_of(this, cx, key)?, default.unwrap_or(Any::NONE));
                let mut entries = this.lock();
                if let Some(value) = entries.get(&key) {
                    return Ok(value.clone());
                }
                entries.insert(key, default.clone());
                Ok(default)
            },
        )
        .public_method(Method::new("update", update))
        .build()
}

/// `dict.update(other, **named)`: a dict, or an iterable of pairs.
fn update(this: &This, _: &Context<'_>, args: Args) -> ObjectResult {
    if args.positional.len() > 1 {
        return Err(Exception::type_error(format!(
            "update expected at most 1 argument, got {}",
            args.positional.len()
        )));
    }
    let mut more = match args.positional.into_iter().next() {
        None => Vec::new(),
        Some(other) if &*other.type_name() == "builtins.dict" => pairs(other)?,
        Some(other) => {
            let pair = |item: Any| match <[Any; 2]>::try_from(items(item)?) {
                Ok([key, value]) => Ok((key, value)),
                Err(items) => Err(Exception::value_error(format!(
                    "dictionary update sequence element has length {}; 2 is required",
                    items.len()
                ))),
            };
            items(other)?
                .into_iter()
                .map(pair)
                .collect::<ObjectResult<_>>()?
        }
    };
    let named = args.keyword.into_iter();
    more.extend(named.map(|(name, value)| (Any::from(name), value)));
    for (key, value) in more {
        set_entry(this, Key::new(key)?, value);
    }
    Ok(Any::NONE)
}

/// What the peer names an entry by. To one whose plain strings are bytes they equal the text of the same bytes: that is
/// the key where it alone is there.
fn key_of(this: &This, cx: &Context<'_>, key: Any) -> ObjectResult<Key> {
    let text = match &key {
        Any::Value(Value::Bytes(bytes)) if cx.connection().dialect().has_names_in_bytes() => {
            std::str::from_utf8(bytes).ok().map(Any::from)
        }
        _ => None,
    };
    let key = Key::new(key)?;
    let Some(text) = text.map(Key::new).transpose()? else {
        return Ok(key);
    };
    let entries = this.lock();
    let is_text = entries.contains_key(&text) && !entries.contains_key(&key);
    Ok(if is_text { text } else { key })
}

/// Sets an entry. What is dropped may have a destructor that comes back here, so that nothing is
/// dropped under the lock: not the key either, where an equal one is there.
fn set_entry(this: &This, key: Key, value: Any) -> Option<Any> {
    let mut entries = this.lock();
    if let Some(known) = entries.get_mut(&key) {
        let old = std::mem::replace(known, value);
        drop(entries);
        return Some(old);
    }
    entries.insert(key, value)
}

fn remove_entry(this: &This, key: &Key) -> Option<Any> {
    let removed = this.lock().shift_remove_entry(key);
    removed.map(|(_, value)| value)
}

pub(super) fn missing(key: Key) -> Exception {
    match key.into_any() {
        Any::Value(value) => Exception::key_error(value),
        other => Exception::key_error(format!("{other:?}")),
    }
}

fn keys(this: &This) -> Vec<Any> {
    let entries = this.lock();
    entries.keys().cloned().map(Key::into_any).collect()
}

fn entries(this: &This) -> Vec<(Any, Any)> {
    let entries = this.lock();
    let pairs = entries.iter();
    pairs
        .map(|(key, value)| (key.clone().into_any(), value.clone()))
        .collect()
}

fn equals(this: &This, cx: &Context<'_>, [other]: [Any; 1]) -> ObjectResult {
    // A dict of the peer's is fetched: to stock rpyc no dict equals one of the other side.
    if &*other.type_name() != "builtins.dict" {
        return Ok(Any::Value(Value::NotImplemented));
    }
    let others = pairs(other)?;
    let mine = this.lock().clone();
    if mine.len() != others.len() {
        return Ok(Any::from(false));
    }
    for (key, value) in others {
        match mine.get(&Key::new(key)?) {
            Some(known) if same(cx, known, &value)? => {}
            _ => return Ok(Any::from(false)),
        }
    }
    Ok(Any::from(true))
}

fn repr(this: &This, cx: &Context<'_>, []: [Any; 0]) -> ObjectResult<String> {
    let mut texts = Vec::new();
    for (key, value) in entries(this) {
        texts.push(format!("{}: {}", repr_of(cx, &key)?, repr_of(cx, &value)?));
    }
    Ok(format!("{{{}}}", texts.join(", ")))
}
