//! [`ConversionError`]: why something isn't of the Rust type that was asked for.

use std::fmt;

use super::Exception;

/// Why something that crossed the API isn't of the Rust type that was asked for.
// Boxed, because every outcome of a call has room for it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", Exception::from(self.clone()))]
pub struct ConversionError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    // "item 3 " and the like, outermost first.
    place: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    // The class of the exception, and what it says of its subject.
    Unfit(&'static str, String),
    Raised(Exception),
}

impl ConversionError {
    /// It is of the type `found` and not of `expected`, both by their Python names; see
    /// [`Any::type_name`](crate::Any::type_name).
    pub fn mismatch(expected: impl fmt::Display, found: impl AsRef<str>) -> ConversionError {
        let found = found.as_ref();
        let found = found.strip_prefix("builtins.").unwrap_or(found);
        ConversionError::unfit("TypeError", format!(" must be {expected}, not {found}"))
    }

    /// The number doesn't fit `target`, which is the name of a Rust type.
    pub fn overflow(target: &'static str) -> ConversionError {
        ConversionError::unfit("OverflowError", format!(" is out of range for {target}"))
    }

    /// It has the right type, but not this property: the text that follows "must".
    pub fn invalid(must: impl fmt::Display) -> ConversionError {
        ConversionError::unfit("ValueError", format!(" must {must}"))
    }

    /// It doesn't fit for this reason.
    pub fn other(reason: impl fmt::Display) -> ConversionError {
        ConversionError::unfit("TypeError", format!(": {reason}"))
    }

    /// Fetching it from the peer raised this.
    pub fn raised(exception: impl Into<Exception>) -> ConversionError {
        ConversionError::of(Kind::Raised(exception.into()))
    }

    /// Says that the fault lies in an item of a container.
    #[must_use]
    pub fn of_item(mut self, index: impl fmt::Display) -> ConversionError {
        self.0.place = match &*self.0.place {
            "" => format!("item {index}"),
            inner => format!("item {index}, {inner}"),
        };
        self
    }

    /// The exception for the argument `argument` of `function`: a TypeError, OverflowError or
    /// ValueError in Python's words, or what fetching raised.
    pub fn for_argument(self, function: &str, argument: &str) -> Exception {
        let subject = match &*self.0.place {
            "" => format!("{function}() argument '{argument}'"),
            place => format!("{function}() argument '{argument}': {place}"),
        };
        self.into_exception(&subject)
    }

    fn unfit(class: &'static str, what: String) -> ConversionError {
        ConversionError::of(Kind::Unfit(class, what))
    }

    fn of(kind: Kind) -> ConversionError {
        ConversionError(Box::new(Inner {
            place: String::new(),
            kind,
        }))
    }

    fn into_exception(self, subject: &str) -> Exception {
        match self.0.kind {
            Kind::Unfit(class, what) => {
                Exception::builtin(class).with_arg(format!("{subject}{what}"))
            }
            Kind::Raised(exception) => exception,
        }
    }
}

impl From<ConversionError> for Exception {
    fn from(error: ConversionError) -> Exception {
        let subject = match &*error.0.place {
            "" => "the value".to_owned(),
            place => place.to_owned(),
        };
        error.into_exception(&subject)
    }
}
