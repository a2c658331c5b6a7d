//! [`Raised`]: an exception as an object.

use super::{Access, Any, Context, IdParts, Identity, Object, ObjectResult};
use crate::exception::Exception;
use crate::wire::{Str, Value};

/// An exception as an object: what `__exit__` is given where no object of the peer's stands for it.
#[derive(Debug)]
pub struct Raised(Exception);

impl Raised {
    /// The exception as an object.
    pub fn new(exception: Exception) -> Raised {
        Raised(exception)
    }

    /// The exception that this is, if it is one as an object.
    pub fn of(any: &Any) -> Option<&Exception> {
        any.as_object().map(|Raised(exception)| exception)
    }

    fn value(&self, name: &str) -> Option<Any> {
        match name {
            "args" => Some(Any::Value(Value::Tuple(self.0.args().to_vec()))),
            _ => self.0.attr(name).cloned().map(Any::Value),
        }
    }
}

impl Object for Raised {
    fn id_parts(&self) -> IdParts {
        let name = format!("{}.{}", self.0.module(), self.0.class());
        IdParts {
            class: Identity::of_class(&name),
            name: Str::from(name),
            instance: Some(Identity::of(self)),
        }
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.value(name).ok_or_else(|| self.no_attribute(name))
    }

    fn access_override(
        &self,
        _: &Context<'_>,
        access: Access,
        name: &str,
        _: Option<&Any>,
    ) -> Option<ObjectResult> {
        // The peer may read what the exception would have carried by value.
        self.value(name).filter(|_| access == Access::Get).map(Ok)
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        let args = Value::Tuple(self.0.args().to_vec());
        Ok(Str::from(format!("{}{args}", self.0.class())))
    }

    fn str(&self, _: &Context<'_>) -> ObjectResult<Str> {
        Ok(Str::from(self.0.message()))
    }
}
