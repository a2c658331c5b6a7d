//! [`CopyError`]: a serde type and a Python structure that don't fit each other.

use std::fmt;

/// Why a value isn't of the type that was asked for, or why a value of a Rust type can't be copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CopyError(Box<str>);

impl CopyError {
    pub(crate) fn new(message: impl Into<String>) -> CopyError {
        CopyError(message.into().into_boxed_str())
    }
}

impl serde::ser::Error for CopyError {
    fn custom<T: fmt::Display>(message: T) -> CopyError {
        CopyError::new(message.to_string())
    }
}

impl serde::de::Error for CopyError {
    fn custom<T: fmt::Display>(message: T) -> CopyError {
        CopyError::new(message.to_string())
    }
}
