//! One immutable value, as brine carries it.

use bytes::Bytes;

use super::{int::Int, limits::Limits, plain_type::PlainType, string::Str};

/// A value that travels by value: what Python's rpyc calls brine.
///
/// Two values are equal here when they are the same on the wire's terms: `Int(1)`, `Bool(true)` and `Float(1.0)`
/// differ, NaN differs from itself, and the items of a frozenset compare in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`
    None,
    /// `NotImplemented`
    NotImplemented,
    /// `...`
    Ellipsis,
    /// `True` or `False`
    Bool(bool),
    /// An `int` of any size.
    Int(Int),
    /// A `float`; all bits of a NaN survive the wire.
    Float(f64),
    /// A `complex`: its real and imaginary parts.
    Complex(f64, f64),
    /// Immutable `bytes`. Large ones may share the buffer of their frame.
    Bytes(Bytes),
    /// A `str`.
    Str(Str),
    /// A `tuple`.
    Tuple(Vec<Value>),
    /// A `frozenset`, its items in the order sent. A peer may repeat items, or send unhashable ones.
    FrozenSet(Vec<Value>),
    /// A `slice`: start, stop and step.
    Slice(Box<[Value; 3]>),
    /// A type, by value: from and to rpyc-ng only.
    Type(PlainType),
}

impl Value {
    /// A tuple of the items.
    pub fn tuple(items: impl IntoIterator<Item = Value>) -> Self {
        Self::Tuple(items.into_iter().collect())
    }

    /// The name of its Python type, as `type(x).__name__` has it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::NotImplemented => "NotImplementedType",
            Self::Ellipsis => "ellipsis",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Complex(..) => "complex",
            Self::Bytes(_) => "bytes",
            Self::Str(_) => "str",
            Self::Tuple(_) => "tuple",
            Self::FrozenSet(_) => "frozenset",
            Self::Slice(_) => "slice",
            Self::Type(_) => "type",
        }
    }

    /// Whether it is `None`.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The bool, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The int, if it is exactly one: a bool is not.
    pub fn as_int(&self) -> Option<&Int> {
        match self {
            Self::Int(int) => Some(int),
            _ => None,
        }
    }

    /// The int, if it is exactly one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_int()?.to_i64()
    }

    /// The int, if it is exactly one and fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_int()?.to_u64()
    }

    /// The text, if it is a `str`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if it is `bytes`.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items, if it is a tuple.
    pub fn as_tuple(&self) -> Option<&[Value]> {
        match self {
            Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The items, if it is a tuple.
    pub fn into_tuple(self) -> Option<Vec<Value>> {
        match self {
            Self::Tuple(items) => Some(items),
            _ => None,
        }
    }
}

impl Value {
    /// The value itself, or the text where it is nested deeper than anything that is sent.
    pub(crate) fn or_if_deep(self, text: &'static str) -> Value {
        let mut levels = vec![(&self, 0)];
        while let Some((value, depth)) = levels.pop() {
            let items = match value {
                Self::Tuple(items) | Self::FrozenSet(items) => items.as_slice(),
                Self::Slice(parts) => parts.as_slice(),
                _ => continue,
            };
            if depth == Limits::DEPTH_CEILING {
                dismantle(vec![self]);
                return Value::from(text);
            }
            levels.extend(items.iter().map(|item| (item, depth + 1)));
        }
        self
    }
}

/// Drops the values without recursion: one that is nested deeper than what can be sent may be nested deeper than the
/// stack is.
pub(crate) fn dismantle(mut values: Vec<Value>) {
    while let Some(value) = values.pop() {
        match value {
            Value::Tuple(items) | Value::FrozenSet(items) => values.extend(items),
            Value::Slice(parts) => values.extend(*parts),
            _ => {}
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool
    f64 => Float
    &str => Str
    String => Str
    Str => Str
    Bytes => Bytes
    Vec<u8> => Bytes
    i8 => Int
    i16 => Int
    i32 => Int
    i64 => Int
    i128 => Int
    isize => Int
    u8 => Int
    u16 => Int
    u32 => Int
    u64 => Int
    u128 => Int
    usize => Int
    num_bigint::BigInt => Int
    Int => Int
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::None
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::None, Into::into)
    }
}

macro_rules! from_tuple {
    ($($name:ident)+) => {
        impl<$($name: Into<Value>),+> From<($($name,)+)> for Value {
            #[allow(non_snake_case)] // the items bear the names of their types
            fn from(($($name,)+): ($($name,)+)) -> Self {
                Self::Tuple(vec![$($name.into()),+])
            }
        }
    };
}

from_tuple!(A);
from_tuple!(A B);
from_tuple!(A B C);
from_tuple!(A B C D);
from_tuple!(A B C D E);
from_tuple!(A B C D E F);
