//! Rust types that stand for Python's exception classes: [`PythonException`], [`KnownExceptions`].

use std::any::TypeId;
use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::Arc;

use super::Exception;
use crate::wire::Str;

/// A Rust error that stands for one of Python's exception classes, in both directions; the
/// [derive](derive@crate::PythonException) implements it.
///
/// What a peer raises as of the class is made the type again by [`Exception::downcast`], on a connection whose
/// [`Config`](crate::Config) has it among its `known_exceptions`.
pub trait PythonException: StdError + Sized + 'static {
    /// The module that defines the class in Python.
    const MODULE: &str;
    /// The name of the class.
    const CLASS: &str;

    /// Makes one of what came; `None` where arguments or attributes aren't those of the class.
    fn from_exception(exception: &Exception) -> Option<Self>;
}

/// The exception classes that Rust types stand for, by name.
#[derive(Clone, Debug, Default)]
pub struct KnownExceptions(Arc<HashMap<String, TypeId>>);

impl KnownExceptions {
    /// From now on the type stands for its class. A type registered earlier for the same class is
    /// replaced.
    pub fn register<T: PythonException>(&mut self) {
        Arc::make_mut(&mut self.0).insert(full_name(T::MODULE, T::CLASS), TypeId::of::<T>());
    }

    /// The type that stands for the class.
    pub(super) fn find(&self, module: &str, class: &str) -> Option<TypeId> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&full_name(module, class)).copied()
    }
}

fn full_name(module: &str, class: &str) -> String {
    format!("{}.{class}", Str::from(module).dotted())
}
