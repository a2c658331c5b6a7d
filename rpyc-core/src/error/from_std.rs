//! The Python exceptions that Rust's own errors stand for.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::Error;
use crate::exception::Exception;

impl Exception {
    /// The OSError of an operation on a file: `FileNotFoundError` and the like, with `errno`,
    /// `strerror` and `filename`.
    pub fn from_io(error: &io::Error, file: impl AsRef<Path>) -> Exception {
        of_io(error, None).with_attr("filename", file.as_ref().display().to_string())
    }

    /// The exception of this builtin class for any error, its causes in the traceback.
    pub fn from_error(class: &'static str, error: &(dyn StdError + 'static)) -> Exception {
        let exception = Exception::builtin(class).with_arg(error.to_string());
        let mut causes = String::new();
        let mut next = error.source();
        while let Some(cause) = next {
            let _ = write!(causes, "Caused by: {cause}\n\n");
            next = cause.source();
        }
        if causes.is_empty() {
            return exception;
        }
        let text = format!("{causes}{exception}\n");
        exception.with_traceback(text)
    }
}

/// The OSError of a system's error; `doing` says what failed.
pub(super) fn of_io(error: &io::Error, doing: Option<&str>) -> Exception {
    // An exception that came through a trait of `io`.
    if let Some(inner) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Exception>())
    {
        return inner.clone();
    }
    let told = |text: &str| match doing {
        Some(doing) => format!("{doing}: {text}"),
        None => text.to_owned(),
    };
    let text = error.to_string();
    let Some(errno) = error.raw_os_error() else {
        return Exception::builtin(class_of(error.kind())).with_arg(told(&text));
    };
    let strerror = told(text.split(" (os error ").next().unwrap_or(&text));
    Exception::builtin(class_of(error.kind()))
        .with_arg(i64::from(errno))
        .with_arg(strerror.clone())
        .with_attr("errno", i64::from(errno))
        .with_attr("strerror", strerror)
}

/// The subclass of OSError that Python raises, or another builtin where the error isn't the system's.
fn class_of(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind as Kind;
    match kind {
        Kind::AlreadyExists => "FileExistsError",
        Kind::BrokenPipe => "BrokenPipeError",
        Kind::ConnectionAborted => "ConnectionAbortedError",
        Kind::ConnectionRefused => "ConnectionRefusedError",
        Kind::ConnectionReset => "ConnectionResetError",
        Kind::Interrupted => "InterruptedError",
        Kind::InvalidData => "ValueError",
        Kind::IsADirectory => "IsADirectoryError",
        Kind::NotADirectory => "NotADirectoryError",
        Kind::NotFound => "FileNotFoundError",
        Kind::OutOfMemory => "MemoryError",
        Kind::PermissionDenied => "PermissionError",
        Kind::TimedOut => "TimeoutError",
        Kind::UnexpectedEof => "EOFError",
        Kind::Unsupported => "NotImplementedError",
        Kind::WouldBlock => "BlockingIOError",
        _ => "OSError",
    }
}

impl From<io::Error> for Exception {
    fn from(error: io::Error) -> Exception {
        of_io(&error, None)
    }
}

macro_rules! errors {
    ($($class:literal: $($error:ty)*;)*) => {
        $($(
            impl From<$error> for Exception {
                fn from(error: $error) -> Exception {
                    Exception::from_error($class, &error)
                }
            }
        )*)*

        /// The exception for an error behind a trait object.
        fn of_known(error: &(dyn StdError + 'static)) -> Option<Exception> {
            if let Some(exception) = error.downcast_ref::<Exception>() {
                return Some(exception.clone());
            }
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return Some(of_io(error, None));
            }
            if let Some(error) = error.downcast_ref::<Error>() {
                return Some(error.clone().into_exception());
            }
            $($(
                if let Some(error) = error.downcast_ref::<$error>() {
                    return Some(Exception::from_error($class, error));
                }
            )*)*
            None
        }
    };
}

errors! {
    "ValueError":
        std::num::ParseIntError
        std::num::ParseFloatError
        std::str::ParseBoolError
        std::char::ParseCharError
        std::char::CharTryFromError
        std::net::AddrParseError
        std::ffi::NulError
        std::array::TryFromSliceError
        std::time::SystemTimeError;
    "OverflowError": std::num::TryFromIntError;
    "KeyError": std::env::VarError;
    "RuntimeError":
        std::fmt::Error
        std::sync::mpsc::RecvError
        std::cell::BorrowError
        std::cell::BorrowMutError;
    "UnicodeError": std::str::Utf8Error std::string::FromUtf8Error std::string::FromUtf16Error;
    "TimeoutError": std::sync::mpsc::RecvTimeoutError;
}

macro_rules! boxed {
    ($($kind:ty)*) => {
        $(
            impl From<Box<$kind>> for Exception {
                fn from(error: Box<$kind>) -> Exception {
                    let known = of_known(&*error);
                    known.unwrap_or_else(|| Exception::from_error("RuntimeError", &*error))
                }
            }
        )*
    };
}

boxed! { dyn StdError dyn StdError + Send dyn StdError + Send + Sync }

/// A text is a RuntimeError.
impl From<String> for Exception {
    fn from(text: String) -> Exception {
        Exception::runtime_error(text)
    }
}

/// A text is a RuntimeError.
impl From<&str> for Exception {
    fn from(text: &str) -> Exception {
        Exception::runtime_error(text)
    }
}

impl From<std::convert::Infallible> for Exception {
    fn from(never: std::convert::Infallible) -> Exception {
        match never {}
    }
}
