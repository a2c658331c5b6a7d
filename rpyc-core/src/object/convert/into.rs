//! Conversions of text, containers and objects to a peer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::IntoAny;
use crate::exception::Exception;
use crate::object::builtins::Dict;
use crate::object::{Any, Exposed, Function, Netref, Object, ObjectRef, ObjectResult};
use crate::wire::{Int, Str, Value};

macro_rules! through_any {
    ($($kind:ty)*) => {
        $(
            impl IntoAny for $kind {
                fn into_any(self) -> ObjectResult {
                    Ok(Any::from(self))
                }
            }
        )*
    };
}

through_any! { () &str String Str Bytes Value Int }

impl IntoAny for Any {
    fn into_any(self) -> ObjectResult {
        Ok(self)
    }
}

impl IntoAny for Netref {
    fn into_any(self) -> ObjectResult {
        Ok(Any::Netref(self))
    }
}

/// A clone of it.
impl<T: IntoAny + Clone> IntoAny for &T {
    fn into_any(self) -> ObjectResult {
        self.clone().into_any()
    }
}

impl IntoAny for Function {
    fn into_any(self) -> ObjectResult {
        Ok(Any::object(self))
    }
}

impl IntoAny for ObjectRef {
    fn into_any(self) -> ObjectResult {
        Ok(Any::Local(self))
    }
}

/// Any object, made by hand, by reference.
impl<O: Object> IntoAny for Arc<O> {
    fn into_any(self) -> ObjectResult {
        Ok(Any::Local(self))
    }
}

impl<T: Send + Sync + 'static> IntoAny for Exposed<T> {
    fn into_any(self) -> ObjectResult {
        Ok(Any::object(self))
    }
}

/// An error is raised.
impl<T: IntoAny, E: Into<Exception>> IntoAny for Result<T, E> {
    fn into_any(self) -> ObjectResult {
        match self {
            Ok(value) => value.into_any(),
            Err(error) => Err(error.into()),
        }
    }
}

impl<T: IntoAny> IntoAny for Option<T> {
    fn into_any(self) -> ObjectResult {
        self.map_or(Ok(Any::NONE), IntoAny::into_any)
    }
}

impl<T: IntoAny> IntoAny for Box<T> {
    fn into_any(self) -> ObjectResult {
        (*self).into_any()
    }
}

impl IntoAny for char {
    fn into_any(self) -> ObjectResult {
        Ok(Any::from(String::from(self)))
    }
}

impl IntoAny for &Path {
    fn into_any(self) -> ObjectResult {
        match self.to_str() {
            Some(text) => Ok(Any::from(text)),
            None => Err(Exception::value_error(format!(
                "the path {} isn't UTF-8",
                self.display()
            ))),
        }
    }
}

impl IntoAny for PathBuf {
    fn into_any(self) -> ObjectResult {
        self.as_path().into_any()
    }
}

impl<T: IntoAny> IntoAny for Vec<T> {
    fn into_any(self) -> ObjectResult {
        T::vec_into_any(self)
    }
}

impl<T: IntoAny, const N: usize> IntoAny for [T; N] {
    fn into_any(self) -> ObjectResult {
        T::vec_into_any(self.into())
    }
}

impl<T: IntoAny + Clone> IntoAny for &[T] {
    fn into_any(self) -> ObjectResult {
        T::vec_into_any(self.to_vec())
    }
}

impl<T: IntoAny, S> IntoAny for HashSet<T, S> {
    fn into_any(self) -> ObjectResult {
        frozenset(self.into_iter())
    }
}

impl<T: IntoAny> IntoAny for BTreeSet<T> {
    fn into_any(self) -> ObjectResult {
        frozenset(self.into_iter())
    }
}

fn frozenset<T: IntoAny>(items: impl Iterator<Item = T>) -> ObjectResult {
    let value = |item: T| match item.into_any()? {
        Any::Value(value) => Ok(value),
        other => Err(Exception::type_error(format!(
            "a set that is sent holds plain values only, not {}",
            other.type_name()
        ))),
    };
    let values: ObjectResult<Vec<Value>> = items.map(value).collect();
    Ok(Any::Value(Value::FrozenSet(values?)))
}

impl<K, V, S> IntoAny for HashMap<K, V, S>
where
    K: IntoAny,
    V: IntoAny,
{
    fn into_any(self) -> ObjectResult {
        dict(self)
    }
}

impl<K, V> IntoAny for BTreeMap<K, V>
where
    K: IntoAny,
    V: IntoAny,
{
    fn into_any(self) -> ObjectResult {
        dict(self)
    }
}

fn dict<K: IntoAny, V: IntoAny>(entries: impl IntoIterator<Item = (K, V)>) -> ObjectResult {
    let dict = Dict::new();
    for (key, value) in entries {
        dict.insert(key, value)?;
    }
    dict.into_any()
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => {
        $(
            impl<$($name: IntoAny),*> IntoAny for ($($name,)*) {
                fn into_any(self) -> ObjectResult {
                    #[allow(non_snake_case)] // the names of the types
                    let ($($name,)*) = self;
                    Ok(Any::tuple([$($name.into_any()?),*]))
                }
            }
        )*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}
