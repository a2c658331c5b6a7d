//! [`ClassStandIn`]: what stands for the class of an object where the class itself isn't given out.

use std::sync::Arc;

use super::{Any, Context, IdParts, Identity, MethodInfo, Object, ObjectResult};
use crate::wire::Str;

/// A class by its name and its methods, and nothing else: it can't be called, nor does it lead to the class.
#[derive(Debug)]
pub struct ClassStandIn {
    parts: IdParts,
    methods: Arc<[MethodInfo]>,
}

impl ClassStandIn {
    /// For the class of the object that has these parts and methods.
    pub fn new(object: IdParts, methods: Arc<[MethodInfo]>) -> ClassStandIn {
        let of_classes = Str::from_static("builtins.type");
        let parts = match object.instance {
            Some(_) => IdParts {
                instance: None,
                ..object
            },
            // The class of a class.
            None => IdParts {
                class: Identity::of_class(&of_classes),
                name: of_classes,
                instance: None,
            },
        };
        ClassStandIn { parts, methods }
    }

    fn is(&self, other: &Any, instance: bool) -> bool {
        match other {
            Any::Local(other) => {
                let other = other.id_parts();
                other.class == self.parts.class && other.instance.is_some() == instance
            }
            _ => false,
        }
    }
}

impl Object for ClassStandIn {
    fn id_parts(&self) -> IdParts {
        self.parts.clone()
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        Ok(Str::from(format!("<class '{}'>", self.parts.name)))
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(self.methods.clone())
    }

    fn is_true(&self, _: &Context<'_>) -> ObjectResult<bool> {
        // The methods are those of its instances.
        Ok(true)
    }

    fn is_instance(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        Ok(self.is(other, true))
    }

    fn is_subclass(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        Ok(self.is(other, false))
    }
}
