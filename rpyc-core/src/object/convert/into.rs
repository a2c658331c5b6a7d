//! Conversions of text, containers and objects to a peer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use num_bigint::BigInt;

use super::IntoAny;
use crate::exception::Exception;
use crate::object::builtins::Dict;
use crate::object::{Any, Exposed, Function, Netref, Object, ObjectRef, ObjectResult};
use crate::wire::{Int, Str, Value};

macro_rules! into_any {
    ($($(#[$meta:meta])* $kind:ty $(where [$($generics:tt)*])?: |$this:ident| $made:expr;)*) => {
        $(
            $(#[$meta])*
            impl $(<$($generics)*>)? IntoAny for $kind {
                fn into_any(self) -> ObjectResult {
                    let $this = self;
                    $made
                }
            }
        )*
    };
}

into_any! {
    Value: |this| Ok(Any::Value(this));
    Any: |this| Ok(this);
    Netref: |this| Ok(Any::Netref(this));
    ObjectRef: |this| Ok(Any::Local(this));
    Function: |this| Ok(Any::object(this));
    /// Any object, made by hand, by reference.
    Arc<O> where [O: Object]: |this| Ok(Any::Local(this));
    Exposed<T> where [T: Send + Sync + 'static]: |this| Ok(Any::object(this));
    /// A clone of it.
    &T where [T: IntoAny + Clone]: |this| this.clone().into_any();
    /// An error is raised.
    Result<T, E> where [T: IntoAny, E: Into<Exception>]: |this| this.map_err(Into::into)?.into_any();
    Option<T> where [T: IntoAny]: |this| this.map_or(Ok(Any::NONE), IntoAny::into_any);
    Box<T> where [T: IntoAny]: |this| (*this).into_any();
    char: |this| Ok(Any::from(String::from(this)));
    f32: |this| f64::from(this).into_any();
    &Path: |this| path(this);
    PathBuf: |this| path(&this);
    Vec<T> where [T: IntoAny]: |this| T::vec_into_any(this);
    [T; N] where [T: IntoAny, const N: usize]: |this| T::vec_into_any(this.into());
    &[T] where [T: IntoAny + Clone]: |this| T::vec_into_any(this.to_vec());
    HashSet<T, S> where [T: IntoAny, S]: |this| frozenset(this);
    BTreeSet<T> where [T: IntoAny]: |this| frozenset(this);
    HashMap<K, V, S> where [K: IntoAny, V: IntoAny, S]: |this| dict(this);
    BTreeMap<K, V> where [K: IntoAny, V: IntoAny]: |this| dict(this);
}

macro_rules! by_value {
    ($($kind:ty $({ $($more:tt)* })?),* $(,)?) => {
        $(
            impl IntoAny for $kind {
                fn into_any(self) -> ObjectResult {
                    Ok(Any::from(self))
                }

                $($($more)*)?
            }
        )*
    };
}

by_value! {
    (), &str, String, Str, Bytes, bool, f64,
    Int, BigInt, i8, i16, i32, i64, i128, isize, u16, u32, u64, u128, usize,
    u8 {
        fn vec_into_any(items: Vec<u8>) -> ObjectResult {
            Ok(Any::from(items))
        }
    }
}

fn path(path: &Path) -> ObjectResult {
    let text = path.to_str().map(Any::from);
    text.ok_or_else(|| Exception::value_error(format!("the path {} isn't UTF-8", path.display())))
}

fn frozenset<T: IntoAny>(items: impl IntoIterator<Item = T>) -> ObjectResult {
    let value = |item: T| match item.into_any()? {
        Any::Value(value) => Ok(value),
        other => Err(Exception::type_error(format!(
            "a set that is sent holds plain values only, not {}",
            other.type_name()
        ))),
    };
    let values: ObjectResult<Vec<Value>> = items.into_iter().map(value).collect();
    Ok(Any::Value(Value::FrozenSet(values?)))
}

fn dict<K: IntoAny, V: IntoAny>(entries: impl IntoIterator<Item = (K, V)>) -> ObjectResult {
    let dict = Dict::new();
    for (key, value) in entries {
        dict.insert(key, value)?;
    }
    dict.into_any()
}
