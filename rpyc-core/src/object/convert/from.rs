//! Conversions of text, containers and objects from a peer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use num_bigint::BigInt;

use super::{ConversionError, FromAny, from_peer};
use crate::exception::Exception;
use crate::object::forwarded::ForwardedObject;
use crate::object::{Any, Exposed, Netref, ObjectRef};
use crate::wire::{Int, Str, Value};

/// What is made of which, or what was expected instead.
macro_rules! from_any {
    ($($kind:ty: $what:literal { $($pattern:pat => $made:expr,)* })*) => {
        $(
            impl FromAny for $kind {
                fn from_any(any: Any) -> Result<$kind, ConversionError> {
                    match any {
                        $($pattern => Ok($made),)*
                        other => Err(ConversionError::mismatch($what, other.type_name())),
                    }
                }
            }
        )*
    };
}

from_any! {
    Value: "a plain value" { Any::Value(value) => value, }
    Netref: "an object of the peer's" { Any::Netref(netref) => netref, }
    ObjectRef: "an object" {
        Any::Local(object) => object,
        Any::Netref(netref) => Arc::new(ForwardedObject::new(netref)),
    }
    (): "None" { Any::Value(Value::None) => (), }
    Str: "str" { Any::Value(Value::Str(text)) => text, }
    Bytes: "bytes" { Any::Value(Value::Bytes(bytes)) => bytes, }
    bool: "bool" { Any::Value(Value::Bool(flag)) => flag, }
    Int: "int" {
        Any::Value(Value::Int(int)) => int,
        // Python takes it for one, too.
        Any::Value(Value::Bool(flag)) => Int::from(i64::from(flag)),
    }
    f64: "float" {
        Any::Value(Value::Float(float)) => float,
        Any::Value(Value::Int(int)) => int.to_f64().ok_or_else(|| ConversionError::overflow("f64"))?,
        Any::Value(Value::Bool(flag)) => f64::from(u8::from(flag)),
    }
}

/// What is made of something else that is made.
macro_rules! from_other {
    ($($kind:ty $(where [$($generics:tt)*])?: |$any:ident| $made:expr;)*) => {
        $(
            impl $(<$($generics)*>)? FromAny for $kind {
                fn from_any($any: Any) -> Result<$kind, ConversionError> {
                    $made
                }
            }
        )*
    };
}

from_other! {
    Any: |any| Ok(any);
    String: |any| Str::from_any(any).map(String::from);
    BigInt: |any| Int::from_any(any).map(|int| int.to_bigint());
    // Rounded to the nearest, as any literal would be.
    f32: |any| f64::from_any(any).map(|double| double as f32);
    PathBuf: |any| String::from_any(any).map(PathBuf::from);
    char: |any| {
        let text = Str::from_any(any)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(ConversionError::invalid("be a single character")),
        }
    };
    [T; N] where [T: FromAny, const N: usize]: |any| <[T; N]>::try_from(T::vec_from_any(any)?)
        .map_err(|items| ConversionError::invalid(format!("have {N} items, not {}", items.len())));
    Option<T> where [T: FromAny]: |any| match any {
        Any::Value(Value::None) => Ok(None),
        any => T::from_any(any).map(Some),
    };
    Box<T> where [T: FromAny]: |any| T::from_any(any).map(Box::new);
    Vec<T> where [T: FromAny]: |any| T::vec_from_any(any);
    HashSet<T, S> where [T: FromAny + Eq + Hash, S: BuildHasher + Default]: |any|
        Ok(T::vec_from_any(any)?.into_iter().collect());
    BTreeSet<T> where [T: FromAny + Ord]: |any| Ok(T::vec_from_any(any)?.into_iter().collect());
    HashMap<K, V, S> where [K: FromAny + Eq + Hash, V: FromAny, S: BuildHasher + Default]: |any| entries(any);
    BTreeMap<K, V> where [K: FromAny + Ord, V: FromAny]: |any| entries(any);
}

/// Numbers that fit, each made of a wider one.
macro_rules! integers {
    ($($wider:path: $($int:ident $({ $($more:tt)* })?)*;)*) => {
        $($(
            impl FromAny for $int {
                fn from_any(any: Any) -> Result<$int, ConversionError> {
                    let number = $wider(&Int::from_any(any)?);
                    number
                        .and_then(|number| $int::try_from(number).ok())
                        .ok_or_else(|| ConversionError::overflow(stringify!($int)))
                }

                $($($more)*)?
            }
        )*)*
    };
}

integers! {
    Int::to_i64: i8 i16 i32 i64 isize;
    Int::to_u64: u16 u32 u64 usize u8 {
        fn vec_from_any(any: Any) -> Result<Vec<u8>, ConversionError> {
            match any {
                Any::Value(Value::Bytes(bytes)) => Ok(bytes.into()),
                other => super::items_from_any(other),
            }
        }
    };
    big: i128 u128;
}

fn big(int: &Int) -> Option<BigInt> {
    Some(int.to_bigint())
}

/// An object of this side that comes back.
impl<T: Send + Sync + 'static> FromAny for Exposed<T> {
    fn from_any(any: Any) -> Result<Exposed<T>, ConversionError> {
        if let Some(exposed) = any.as_object::<Exposed<T>>() {
            return Ok(exposed.clone());
        }
        let name = std::any::type_name::<T>();
        let short = name.rsplit("::").next().unwrap_or(name);
        Err(ConversionError::mismatch(short, any.type_name()))
    }
}

fn entries<K: FromAny, V: FromAny, M: FromIterator<(K, V)>>(
    any: Any,
) -> Result<M, ConversionError> {
    let pairs = from_peer::pairs(any)?.into_iter();
    let entry = |(key, value): (Any, Any)| {
        let place = format!("{key:?}");
        let key = K::from_any(key).map_err(|error| error.of_item(format!("{place} (the key)")))?;
        let value = V::from_any(value).map_err(|error| error.of_item(&place))?;
        Ok((key, value))
    };
    pairs.map(entry).collect()
}

/// An exception, or its class, which is all that a stock client sends of one that leaves a `with`.
///
/// Of an exception of the peer's the class comes across, and its arguments or at least its text.
impl FromAny for Exception {
    fn from_any(any: Any) -> Result<Exception, ConversionError> {
        if let Some(raised) = super::super::Raised::of(&any) {
            return Ok(raised.clone());
        }
        let Any::Netref(netref) = &any else {
            return Err(ConversionError::mismatch("an exception", any.type_name()));
        };
        let name = &netref.id_pack().name;
        let (module, class) = name.rsplit_once('.').unwrap_or(("builtins", name));
        let exception = Exception::new(module, class);
        if netref.is_class() {
            return Ok(exception);
        }
        // Its side may keep the arguments to itself, but not the text.
        if let Ok(Any::Value(Value::Tuple(args))) = netref.attr("args") {
            return Ok(args.into_iter().fold(exception, Exception::with_arg));
        }
        let text = netref.str().map_err(ConversionError::raised)?;
        Ok(match &*text {
            "" => exception,
            _ => exception.with_arg(text),
        })
    }
}
