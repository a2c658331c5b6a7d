//! Exceptions as older versions, and Python 2, know them.

use super::super::{
    exception::{DumpedException, NamedException},
    limits::Limits,
    string::Str,
    value::Value,
};
use super::{Dialect, Framing, References};

/// The exception as the value that the peer is sent.
pub(in super::super) fn as_sent(
    dialect: Dialect,
    exception: &DumpedException,
    limits: &Limits,
) -> Value {
    let DumpedException::Named(named) = exception else {
        return exception.to_value(limits);
    };
    let mut named = match (dialect.framing, dialect.references) {
        (Framing::Triple, _) | (_, References::IdPackWithKind) => NamedException::clone(named),
        _ => return exception.to_value(limits),
    };
    // A peer compares it with its own version, which isn't told, and warns where the major numbers differ.
    if dialect.framing == Framing::Triple {
        named.attrs.retain(|(name, _)| &**name != "_remote_version");
    } else {
        for (name, version) in &mut named.attrs {
            if &**name == "_remote_version" && version.as_str() == Some(VERSION_6) {
                *version = Value::from(VERSION_NG);
            }
        }
    }
    if !dialect.is_python2() {
        return DumpedException::Named(Box::new(named)).to_value(limits);
    }
    if &*named.module == "builtins" {
        named.module = Str::from_static("exceptions");
        if let Some((_, older)) = NEWER_CLASSES.iter().find(|(new, _)| *new == &*named.class) {
            named.class = Str::from_static(older);
        }
    }
    let value = DumpedException::Named(Box::new(named)).to_value(limits);
    // Python 2 can't print an exception with text beyond ASCII in it, but can with bytes.
    match value {
        Value::Tuple(mut parts) => {
            if let Some(traceback) = parts.last_mut()
                && let Value::Str(text) = &*traceback
            {
                *traceback = Value::from(text.as_bytes().to_vec());
            }
            Value::Tuple(parts)
        }
        other => other,
    }
}

impl Dialect {
    /// An exception that has come, in the terms of rpyc 6 and Python 3.
    pub(in super::super) fn read_exception(self, exception: DumpedException) -> DumpedException {
        match exception {
            DumpedException::Named(mut named) if self.framing == Framing::Triple => {
                if &*named.module == "exceptions" {
                    named.module = Str::from_static("builtins");
                }
                DumpedException::Named(named)
            }
            other => other,
        }
    }
}

/// What this side says that it is, and what it says to rpyc-ng.
const VERSION_6: &str = "6.0.2";
const VERSION_NG: &str = "7.0.15";

/// Exceptions that Python 2 doesn't have, and what it has instead.
const NEWER_CLASSES: [(&str, &str); 17] = [
    ("BlockingIOError", "IOError"),
    ("BrokenPipeError", "IOError"),
    ("ChildProcessError", "OSError"),
    ("ConnectionAbortedError", "IOError"),
    ("ConnectionError", "IOError"),
    ("ConnectionRefusedError", "IOError"),
    ("ConnectionResetError", "IOError"),
    ("FileExistsError", "OSError"),
    ("FileNotFoundError", "IOError"),
    ("InterruptedError", "IOError"),
    ("IsADirectoryError", "IOError"),
    ("ModuleNotFoundError", "ImportError"),
    ("NotADirectoryError", "OSError"),
    ("PermissionError", "IOError"),
    ("ProcessLookupError", "OSError"),
    ("RecursionError", "RuntimeError"),
    ("TimeoutError", "IOError"),
];
