//! [`Set`]: a set of this side, given by reference.

use indexmap::IndexSet;

use super::iter::Iter;
use super::key::Key;
use super::{collection, reprs_of};
use crate::exception::Exception;
use crate::object::class::Method;
use crate::object::{Any, Class, ClassBuilder, Exposed, IntoAny, ObjectResult, Signature, convert};
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
pub struct Set(This);

type Keys = IndexSet<Key>;
type This = Exposed<Mutex<Keys>>;

collection!(Set, "set", Keys);

impl Set {
    /// A set of these.
    ///
    /// # Errors
    /// What the conversion of an element raised; a TypeError for one that isn't hashable.
    pub fn of<T: IntoAny>(elements: impl IntoIterator<Item = T>) -> ObjectResult<Set> {
        let key = |element: T| Key::new(element.into_any()?);
        let elements: ObjectResult<IndexSet<Key>> = elements.into_iter().map(key).collect();
        Ok(Set::holding(elements?))
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
        Ok(self.0.lock().contains(&key))
    }

    /// The elements as they are now.
    pub fn elements(&self) -> Vec<Any> {
        elements(&self.0)
    }
}

type Combine = fn(&Keys, &Keys) -> Keys;
type Holds = fn(&Keys, &Keys) -> bool;

impl ClassBuilder<Mutex<Keys>> {
    /// `a & b` and its kin: the operator, the one that is asked of `b`, the one that changes `a`, and the
    /// methods of the same meaning, which take any iterables.
    fn operator(self, operator: &str, method: &str, combine: Combine) -> Self {
        let update = match method {
            "union" => "update".to_owned(),
            method => format!("{method}_update"),
        };
        let several = method != "symmetric_difference";
        self.of_two(&format!("__{operator}__"), move |this, _, other| {
            Any::from(Set::holding(combine(&snapshot(this), other)))
        })
        .of_two(&format!("__r{operator}__"), move |this, left, others| {
            let combined = combine(others, &snapshot(this));
            // The result is of the type of the left operand.
            match &*left.type_name() {
                "builtins.set" => Any::from(Set::holding(combined)),
                _ => frozen(combined),
            }
        })
        .of_two(&format!("__i{operator}__"), move |this, _, other| {
            change(this, |mine| combine(mine, other));
            Any::object(this.clone())
        })
        .public_method(of_iterables(method, several, move |this, others| {
            Any::from(Set::holding(all(&snapshot(this), others, combine)))
        }))
        .public_method(of_iterables(&update, several, move |this, others| {
            change(this, |mine| all(mine, others, combine));
            Any::NONE
        }))
    }

    /// A comparison with another set.
    fn comparison(self, name: &str, holds: Holds) -> Self {
        self.of_two(name, move |this, _, other| {
            Any::from(holds(&snapshot(this), other))
        })
    }

    /// A method of two sets; what is no set is asked itself. The other one comes as it is, and as its elements.
    fn of_two(
        self,
        name: &str,
        call: impl Fn(&This, &Any, &Keys) -> Any + Send + Sync + 'static,
    ) -> Self {
        self.with(name, ["other"], move |this, _, [other]| {
            Ok(match &*other.type_name() {
                "frozenset" | "builtins.frozenset" | "builtins.set" => {
                    call(this, &other, &keys(other.clone())?)
                }
                _ => Any::Value(Value::NotImplemented),
            })
        })
    }

    /// A comparison with what is in an iterable.
    fn question(self, name: &str, holds: Holds) -> Self {
        self.with(name, ["other"], move |this, _, [other]| {
            Ok(holds(&snapshot(this), &keys(other)?))
        })
    }
}

fn of_iterables(
    name: &str,
    several: bool,
    call: impl Fn(&This, &[Keys]) -> Any + Send + Sync + 'static,
) -> Method<Mutex<Keys>> {
    let signature = Signature::method(&format!("set.{name}"));
    let signature = if several {
        signature.rest()
    } else {
        signature.required("other")
    };
    Method::bound(name, signature, move |this: &This, _, bound| {
        let mut others = bound.rest::<Any>("others")?;
        others.extend(bound.take(0));
        let others: ObjectResult<Vec<Keys>> = others.into_iter().map(keys).collect();
        Ok(call(this, &others?))
    })
}

