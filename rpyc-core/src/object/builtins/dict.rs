//! [`Dict`]: a dict of this side, given by reference.

use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;

use super::equality::same;
use super::iter::Iter;
use super::key::Key;
use super::list::repr_of;
use crate::exception::Exception;
use crate::object::class::Method;
use crate::object::{
    Any, Args, Class, Context, Expose, Exposed, FromAny, IntoAny, ObjectResult, Signature,
};
use crate::sync::Mutex;
use crate::wire::Value;

/// A dict that both sides see: Python's `dict`, given by reference, in the order of insertion.
///
/// It is a shared handle: clones are the same dict. `1`, `1.0` and `True` are the same key, objects
/// are keys by their identity. Removing an entry moves those behind it, as the order is kept.
#[derive(Clone, Debug)]
pub struct Dict(Exposed<Entries>);

/// What a [`Dict`] holds.
pub struct Entries(Mutex<IndexMap<Key, Any>>);

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{} entries>", self.0.lock().len())
    }
}

impl Dict {
    /// A dict without entries.
    pub fn new() -> Dict {
        Dict(Exposed::new(Entries(Mutex::default())))
    }

    /// How many entries there are now.
    pub fn len(&self) -> usize {
        self.0.0.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

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
        Ok(self.0.0.lock().get(&key).cloned())
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

impl Default for Dict {
    fn default() -> Dict {
        Dict::new()
    }
}

impl From<Exposed<Entries>> for Dict {
    fn from(exposed: Exposed<Entries>) -> Dict {
        Dict(exposed)
    }
}

impl IntoAny for Dict {
    fn into_any(self) -> ObjectResult {
        self.0.into_any()
    }
}

impl From<Dict> for Any {
    fn from(dict: Dict) -> Any {
        Any::object(dict.0)
    }
}

impl Expose for Entries {
    fn class() -> Arc<Class<Entries>> {
        static CLASS: OnceLock<Arc<Class<Entries>>> = OnceLock::new();
        CLASS.get_or_init(|| Arc::new(class())).clone()
    }
}

type This = Exposed<Entries>;

/// A method with one key as its parameter, and these that may be left out.
fn method<F>(name: &str, required: &[&str], optional: &[&str], call: F) -> Method<Entries>
where
    F: Fn(&This, &Context<'_>, &[Option<Any>]) -> ObjectResult + Send + Sync + 'static,
{
    let signature = Signature::method(&format!("dict.{name}"));
    let signature = required
        .iter()
        .fold(signature, |all, one| all.required(one));
    let signature = optional
        .iter()
        .fold(signature, |all, one| all.optional(one));
    Method::new(name, move |this, cx, args: Args| {
        let mut bound = signature.bind(args)?;
        let count = signature.most().unwrap_or_default();
        let present = |index| bound.optional::<Present>(index, || Present(None));
        let args: Result<Vec<Present>, Exception> = (0..count).map(present).collect();
        let args: Vec<Option<Any>> = args?.into_iter().map(|present| present.0).collect();
        call(this, cx, &args)
    })
}

/// An argument that is there, be it None, or isn't.
struct Present(Option<Any>);

impl FromAny for Present {
    fn from_any(any: Any) -> Result<Present, crate::object::ConversionError> {
        Ok(Present(Some(any)))
    }
}

fn class() -> Class<Entries> {
    Class::builder("builtins", "dict")
        .method(method("__len__", &[], &[], |this, _, _| {
            Ok(Any::from(this.0.lock().len()))
        }))
        .method(method("__getitem__", &["key"], &[], |this, _, args| {
            let key = first(args)?;
            let found = this.0.lock().get(&key).cloned();
            found.ok_or_else(|| missing(key))
        }))
        .method(method(
            "__setitem__",
            &["key", "value"],
            &[],
            |this, _, args| {
                let (key, value) = (first(args)?, second(args));
                set_entry(this, key, value);
                Ok(Any::NONE)
            },
        ))
        .method(method("__delitem__", &["key"], &[], |this, _, args| {
            let key = first(args)?;
            let old = remove_entry(this, &key);
            old.map(|_| Any::NONE).ok_or_else(|| missing(key))
        }))
        .method(method("__contains__", &["key"], &[], |this, _, args| {
            let key = first(args)?;
            Ok(Any::from(this.0.lock().contains_key(&key)))
        }))
        .method(method("__iter__", &[], &[], |this, _, _| {
            Iter::named("builtins.dict_keyiterator", keys(this)).into_any()
        }))
        .method(method("__repr__", &[], &[], |this, cx, _| repr(this, cx)))
        .method(method("__eq__", &["other"], &[], |this, cx, args| {
            equals(
                this,
                cx,
                &args.first().cloned().flatten().unwrap_or(Any::NONE),
            )
        }))
        .method(operator("__or__", |this, other| {
            union(entries(this), other)
        }))
        .method(operator("__ror__", |this, other| {
            union(other, entries(this))
        }))
        .method(operator("__ior__", |this, other| {
            update(this, other)?;
            Ok(Any::object(this.clone()))
        }))
        .method(method("__reversed__", &[], &[], |this, _, _| {
            let mut keys = keys(this);
            keys.reverse();
            Iter::named("builtins.dict_reversekeyiterator", keys).into_any()
        }))
        .public_method(Method::new("update", update_from))
        .public_method(method("popitem", &[], &[], |this, _, _| {
            let last = this.0.lock().pop();
            match last {
                Some((key, value)) => Ok(Any::tuple([key.into_any(), value])),
                None => Err(Exception::key_error("popitem(): dictionary is empty")),
            }
        }))
        .public_method(method("copy", &[], &[], |this, _, _| {
            union(entries(this), Vec::new())
        }))
        .public_method(method(
            "fromkeys",
            &["iterable"],
            &["value"],
            |_, _, args| {
                let keys = args.first().cloned().flatten().unwrap_or(Any::NONE);
                let value = second(args);
                let keys = crate::object::items(keys)?.into_iter();
                union(keys.map(|key| (key, value.clone())).collect(), Vec::new())
            },
        ))
        .public_method(method("keys", &[], &[], |this, _, _| {
            Ok(Any::tuple(keys(this)))
        }))
        .public_method(method("values", &[], &[], |this, _, _| {
            let values = entries(this).into_iter().map(|(_, value)| value);
            Ok(Any::tuple(values))
        }))
        .public_method(method("items", &[], &[], |this, _, _| {
            let pairs = entries(this).into_iter();
            Ok(Any::tuple(
                pairs.map(|(key, value)| Any::tuple([key, value])),
            ))
        }))
        .public_method(method("get", &["key"], &["default"], |this, _, args| {
            let key = first(args)?;
            let found = this.0.lock().get(&key).cloned();
            Ok(found.unwrap_or_else(|| second(args)))
        }))
        .public_method(method("pop", &["key"], &["default"], |this, _, args| {
            let key = first(args)?;
            let old = remove_entry(this, &key);
            let default = args.get(1).cloned().flatten();
            old.or(default).ok_or_else(|| missing(key))
        }))
        .public_method(method(
            "setdefault",
            &["key"],
            &["default"],
            |this, _, args| {
                let key = first(args)?;
                let default = second(args);
                let mut entries = this.0.lock();
                if let Some(value) = entries.get(&key) {
                    return Ok(value.clone());
                }
                entries.insert(key, default.clone());
                Ok(default)
            },
        ))
        .public_method(method("clear", &[], &[], |this, _, _| {
            let old = std::mem::take(&mut *this.0.lock());
            drop(old);
            Ok(Any::NONE)
        }))
        .build()
}

/// An operator: for anything but a dict, the other operand is asked.
fn operator(name: &str, combine: fn(&This, Vec<(Any, Any)>) -> ObjectResult) -> Method<Entries> {
    method(name, &["other"], &[], move |this, _, args| {
        let other = args.first().cloned().flatten().unwrap_or(Any::NONE);
        if &*other.type_name() != "builtins.dict" {
            return Ok(Any::Value(Value::NotImplemented));
        }
        combine(this, crate::object::convert::pairs(other)?)
    })
}

/// A new dict of both; the second one's values count.
fn union(one: Vec<(Any, Any)>, other: Vec<(Any, Any)>) -> ObjectResult {
    let dict = Dict::new();
    for (key, value) in one.into_iter().chain(other) {
        dict.insert(key, value)?;
    }
    Ok(Any::from(dict))
}

fn update(this: &This, more: Vec<(Any, Any)>) -> ObjectResult<()> {
    for (key, value) in more {
        set_entry(this, Key::new(key)?, value);
    }
    Ok(())
}

/// `dict.update(other, **named)`: a dict, or an iterable of pairs.
fn update_from(this: &This, _: &Context<'_>, args: Args) -> ObjectResult {
    if args.positional.len() > 1 {
        return Err(Exception::type_error(format!(
            "update expected at most 1 argument, got {}",
            args.positional.len()
        )));
    }
    let mut more = match args.positional.into_iter().next() {
        None => Vec::new(),
        Some(other) if &*other.type_name() == "builtins.dict" => {
            crate::object::convert::pairs(other)?
        }
        Some(other) => {
            let pair = |item: Any| {
                let items = crate::object::items(item)?;
                <[Any; 2]>::try_from(items)
                    .map(|[key, value]| (key, value))
                    .map_err(|items| {
                        Exception::value_error(format!(
                            "dictionary update sequence element has length {}; 2 is required",
                            items.len()
                        ))
                    })
            };
            let pairs: ObjectResult<Vec<(Any, Any)>> =
                crate::object::items(other)?.into_iter().map(pair).collect();
            pairs?
        }
    };
    more.extend(
        args.keyword
            .into_iter()
            .map(|(name, value)| (Any::from(name), value)),
    );
    update(this, more)?;
    Ok(Any::NONE)
}

/// Sets an entry. What is dropped may have a destructor that comes back here, so that nothing is
/// dropped under the lock: not the key either, where an equal one is there.
fn set_entry(this: &This, key: Key, value: Any) -> Option<Any> {
    let mut entries = this.0.lock();
    if let Some(known) = entries.get_mut(&key) {
        let old = std::mem::replace(known, value);
        drop(entries);
        return Some(old);
    }
    entries.insert(key, value)
}

fn remove_entry(this: &This, key: &Key) -> Option<Any> {
    let removed = this.0.lock().shift_remove_entry(key);
    removed.map(|(_, value)| value)
}

fn first(args: &[Option<Any>]) -> ObjectResult<Key> {
    Key::new(args.first().cloned().flatten().unwrap_or(Any::NONE))
}

fn second(args: &[Option<Any>]) -> Any {
    args.get(1).cloned().flatten().unwrap_or(Any::NONE)
}

pub(super) fn missing(key: Key) -> Exception {
    match key.into_any() {
        Any::Value(value) => Exception::key_error(value),
        other => Exception::key_error(format!("{other:?}")),
    }
}

fn keys(this: &This) -> Vec<Any> {
    let entries = this.0.lock();
    entries.keys().cloned().map(Key::into_any).collect()
}

fn entries(this: &This) -> Vec<(Any, Any)> {
    let entries = this.0.lock();
    let pairs = entries.iter();
    pairs
        .map(|(key, value)| (key.clone().into_any(), value.clone()))
        .collect()
}

fn equals(this: &This, cx: &Context<'_>, other: &Any) -> ObjectResult {
    // A dict of the peer's is fetched: to stock rpyc no dict equals one of the other side.
    if &*other.type_name() != "builtins.dict" {
        return Ok(Any::Value(Value::NotImplemented));
    }
    let others = crate::object::convert::pairs(other.clone())?;
    let mine = this.0.lock().clone();
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

fn repr(this: &This, cx: &Context<'_>) -> ObjectResult {
    let mut texts = Vec::new();
    for (key, value) in entries(this) {
        texts.push(format!("{}: {}", repr_of(cx, &key)?, repr_of(cx, &value)?));
    }
    Ok(Any::from(format!("{{{}}}", texts.join(", "))))
}
