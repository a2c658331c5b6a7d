//! How a value prints: as Python's `repr` of it, for logs and messages.

use std::fmt::{self, Display, Formatter, Write};

use super::value::Value;

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("None"),
            Value::NotImplemented => f.write_str("NotImplemented"),
            Value::Ellipsis => f.write_str("Ellipsis"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Int(int) => int.fmt(f),
            Value::Float(float) => write_float(f, *float),
            Value::Complex(real, imaginary) => {
                f.write_char('(')?;
                write_float(f, *real)?;
                if imaginary.is_sign_positive() {
                    f.write_char('+')?;
                }
                write_float(f, *imaginary)?;
                f.write_str("j)")
            }
            Value::Bytes(bytes) => write!(f, "b'{}'", bytes.escape_ascii()),
            Value::Str(text) => write_str(f, text),
            Value::Tuple(items) => {
                write_items(f, "(", items, if items.len() == 1 { ",)" } else { ")" })
            }
            Value::FrozenSet(items) if items.is_empty() => f.write_str("frozenset()"),
            Value::FrozenSet(items) => write_items(f, "frozenset({", items, "})"),
            Value::Slice(parts) => write_items(f, "slice(", &parts[..], ")"),
            Value::Type(plain) => write!(f, "<class '{}'>", plain.name()),
        }
    }
}

fn write_items(f: &mut Formatter<'_>, open: &str, items: &[Value], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    f.write_str(close)
}

fn write_float(f: &mut Formatter<'_>, float: f64) -> fmt::Result {
    if float.is_nan() {
        f.write_str("nan")
    } else {
        // Rust's Debug keeps the point and the shortest digits, as Python does.
        write!(f, "{float:?}")
    }
}

fn write_str(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    f.write_char(quote)?;
    for char in text.chars() {
        match char {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' => f.write_str("\\\\")?,
            char if char == quote => write!(f, "\\{char}")?,
            char if char.is_control() => write!(f, "\\x{:02x}", u32::from(char))?,
            char => f.write_char(char)?,
        }
    }
    f.write_char(quote)
}