fn all(mine: &Keys, others: &[Keys], combine: Combine) -> Keys {
    let others = others.iter();
    others.fold(mine.clone(), |result, other| combine(&result, other))
}

/// A frozenset of plain values; one that holds a reference can't be, and is a set.
fn frozen(keys: Keys) -> Any {
    let values: Option<Vec<Value>> = keys.iter().map(|key| key.as_value().cloned()).collect();
    match values {
        Some(values) => Any::Value(Value::FrozenSet(values)),
        None => Any::from(Set::holding(keys)),
    }
}

fn class() -> Class<Mutex<Keys>> {
    Set::builder()
        .with("__contains__", ["key"], |this, _, [key]| {
            let key = Key::new(key)?;
            Ok(this.lock().contains(&key))
        })
        .with("__iter__", [], |this, _, []| Ok(Iter::new(elements(this))))
        .with("__repr__", [], |this, cx, []| {
            match elements(this).as_slice() {
                [] => Ok("set()".to_owned()),
                elements => Ok(format!("{{{}}}", reprs_of(cx, elements)?)),
            }
        })
        .operator("and", "intersection", |a, b| a & b)
        .operator("or", "union", |a, b| a | b)
        .operator("sub", "difference", |a, b| a - b)
        .operator("xor", "symmetric_difference", |a, b| a ^ b)
        .comparison("__eq__", |a, b| a == b)
        .comparison("__le__", Keys::is_subset)
        .comparison("__ge__", Keys::is_superset)
        .comparison("__lt__", |a, b| a.len() < b.len() && a.is_subset(b))
        .comparison("__gt__", |a, b| a.len() > b.len() && a.is_superset(b))
        .question("issubset", Keys::is_subset)
        .question("issuperset", Keys::is_superset)
        .question("isdisjoint", Keys::is_disjoint)
        .with("add", ["element"], |this, _, [element]| {
            add(this, Key::new(element)?);
            Ok(())
        })
        .with("discard", ["element"], |this, _, [element]| {
            take(this, &Key::new(element)?);
            Ok(())
        })
        .with("remove", ["element"], |this, _, [element]| {
            let key = Key::new(element)?;
            let old = take(this, &key);
            old.map(drop).ok_or_else(|| super::dict::missing(key))
        })
        .with("pop", [], |this, _, []| {
            let last = this.lock().pop();
            let empty = || Exception::key_error("pop from an empty set");
            last.map(Key::into_any).ok_or_else(empty)
        })
        .build()
}

/// Adds an element; says whether it is new. What is dropped may have a destructor that comes back
/// here, so that nothing is dropped under the lock: not the element either, where it is there.
fn add(this: &This, key: Key) -> bool {
    let mut elements = this.lock();
    let is_new = !elements.contains(&key);
    if is_new {
        elements.insert(key);
    }
    is_new
}

fn take(this: &This, key: &Key) -> Option<Key> {
    this.lock().swap_take(key)
}

fn snapshot(this: &This) -> Keys {
    this.lock().clone()
}

fn change(this: &This, how: impl FnOnce(&Keys) -> Keys) {
    let mut elements = this.lock();
    let new = how(&elements);
    let old = std::mem::replace(&mut *elements, new);
    drop(elements);
    // What was in it may have a destructor that comes back here.
    drop(old);
}

fn elements(this: &This) -> Vec<Any> {
    let elements = this.lock();
    elements.iter().cloned().map(Key::into_any).collect()
}

/// What is in an iterable, fetched where it is the peer's.
fn keys(iterable: Any) -> ObjectResult<Keys> {
    convert::items(iterable)?
        .into_iter()
        .map(Key::new)
        .collect()
}
