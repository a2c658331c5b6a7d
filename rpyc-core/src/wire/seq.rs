//! Sequence numbers.

use std::fmt;

use super::{int::Int, value::Value};

/// What ties a reply to its request.
///
/// Ours count from 0. A peer's may be any value, and is echoed as it came; only its size is bounded
/// ([`max_seq`](super::Limits#structfield.max_seq)).
#[derive(Debug, Clone, PartialEq)]
pub struct Seq(Repr);

// Normalised: `Foreign` is never an int that `Counter` can hold. Boxed, because it is rare, and whatever is queued
// has one of these.
#[derive(Debug, Clone, PartialEq)]
enum Repr {
    Counter(u64),
    Foreign(Box<Value>),
}

impl Seq {
    /// One of our own.
    pub fn new(counter: u64) -> Self {
        Self(Repr::Counter(counter))
    }

    /// The counter, if it can be one of ours.
    pub fn as_u64(&self) -> Option<u64> {
        match self.0 {
            Repr::Counter(counter) => Some(counter),
            Repr::Foreign(_) => None,
        }
    }

    /// As a value.
    pub fn to_value(&self) -> Value {
        match &self.0 {
            Repr::Counter(counter) => Value::from(*counter),
            Repr::Foreign(value) => Value::clone(value),
        }
    }

    /// The value, where it is not a counter.
    pub(super) fn foreign(&self) -> Result<u64, &Value> {
        match &self.0 {
            Repr::Counter(counter) => Ok(*counter),
            Repr::Foreign(value) => Err(value),
        }
    }
}

impl From<i64> for Seq {
    fn from(int: i64) -> Self {
        Self(u64::try_from(int).map_or_else(|_| Repr::Foreign(Box::new(int.into())), Repr::Counter))
    }
}

impl From<Value> for Seq {
    fn from(value: Value) -> Self {
        Self(
            value
                .as_int()
                .and_then(Int::to_u64)
                .map_or_else(|| Repr::Foreign(Box::new(value)), Repr::Counter),
        )
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Counter(counter) => counter.fmt(f),
            Repr::Foreign(value) => write!(f, "{value:?}"),
        }
    }
}
