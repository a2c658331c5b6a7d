//! The arguments of a call.

use super::{Any, IntoAny, ObjectResult};
use crate::exception::Exception;
use crate::wire::Str;

/// Positional and keyword arguments of a call; [`args!`](crate::args) builds them.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// The positional arguments, in order.
    pub positional: Vec<Any>,
    /// The keyword arguments, in the caller's order; no name stands twice.
    pub keyword: Vec<(Str, Any)>,
    // The first argument that couldn't be converted: the call raises it.
    refused: Option<Exception>,
}

impl Args {
    /// No arguments.
    pub fn new() -> Args {
        Args::default()
    }

    /// Adds a positional argument. One that can't be converted fails the call.
    #[must_use]
    pub fn arg(mut self, value: impl IntoAny) -> Args {
        let value = self.converted(value.into_any());
        self.positional.push(value);
        self
    }

    /// Adds a keyword argument; a later one of the same name replaces the earlier.
    #[must_use]
    pub fn kwarg(mut self, name: &str, value: impl IntoAny) -> Args {
        let value = self.converted(value.into_any());
        let name = name.strip_prefix("r#").unwrap_or(name);
        self.keyword.retain(|(known, _)| **known != *name);
        self.keyword.push((Str::from(name), value));
        self
    }

    /// Adds a keyword argument, if there is one.
    #[doc(hidden)]
    #[must_use]
    pub fn kwarg_if_some(self, name: &str, value: Option<impl IntoAny>) -> Args {
        match value {
            Some(value) => self.kwarg(name, value),
            None => self,
        }
    }

    /// Adds each of the values as a positional argument: Python's `*values`.
    #[must_use]
    pub fn all_of<T: IntoAny>(self, values: impl IntoIterator<Item = T>) -> Args {
        values.into_iter().fold(self, Args::arg)
    }

    /// Adds each of the values as a keyword argument: Python's `**values`.
    #[must_use]
    pub fn all_named<K: AsRef<str>, T: IntoAny>(
        self,
        values: impl IntoIterator<Item = (K, T)>,
    ) -> Args {
        values
            .into_iter()
            .fold(self, |args, (name, value)| args.kwarg(name.as_ref(), value))
    }

    fn converted(&mut self, value: ObjectResult) -> Any {
        value.unwrap_or_else(|error| {
            self.refused.get_or_insert(error);
            Any::NONE
        })
    }

    /// The arguments, if all of them could be converted.
    pub(crate) fn checked(mut self) -> ObjectResult<Args> {
        match self.refused.take() {
            None => Ok(self),
            Some(error) => Err(error),
        }
    }

    /// Whether there are no arguments at all.
    pub fn is_empty(&self) -> bool {
        self.positional.is_empty() && self.keyword.is_empty()
    }
}

impl<const N: usize> From<[Any; N]> for Args {
    fn from(positional: [Any; N]) -> Args {
        Args::from(Vec::from(positional))
    }
}

impl From<Vec<Any>> for Args {
    fn from(positional: Vec<Any>) -> Args {
        Args {
            positional,
            ..Args::default()
        }
    }
}
