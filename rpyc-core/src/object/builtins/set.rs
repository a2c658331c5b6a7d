//! [`Set`]: a set of this side, given by reference.

use std::sync::{Arc, OnceLock};

use indexmap::IndexSet;

use super::iter::Iter;
use super::key::Key;
use super::list::repr_of;
use crate::exception::Exception;
use crate::object::class::Method;
use crate::object::{
    Any, Args, Class, Context, Expose, Exposed, IntoAny, ObjectResult, Signature, convert,
};
use crate::sync::Mutex;
use crate::wire::Value;

/// A set that both sides see: Python's `set`, given by reference, in no particular order.
///
/// It is a shared handle: clones are the same set. `1`, `1.0` and `True` are the same element,
/// objects are elements by their identity. A `HashSet` of plain values crosses as a frozenset, in
/// one piece.
///
/// Adding, finding and removing take the same time however many elements there are.
#[derive(Clone, Debug)]
pub struct Set(Exposed<Elements>);

/// What a [`Set`] holds.
pub struct Elements(Mutex<IndexSet<Key>>);

impl std::fmt::Debug for Elements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{} elements>", self.0.lock().len())
    }
}

impl Set {
    /// A set without elements.
    pub fn new() -> Set {
        Set::holding(IndexSet::new())
    }

    /// A set of these.
    ///
    /// # Errors
    /// What the conversion of an element raised; a TypeError for one that isn't hashable.
    pub fn of<T: IntoAny>(elements: impl IntoIterator<Item = T>) -> ObjectResult<Set> {
        let key = |element: T| Key::new(element.into_any()?);
        let elements: ObjectResult<IndexSet<Key>> = elements.into_iter().map(key).collect();
        Ok(Set::holding(elements?))
    }

