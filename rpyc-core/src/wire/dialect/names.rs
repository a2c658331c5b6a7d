//! Names of classes as each version and each Python has them.

use std::borrow::Cow;

use super::super::{error::ShapeError, string::Str, value::Value};
use super::Dialect;

impl Dialect {
    /// The name of a class of ours as the peer knows it: its proxies of builtins are found by their names.
    pub(in super::super) fn class_name(self, name: &str) -> Cow<'_, str> {
        match name.strip_prefix("builtins.") {
            Some(class) if self.is_python2() => Cow::Owned(format!("__builtin__.{class}")),
            _ => Cow::Borrowed(name),
        }
    }
}

/// A name that Python made: a str, or UTF-8 in the bytes that Python 2 calls one.
pub(in super::super) fn name(value: Value, expected: &'static str) -> Result<Str, ShapeError> {
    match value {
        Value::Str(name) => Ok(name),
        Value::Bytes(bytes) => match std::str::from_utf8(&bytes) {
            Ok(name) => Ok(Str::from(name)),
            Err(_) => Err(ShapeError::new(expected, "bytes that are not UTF-8")),
        },
        other => Err(ShapeError::new(expected, other.type_name())),
    }
}

/// The class and the module in `module.Class`; a module has no class.
pub(in super::super) fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((module, class)) => (class, module),
        None => (name, ""),
    }
}
