//! Python's text as it travels.

use rpyc_core::wire::Str;
use rustpython_vm::builtins::PyStr;
use rustpython_vm::{AsObject, Py, PyResult, VirtualMachine};

/// Text as it travels; a UnicodeEncodeError where there are lone surrogates in it.
pub(super) fn strict_text(vm: &VirtualMachine, text: &Py<PyStr>) -> PyResult<Str> {
    if text.to_str().is_none() {
        vm.call_method(text.as_object(), "encode", ())?;
    }
    Ok(self::text(text))
}

/// Text as it travels, with escapes for lone surrogates.
pub(super) fn text(text: &Py<PyStr>) -> Str {
    if let Some(text) = text.to_str() {
        return Str::from(text);
    }
    let mut escaped = String::new();
    for point in text.as_wtf8().code_points() {
        match point.to_char() {
            Some(char) => escaped.push(char),
            None => escaped.push_str(&format!("\\u{:04x}", point.to_u32())),
        }
    }
    Str::from(escaped)
}