    /// How many elements there are now.
    pub fn len(&self) -> usize {
        self.0.0.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an element; says whether it is new.
    ///
    /// # Errors
    /// What its conversion raised; a TypeError if it isn't hashable.
    pub fn insert(&self, element: impl IntoAny) -> ObjectResult<bool> {
        let key = Key::new(element.into_any()?)?;
        Ok(add(&self.0, key))
    }

    /// Removes an element; says whether it was there.
    ///
    /// # Errors
    /// As [`insert`](Set::insert).
    pub fn remove(&self, element: impl IntoAny) -> ObjectResult<bool> {
        let key = Key::new(element.into_any()?)?;
        Ok(take(&self.0, &key).is_some())
    }

    /// Whether the element is there.
    ///
    /// # Errors
    /// As [`insert`](Set::insert).
    pub fn contains(&self, element: impl IntoAny) -> ObjectResult<bool> {
        let key = Key::new(element.into_any()?)?;
        Ok(self.0.0.lock().contains(&key))
    }

    /// The elements as they are now.
    pub fn elements(&self) -> Vec<Any> {
        elements(&self.0)
    }

    fn holding(elements: IndexSet<Key>) -> Set {
        Set(Exposed::new(Elements(Mutex::new(elements))))
    }
}

impl Default for Set {
    fn default() -> Set {
        Set::new()
    }
}

impl From<Exposed<Elements>> for Set {
    fn from(exposed: Exposed<Elements>) -> Set {
        Set(exposed)
    }
}

impl IntoAny for Set {
    fn into_any(self) -> ObjectResult {
        self.0.into_any()
    }
}

impl From<Set> for Any {
    fn from(set: Set) -> Any {
        Any::object(set.0)
    }
}

impl Expose for Elements {
    fn class() -> Arc<Class<Elements>> {
        static CLASS: OnceLock<Arc<Class<Elements>>> = OnceLock::new();
        CLASS.get_or_init(|| Arc::new(class())).clone()
    }
}

type This = Exposed<Elements>;
type Keys = IndexSet<Key>;

/// A method with this one parameter, or none.
fn method<F>(name: &str, param: Option<&str>, call: F) -> Method<Elements>
where
    F: Fn(&This, &Context<'_>, Any) -> ObjectResult + Send + Sync + 'static,
{
    let signature = Signature::method(&format!("set.{name}"));
    let signature = param
        .into_iter()
        .fold(signature, |all, one| all.required(one));
    let takes_one = param.is_some();
    Method::new(name, move |this, cx, args: Args| {
        let mut bound = signature.bind(args)?;
        let arg = if takes_one {
            bound.required(0)?
        } else {
            Any::NONE
        };
        call(this, cx, arg)
    })
}

/// An operator: for anything but a set, the other operand is asked.
fn operator(name: &'static str, combine: fn(&Keys, &Keys) -> Keys) -> Method<Elements> {
    method(name, Some("other"), move |this, _, other| {
        let Some(others) = keys_of_set(other.clone())? else {
            return Ok(Any::Value(Value::NotImplemented));
        };
        let mine = snapshot(this);
        // `a - b` asked of `b`: the result is of the type of `a`, which is the other one.
        if name.starts_with("__r") {
            let combined = combine(&others, &mine);
            return match &*other.type_name() {
                "builtins.set" => Set::holding(combined).into_any(),
                _ => frozen(combined),
            };
        }
        Set::holding(combine(&mine, &others)).into_any()
    })
}

/// A frozenset of plain values; one that holds a reference can't be, and is a set.
fn frozen(keys: Keys) -> ObjectResult {
    let values: Option<Vec<Value>> = keys.iter().map(|key| key.as_value().cloned()).collect();
    match values {
        Some(values) => Ok(Any::Value(Value::FrozenSet(values))),
        None => Set::holding(keys).into_any(),
    }
}

/// `a |= b` and its kin: changes the set itself.
fn in_place(name: &str, combine: fn(&Keys, &Keys) -> Keys) -> Method<Elements> {
    method(
        name,
        Some("other"),
        move |this, _, other| match keys_of_set(other)? {
            Some(other) => {
                change(this, |mine| combine(mine, &other));
                this.clone().into_any()
            }
            None => Ok(Any::Value(Value::NotImplemented)),
        },
    )
}

/// The methods of the same meaning take any number of iterables, and give a set or change this one.
fn of_iterables(name: &str, changes: bool, combine: fn(&Keys, &Keys) -> Keys) -> Method<Elements> {
    let signature = Signature::method(&format!("set.{name}")).rest();
    Method::new(name, move |this: &This, _, args: Args| {
        let mut others = Vec::new();
        for other in signature.bind(args)?.rest::<Any>("others")? {
            others.push(keys(other)?);
        }
        let all = |mine: &Keys| {
            let mut result = mine.clone();
            for other in &others {
                result = combine(&result, other);
            }
            result
        };
        if changes {
            change(this, all);
            return Ok(Any::NONE);
        }
        let mine = snapshot(this);
        Set::holding(all(&mine)).into_any()
    })
}

fn comparison(name: &str, holds: fn(&Keys, &Keys) -> bool) -> Method<Elements> {
    method(
        name,
        Some("other"),
        move |this, _, other| match keys_of_set(other)? {
            Some(other) => Ok(Any::from(holds(&snapshot(this), &other))),
            None => Ok(Any::Value(Value::NotImplemented)),
        },
    )
}

fn question(name: &str, holds: fn(&Keys, &Keys) -> bool) -> Method<Elements> {
    method(name, Some("other"), move |this, _, other| {
        let other = keys(other)?;
        Ok(Any::from(holds(&snapshot(this), &other)))
    })
}

fn class() -> Class<Elements> {
    Class::builder("builtins", "set")
        .method(method("__len__", None, |this, _, _| {
            Ok(Any::from(this.0.lock().len()))
        }))
        .method(method("__contains__", Some("key"), |this, _, key| {
            let key = Key::new(key)?;
            Ok(Any::from(this.0.lock().contains(&key)))
        }))
        .method(method("__iter__", None, |this, _, _| {
            Iter::named("builtins.set_iterator", elements(this)).into_any()
        }))
        .method(method("__repr__", None, |this, cx, _| repr(this, cx)))
        .method(operator("__and__", and))
        .method(operator("__rand__", and))
        .method(operator("__or__", or))
        .method(operator("__ror__", or))
        .method(operator("__sub__", sub))
        .method(operator("__rsub__", sub))
        .method(operator("__xor__", xor))
        .method(operator("__rxor__", xor))
        .method(in_place("__iand__", and))
        .method(in_place("__ior__", or))
        .method(in_place("__isub__", sub))
        .method(in_place("__ixor__", xor))
        .method(comparison("__eq__", equal))
        .method(comparison("__le__", within))
        .method(comparison("__ge__", |a, b| within(b, a)))
        .method(comparison("__lt__", |a, b| within(a, b) && !equal(a, b)))
        .method(comparison("__gt__", |a, b| within(b, a) && !equal(a, b)))
        .public_method(question("issubset", within))
        .public_method(question("issuperset", |a, b| within(b, a)))
        .public_method(question("isdisjoint", |a, b| and(a, b).is_empty()))
        .public_method(of_iterables("union", false, or))
        .public_method(of_iterables("intersection", false, and))
        .public_method(of_iterables("difference", false, sub))
        .public_method(of_iterables("update", true, or))
        .public_method(of_iterables("intersection_update", true, and))
        .public_method(of_iterables("difference_update", true, sub))
        .public_method(method(
            "symmetric_difference",
            Some("other"),
            |this, _, other| {
                let other = keys(other)?;
                let mine = snapshot(this);
                Set::holding(xor(&mine, &other)).into_any()
            },
        ))
        .public_method(method(
            "symmetric_difference_update",
            Some("other"),
            |this, _, other| {
                let other = keys(other)?;
                change(this, |mine| xor(mine, &other));
                Ok(Any::NONE)
            },
        ))
        .public_method(method("add", Some("element"), |this, _, element| {
            let key = Key::new(element)?;
            add(this, key);
            Ok(Any::NONE)
        }))
        .public_method(method("discard", Some("element"), |this, _, element| {
            let key = Key::new(element)?;
            take(this, &key);
            Ok(Any::NONE)
        }))
        .public_method(method("remove", Some("element"), |this, _, element| {
            let key = Key::new(element)?;
            let old = take(this, &key);
            old.map(|_| Any::NONE)
                .ok_or_else(|| super::dict::missing(key))
        }))
        .public_method(method("pop", None, |this, _, _| {
            let last = this.0.lock().pop();
            let empty = || Exception::key_error("pop from an empty set");
            last.map(Key::into_any).ok_or_else(empty)
        }))
        .public_method(method("clear", None, |this, _, _| {
            change(this, |_| Keys::new());
            Ok(Any::NONE)
        }))
        .public_method(method("copy", None, |this, _, _| {
            let mine = snapshot(this);
            Set::holding(mine).into_any()
        }))
        .build()
}

fn and(one: &Keys, other: &Keys) -> Keys {
    one.intersection(other).cloned().collect()
}

fn or(one: &Keys, other: &Keys) -> Keys {
    one.union(other).cloned().collect()
}

fn sub(one: &Keys, other: &Keys) -> Keys {
    one.difference(other).cloned().collect()
}

fn xor(one: &Keys, other: &Keys) -> Keys {
    one.symmetric_difference(other).cloned().collect()
}

fn within(part: &Keys, whole: &Keys) -> bool {
    part.is_subset(whole)
}

fn equal(one: &Keys, other: &Keys) -> bool {
    one.len() == other.len() && one.is_subset(other)
}

/// Adds an element; says whether it is new. What is dropped may have a destructor that comes back
/// here, so that nothing is dropped under the lock: not the element either, where it is there.
fn add(this: &This, key: Key) -> bool {
    let mut elements = this.0.lock();
    let is_new = !elements.contains(&key);
    if is_new {
        elements.insert(key);
    }
    is_new
}

fn take(this: &This, key: &Key) -> Option<Key> {
    this.0.lock().swap_take(key)
}

fn snapshot(this: &This) -> Keys {
    this.0.lock().clone()
}

fn change(this: &This, how: impl FnOnce(&Keys) -> Keys) {
    let mut elements = this.0.lock();
    let new = how(&elements);
    let old = std::mem::replace(&mut *elements, new);
    drop(elements);
    // What was in it may have a destructor that comes back here.
    drop(old);
}

fn elements(this: &This) -> Vec<Any> {
    let elements = this.0.lock();
    elements.iter().cloned().map(Key::into_any).collect()
}

/// What is in an iterable, fetched where it is the peer's.
fn keys(iterable: Any) -> ObjectResult<Keys> {
    convert::items(iterable)?
        .into_iter()
        .map(Key::new)
        .collect()
}

/// The same of a set or a frozenset of either side; None for anything else.
fn keys_of_set(any: Any) -> ObjectResult<Option<Keys>> {
    match &*any.type_name() {
        "frozenset" | "builtins.frozenset" | "builtins.set" => keys(any).map(Some),
        _ => Ok(None),
    }
}

fn repr(this: &This, cx: &Context<'_>) -> ObjectResult {
    let elements = elements(this);
    let texts: ObjectResult<Vec<String>> = elements.iter().map(|one| repr_of(cx, one)).collect();
    Ok(Any::from(match texts?.as_slice() {
        [] => "set()".to_owned(),
        texts => format!("{{{}}}", texts.join(", ")),
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::object::{Dict, IdParts, Object};

    /// Every handle is the same object to the peer; each one looks at the collections as it dies.
    struct Looking {
        set: Set,
        dict: Dict,
    }

    impl Object for Looking {
        fn id_parts(&self) -> IdParts {
            IdParts::instance("test.Looking", &*self.set.0)
        }
    }

    impl Drop for Looking {
        fn drop(&mut self) {
            let _ = (self.set.len(), self.dict.len());
        }
    }

    /// The second handle was dropped under the collection's lock, and waited for it for ever.
    #[test]
    fn an_element_may_use_its_collection_while_it_is_dropped() {
        let (done, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let (set, dict) = (Set::new(), Dict::new());
            let looking = || {
                Any::object(Looking {
                    set: set.clone(),
                    dict: dict.clone(),
                })
            };
            assert!(set.insert(looking()).unwrap());
            assert!(!set.insert(looking()).unwrap());
            assert!(set.remove(looking()).unwrap());
            dict.insert(looking(), looking()).unwrap();
            dict.insert(looking(), looking()).unwrap();
            assert!(dict.remove(looking()).unwrap().is_some());
            done.send((set.len(), dict.len())).unwrap();
        });
        let lens = ended.recv_timeout(Duration::from_secs(20));
        assert_eq!(lens, Ok((0, 0)));
    }

    #[test]
    fn removing_leaves_every_other_element() {
        let set = Set::of(0..100).unwrap();
        for element in 0..50 {
            assert!(set.remove(element).unwrap());
        }
        let mut left: Vec<i64> = set
            .elements()
            .iter()
            .filter_map(|element| element.as_value()?.as_i64())
            .collect();
        left.sort_unstable();
        assert_eq!(left, Vec::from_iter(50..100));
    }
}
