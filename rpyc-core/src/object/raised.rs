//! [`Raised`]: an exception as an object.

use super::{Any, Context, IdParts, Object, ObjectResult};
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
}

impl Object for Raised {
    fn id_parts(&self) -> IdParts {
        let name = format!("{}.{}", self.0.module(), self.0.class());
        IdParts {
            class: super::Identity::of_class(&name),
            name: Str::from(name),
            instance: Some(super::Identity::of(self)),
        }
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        match name {
            "args" => Ok(Any::from(Value::Tuple(self.0.args().to_vec()))),
            _ => match self.0.attr(name) {
                Some(value) => Ok(Any::Value(value.clone())),
                None => Err(self.no_attribute(name)),
            },
        }
    }

    fn access_override(
        &self,
        cx: &Context<'_>,
        access: super::Access,
        name: &str,
        _: Option<&Any>,
    ) -> Option<ObjectResult> {
        // The peer may read what the exception would have carried by value.
        let known = name == "args" || self.0.attr(name).is_some();
        (access == super::Access::Get && known).then(|| self.attr(cx, name))
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        let args = Value::Tuple(self.0.args().to_vec());
        Ok(Str::from(format!("{}{args}", self.0.class())))
    }

    fn str(&self, _: &Context<'_>) -> ObjectResult<Str> {
        Ok(Str::from(self.0.message()))
    }
}
