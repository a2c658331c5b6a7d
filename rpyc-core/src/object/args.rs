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

/// Builds [`Args`]: `args![1, "two", key = 3]`, positional arguments first.
///
/// An argument is whatever [`IntoAny`](crate::object::IntoAny) takes, as for results. A closure whose
/// parameters have types is a function that the peer can call ([`callback`](crate::object::callback)):
///
/// ```
/// use rpyc_core::args;
/// let args = args![vec![1, 2], progress = |done: u32, total: u32| println!("{done}/{total}")];
/// ```
///
/// A raw identifier names the argument without its prefix: `r#type = "x"` is Python's `type="x"`.
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
    (@add $args:expr, $name:ident = || $body:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.kwarg(stringify!($name), $crate::object::callback(|| $body)) $(, $($rest)*)?)
    };
    (@add $args:expr, $name:ident = move || $body:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.kwarg(stringify!($name), $crate::object::callback(move || $body)) $(, $($rest)*)?)
    };
    (@add $args:expr, || $body:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.arg($crate::object::callback(|| $body)) $(, $($rest)*)?)
    };
    (@add $args:expr, move || $body:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.arg($crate::object::callback(move || $body)) $(, $($rest)*)?)
    };
    (@add $args:expr, $name:ident = |$($param:ident : $kind:ty),* $(,)?| $body:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.kwarg(
            stringify!($name), $crate::object::callback(|$($param: $kind),*| $body)) $(, $($rest)*)?)
    };
    (@add $args:expr, $name:ident = move |$($param:ident : $kind:ty),* $(,)?| $body:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.kwarg(
            stringify!($name), $crate::object::callback(move |$($param: $kind),*| $body)) $(, $($rest)*)?)
    };
    (@add $args:expr, |$($param:ident : $kind:ty),* $(,)?| $body:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.arg(
            $crate::object::callback(|$($param: $kind),*| $body)) $(, $($rest)*)?)
    };
    (@add $args:expr, move |$($param:ident : $kind:ty),* $(,)?| $body:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.arg(
            $crate::object::callback(move |$($param: $kind),*| $body)) $(, $($rest)*)?)
    };
    (@add $args:expr, $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.kwarg(stringify!($name), $value) $(, $($rest)*)?)
    };
    (@add $args:expr, $value:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.arg($value) $(, $($rest)*)?)
    };
    ($($rest:tt)*) => { $crate::args!(@add $crate::object::Args::new(), $($rest)*) };
}
