//! [`ConversionError`]: a Rust type and a Python value that don't fit each other.

use std::fmt;

/// Why a value isn't of the type that was asked for, or why a value of a Rust type can't be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversionError(Box<str>);

impl ConversionError {
    pub(crate) fn new(message: impl Into<String>) -> ConversionError {
        ConversionError(message.into().into_boxed_str())
    }
}

impl fmt::Display for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConversionError {}

impl serde::ser::Error for ConversionError {
    fn custom<T: fmt::Display>(message: T) -> ConversionError {
        ConversionError::new(message.to_string())
    }
}

impl serde::de::Error for ConversionError {
    fn custom<T: fmt::Display>(message: T) -> ConversionError {
        ConversionError::new(message.to_string())
    }
}
