//! Exceptions as they travel: what Python's rpyc calls vinegar.

use super::{
    boxed_read::ANOTHER_LENGTH, error::ShapeError, limits::Limits, string::Str, value::Value,
};

/// An exception that ended a request.
#[derive(Debug, Clone, PartialEq)]
pub enum DumpedException {
    /// `StopIteration`, with nothing else: the end of an iterator is too common to be spelt out.
    StopIteration,
    /// Any other exception.
    Named(Box<NamedException>),
    /// Only a text, from very old peers.
    Text(Str),
}

/// An exception by the name of its class.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedException {
    /// The module of its class: `builtins` for those of the language.
    pub module: Str,
    /// The name of its class.
    pub class: Str,
    /// Its arguments; what can't travel by value went as its `repr()`.
    pub args: Vec<Value>,
    /// Its public attributes, and `_remote_version`.
    pub attrs: Vec<(Str, Value)>,
    /// The traceback of where it was raised, as Python prints it.
    pub traceback: Str,
}

impl DumpedException {
    /// The exception that this value is.
    ///
    /// More arguments and attributes than [`max_exception_items`](Limits#structfield.max_exception_items) are
    /// dropped, a traceback over [`max_traceback`](Limits#structfield.max_traceback) loses its middle.
    ///
    /// # Errors
    ///
    /// The value is no exception.
    pub fn from_value(value: Value, limits: &Limits) -> Result<Self, ShapeError> {
        match value {
            Value::Int(int) if int == STOP_ITERATION => Ok(Self::StopIteration),
            Value::Str(_) | Value::Bytes(_) => {
                let text = text(value, EXCEPTION)?;
                Ok(Self::Text(cut_middle(&text, limits.max_traceback)))
            }
            Value::Tuple(parts) => named(parts, limits).map(|named| Self::Named(Box::new(named))),
            other => Err(ShapeError::new(EXCEPTION, other.type_name())),
        }
    }

    /// As a value, within the same limits.
    pub fn to_value(&self, limits: &Limits) -> Value {
        match self {
            Self::StopIteration => STOP_ITERATION.into(),
            Self::Text(text) => cut_middle(text, limits.max_traceback).into(),
            Self::Named(named) => {
                let attrs = named.attrs.iter().take(limits.max_exception_items);
                Value::Tuple(vec![
                    Value::Tuple(vec![
                        named.module.clone().into(),
                        named.class.clone().into(),
                    ]),
                    Value::tuple(named.args.iter().take(limits.max_exception_items).cloned()),
                    Value::tuple(attrs.map(|(name, value)| {
                        Value::Tuple(vec![name.clone().into(), value.clone()])
                    })),
                    cut_middle(&named.traceback, limits.max_traceback).into(),
                ])
            }
        }
    }
}

fn named(parts: Vec<Value>, limits: &Limits) -> Result<NamedException, ShapeError> {
    let [name, args, attrs, traceback] =
        <[Value; 4]>::try_from(parts).map_err(|_| ShapeError::new(EXCEPTION, ANOTHER_LENGTH))?;
    let [module, class] = tuple_of(name, "a pair of module and class")?;
    let mut args = tuple(args, "a tuple of arguments")?;
    args.truncate(limits.max_exception_items);
    args.shrink_to_fit();
    let attrs = tuple(attrs, "a tuple of attributes")?
        .into_iter()
        .take(limits.max_exception_items)
        .map(|attr| {
            let [name, value] = tuple_of(attr, "a pair of name and value")?;
            Ok((text(name, "a str as the name of an attribute")?, value))
        })
        .collect::<Result<_, ShapeError>>()?;
    Ok(NamedException {
        module: text(module, "a str as the module of an exception")?,
        class: text(class, "a str as the class of an exception")?,
        args,
        attrs,
        traceback: cut_middle(
            &text(traceback, "a str as the traceback")?,
            limits.max_traceback,
        ),
    })
}

/// The text, or its start and end with a note in between, so that it has at most about `max` bytes.
fn cut_middle(text: &Str, max: usize) -> Str {
    if text.len() <= max {
        return text.clone();
    }
    let kept = max.saturating_sub(NOTE_MAX) / 2;
    let (head, rest) = text.split_at(text.floor_char_boundary(kept));
    let (middle, tail) = rest.split_at(rest.ceil_char_boundary(rest.len().saturating_sub(kept)));
    Str::from(format!(
        "{head}\n[... {} bytes cut ...]\n{tail}",
        middle.len()
    ))
}

fn tuple_of<const N: usize>(
    value: Value,
    expected: &'static str,
) -> Result<[Value; N], ShapeError> {
    <[Value; N]>::try_from(tuple(value, expected)?)
        .map_err(|_| ShapeError::new(expected, ANOTHER_LENGTH))
}

fn tuple(value: Value, expected: &'static str) -> Result<Vec<Value>, ShapeError> {
    let found = value.type_name();
    value
        .into_tuple()
        .ok_or_else(|| ShapeError::new(expected, found))
}

fn text(value: Value, expected: &'static str) -> Result<Str, ShapeError> {
    match value {
        Value::Str(text) => Ok(text),
        // Python 2 sends its plain strings, which are bytes.
        Value::Bytes(bytes) => Ok(Str::from(&*String::from_utf8_lossy(&bytes))),
        other => Err(ShapeError::new(expected, other.type_name())),
    }
}

const EXCEPTION: &str = "a dumped exception";
/// What stands for `StopIteration`.
const STOP_ITERATION: i64 = 1;
/// More than the note about what was cut takes.
const NOTE_MAX: usize = 64;
