//! Names of classes as each version and each Python has them.

use std::borrow::Cow;

use super::super::{error::ShapeError, string::Str, value::Value};
use super::Dialect;

impl Dialect {
    /// Whether the peer's names come as bytes: it has no other plain strings. What names something here (a key of a
    /// namespace, a module) may then be bytes as well.
    pub const fn has_names_in_bytes(self) -> bool {
        self.is_python2()
    }

    /// The name of a class of ours as the peer knows it: its proxies of builtins are found by their names.
    pub(in super::super) fn class_name(self, name: &str) -> Cow<'_, str> {
        match name.strip_prefix(BUILTINS) {
            Some(class) if self.is_python2() => Cow::Owned(format!("{PYTHON_2_BUILTINS}{class}")),
            _ => Cow::Borrowed(name),
        }
    }

    /// What a class of the peer's is called here.
    pub(in super::super) fn class_name_here(self, name: Str) -> Str {
        match name.strip_prefix(PYTHON_2_BUILTINS) {
            Some(class) if self.is_python2() => Str::from(format!("{BUILTINS}{class}")),
            _ => name,
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

const BUILTINS: &str = "builtins.";
const PYTHON_2_BUILTINS: &str = "__builtin__.";
