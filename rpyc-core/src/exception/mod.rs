//! [`Exception`]: a Python exception as it crosses a connection, in both directions.

mod conversion;
mod known;
mod text;

use std::any::TypeId;
use std::fmt;

pub use self::conversion::ConversionError;
pub use self::known::{KnownExceptions, PythonException};
use crate::wire::{DumpedException, NamedException, Str, Value, heap_size};

/// An exception: its class by name, its arguments and attributes, and a traceback.
///
/// What a handler returns as its error is dumped and sent to the peer; what a peer raised
/// arrives as [`Error::Remote`](crate::Error::Remote) with its traceback. Arguments and attributes
/// are plain values: what can't be copied crosses as its `repr`.
#[derive(Clone, PartialEq)]
pub struct Exception(Box<Parts>);

#[derive(Clone, Debug, PartialEq)]
struct Parts {
    module: Str,
    class: Str,
    args: Vec<Value>,
    attrs: Vec<(Str, Value)>,
    traceback: Option<Str>,
    // It came from a peer, and the traceback is the peer's.
    remote: bool,
    // The type that stands for its class, by the config of the connection that it came over.
    known_as: Option<TypeId>,
}

/// Makes a constructor for each of these builtin exception classes.
macro_rules! builtin {
    ($($(#[$meta:meta])* $name:ident => $class:literal;)*) => {
        $(
            $(#[$meta])*
            pub fn $name(message: impl Into<Value>) -> Exception {
                Exception::builtin($class).with_arg(message)
            }
        )*
    };
}

impl Exception {
    /// An exception of the class `module.class`, without arguments; `::` in the module's path is taken
    /// for a dot.
    pub fn new(module: impl Into<Str>, class: impl Into<Str>) -> Exception {
        Exception(Box::new(Parts {
            module: module.into().dotted(),
            class: class.into(),
            args: Vec::new(),
            attrs: Vec::new(),
            traceback: None,
            remote: false,
            known_as: None,
        }))
    }

    /// An exception of one of Python's builtin classes, without arguments.
    pub fn builtin(class: &'static str) -> Exception {
        Exception::new(Str::from_static("builtins"), Str::from_static(class))
    }

    builtin! {
        /// An AttributeError: no such attribute, or no access to it.
        attribute_error => "AttributeError";
        /// An EOFError: the connection is closed.
        eof_error => "EOFError";
        /// An ImportError: no such module.
        import_error => "ImportError";
        /// A KeyError, whose argument is the key.
        key_error => "KeyError";
        /// A MemoryError: a limit on memory was reached.
        memory_error => "MemoryError";
        /// A RecursionError: calls are nested too deep.
        recursion_error => "RecursionError";
        /// A RuntimeError: what fits nowhere else.
        runtime_error => "RuntimeError";
        /// A TimeoutError: an answer didn't come in time.
        timeout_error => "TimeoutError";
        /// A TypeError: wrong kind or number of arguments, or no such operation.
        type_error => "TypeError";
        /// A ValueError: right kind of argument, wrong value.
        value_error => "ValueError";
    }

    /// A StopIteration: the iterator is at its end.
    pub fn stop_iteration() -> Exception {
        Exception::builtin("StopIteration")
    }

    /// Adds an argument; one that is nested too deep to be sent is replaced by a text that says so.
    #[must_use]
    pub fn with_arg(mut self, arg: impl Into<Value>) -> Exception {
        self.0.args.push(arg.into().or_if_deep(TOO_DEEP));
        self
    }

    /// Adds a public attribute, as [`with_arg`](Exception::with_arg) does.
    #[must_use]
    pub fn with_attr(mut self, name: impl Into<Str>, value: impl Into<Value>) -> Exception {
        let value = value.into().or_if_deep(TOO_DEEP);
        self.0.attrs.push((name.into(), value));
        self
    }

    /// Sets the text of the traceback, from its header line to the exception's own line.
    #[must_use]
    pub fn with_traceback(mut self, traceback: impl Into<Str>) -> Exception {
        self.0.traceback = Some(traceback.into());
        self
    }

    /// Adds where it was raised, unless it has a traceback of this side's already.
    ///
    /// What a peer raised keeps the peer's traceback, behind a line that counts the hops.
    pub(crate) fn located(mut self, file: &str, line: u32, function: &str) -> Exception {
        let frame = format!("  File \"{file}\", line {line}, in {function}\n");
        let text = match &self.0.traceback {
            Some(text) if self.0.remote => self.behind_hop(text, &frame),
            Some(text) if !text.contains(HEADER) => {
                // Causes stand before the exception's own line.
                let own = format!("{self}\n");
                let causes = text.strip_suffix(&*own).unwrap_or(text);
                Str::from(format!("{causes}{HEADER}{frame}{own}"))
            }
            Some(_) => return self,
            None => Str::from(format!("{HEADER}{frame}{self}\n")),
        };
        self.0.traceback = Some(text);
        self.0.remote = false;
        self
    }

    /// The traceback of this side, and behind it the peer's.
    fn behind_hop(&self, remote: &str, frame: &str) -> Str {
        let hop = remote.matches(HOP).count() + 1;
        let header = if frame.is_empty() { "" } else { HEADER };
        Str::from(format!(
            "{header}{frame}{self}{HOP}({hop}) =========\n{remote}"
        ))
    }

    /// The module that defines the class: `builtins` for Python's own.
    pub fn module(&self) -> &Str {
        &self.0.module
    }

    /// The name of the class, without its module.
    pub fn class(&self) -> &Str {
        &self.0.class
    }

    /// The arguments, in order.
    pub fn args(&self) -> &[Value] {
        &self.0.args
    }

    /// The public attributes.
    pub fn attrs(&self) -> &[(Str, Value)] {
        &self.0.attrs
    }

    /// The attribute `name`.
    pub fn attr(&self, name: &str) -> Option<&Value> {
        let found = self.0.attrs.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| value)
    }

    /// The traceback, where there is one. Of a remote exception it is the peer's text, and the
    /// texts of the hops behind it.
    pub fn traceback(&self) -> Option<&Str> {
        self.0.traceback.as_ref()
    }

    /// Whether it is of the builtin class `class`, exactly.
    pub fn is(&self, class: &str) -> bool {
        &*self.0.class == class && matches!(&*self.0.module, "builtins" | "exceptions")
    }

    /// The Rust type that stands for its class, made of it.
    ///
    /// `None` where it isn't of that class, where the connection that it came over doesn't know the
    /// type (`known_exceptions`) or its config has `instantiate_custom_exceptions` off, and where the
    /// type doesn't take what came.
    pub fn downcast<T: PythonException>(&self) -> Option<T> {
        let is_known = self.0.known_as == Some(TypeId::of::<T>());
        is_known.then(|| T::from_exception(self)).flatten()
    }

    /// The message, as Python's `str()` of the exception gives it: its arguments, for an OSError with
    /// the number and the file, for a SyntaxError with file and line.
    pub fn message(&self) -> String {
        if let Some(text) = text::of_attributes(self) {
            return text;
        }
        match self.args() {
            [] => String::new(),
            [Value::Str(text)] if !self.is("KeyError") => text.to_string(),
            [one] => one.to_string(),
            several => Value::Tuple(several.to_vec()).to_string(),
        }
    }

    /// As it goes over the wire; `version` is what the peer is told of ours.
    pub(crate) fn dump(&self, with_traceback: bool, version: &str) -> DumpedException {
        if self.is("StopIteration") {
            return DumpedException::StopIteration;
        }
        let parts = &*self.0;
        let traceback = match &parts.traceback {
            _ if !with_traceback => Str::from_static("<traceback denied>"),
            Some(text) if parts.remote => self.behind_hop(text, ""),
            Some(text) => text.clone(),
            None => Str::from(format!("{self}\n")),
        };
        let mut attrs = parts.attrs.clone();
        attrs.retain(|(name, _)| &**name != "_remote_version");
        attrs.push((Str::from_static("_remote_version"), Value::from(version)));
        DumpedException::Named(Box::new(NamedException {
            module: parts.module.clone(),
            class: parts.class.clone(),
            args: parts.args.clone(),
            attrs,
            traceback,
        }))
    }

    /// About how many bytes of memory it holds, besides itself.
    pub(crate) fn heap_size(&self) -> usize {
        let parts = &*self.0;
        let texts = [
            Some(&parts.module),
            Some(&parts.class),
            parts.traceback.as_ref(),
        ];
        let texts = texts.into_iter().flatten().map(Str::heap_size);
        heap_size::allocation(size_of::<Parts>())
            + heap_size::items(&parts.args, Value::heap_size)
            + heap_size::items(&parts.attrs, |(name, value)| {
                name.heap_size() + value.heap_size()
            })
            + texts.sum::<usize>()
    }

    /// From what the peer sent.
    pub(crate) fn load(dumped: DumpedException) -> Exception {
        match dumped {
            DumpedException::StopIteration => Exception::stop_iteration(),
            DumpedException::Text(text) => {
                Exception::new("exceptions", "Exception").with_arg(Value::Str(text))
            }
            DumpedException::Named(named) => Exception(Box::new(Parts {
                module: named.module,
                class: named.class,
                args: named.args,
                attrs: named.attrs,
                traceback: Some(named.traceback),
                remote: true,
                known_as: None,
            })),
        }
    }

    /// Remembers the Rust type that stands for its class, if the config has one.
    pub(crate) fn known_by(mut self, known: &KnownExceptions) -> Exception {
        self.0.known_as = known.find(&self.0.module, &self.0.class);
        self
    }
}

/// What begins a traceback in Python.
const HEADER: &str = "Traceback (most recent call last):\n";
/// What stands between the tracebacks of two sides: Python peers count these lines.
const HOP: &str = "\n\n========= Remote Traceback ";

impl fmt::Debug for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One line, as the last line of a Python traceback: `ValueError: no such port`.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(&**self.module(), "builtins" | "exceptions") {
            write!(f, "{}.", self.module())?;
        }
        write!(f, "{}", self.class())?;
        match self.message() {
            message if message.is_empty() => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

impl std::error::Error for Exception {}

/// Stands for an argument that is nested too deep: printing, copying and dropping it would overflow the stack.
const TOO_DEEP: &str = "<nested too deep to be sent>";
