//! The arguments of a call.

use super::Any;
use crate::wire::Str;

/// Positional and keyword arguments of a call; [`args!`](crate::args) builds them.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// The positional arguments, in order.
    pub positional: Vec<Any>,
    /// The keyword arguments, in the caller's order; no name stands twice.
    pub keyword: Vec<(Str, Any)>,
}

impl Args {
    /// No arguments.
    pub fn new() -> Args {
        Args::default()
    }

    /// Adds a positional argument.
    #[must_use]
    pub fn arg(mut self, value: impl Into<Any>) -> Args {
        self.positional.push(value.into());
        self
    }

    /// Adds a keyword argument; a later one of the same name replaces the earlier.
    #[must_use]
    pub fn kwarg(mut self, name: &str, value: impl Into<Any>) -> Args {
        self.keyword.retain(|(known, _)| **known != *name);
        self.keyword.push((Str::from(name), value.into()));
        self
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
            keyword: Vec::new(),
        }
    }
}

/// Builds [`Args`]: `args![1, "two", key = 3]`, positional arguments first.
///
/// ```
/// use rpyc_core::args;
/// let args = args![1, "two", depth = 3];
/// assert_eq!(args.positional.len(), 2);
/// assert_eq!(&*args.keyword[0].0, "depth");
/// ```
#[macro_export]
macro_rules! args {
    (@add $args:expr $(,)?) => { $args };
    (@add $args:expr, $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.kwarg(stringify!($name), $value) $(, $($rest)*)?)
    };
    (@add $args:expr, $value:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.arg($value) $(, $($rest)*)?)
    };
    ($($rest:tt)*) => { $crate::args!(@add $crate::object::Args::new(), $($rest)*) };
}
