//! [`restricted`]: an object of which a peer reaches some attributes and nothing else.

use std::collections::HashSet;
use std::sync::Arc;

use super::{
    Access, Any, Args, Context, IdParts, MethodInfo, Object, ObjectRef, ObjectResult, is_not,
};
use crate::exception::Exception;
use crate::wire::Str;

/// An object that shows these attributes of another one, and nothing else of it.
///
/// `attrs` can be read and called, `wattrs` can be set, whatever the connection's config says
/// about them: naming them is permission enough. Operators work if their methods are named.
pub fn restricted(object: ObjectRef, attrs: &[&str], wattrs: &[&str]) -> ObjectRef {
    let set = |names: &[&str]| names.iter().map(|name| Str::from(*name)).collect();
    Arc::new(Restricted {
        object,
        readable: set(attrs),
        writable: set(wattrs),
    })
}

struct Restricted {
    object: ObjectRef,
    readable: HashSet<Str>,
    writable: HashSet<Str>,
}

fn refusal(name: &str) -> Exception {
    Exception::attribute_error(format!(
        "cannot access '{name}': the object is restricted by the side that owns it"
    ))
}

impl Object for Restricted {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.utils.helpers.Restricted", self)
    }

    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        if !self.readable.contains(name) {
            return Err(refusal(name));
        }
        let decided = self.object.access_override(cx, Access::Get, name, None);
        decided.unwrap_or_else(|| self.object.attr(cx, name))
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        self.readable.contains(name)
    }

    fn set_attr(&self, cx: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        if !self.writable.contains(name) {
            return Err(refusal(name));
        }
        let object = &self.object;
        let decided = object.access_override(cx, Access::Set, name, Some(&value));
        decided.map_or_else(
            || object.set_attr(cx, name, value),
            |decided| decided.map(drop),
        )
    }

    fn del_attr(&self, _: &Context<'_>, name: &str) -> ObjectResult<()> {
        Err(refusal(name))
    }

    fn access_override(
        &self,
        cx: &Context<'_>,
        access: Access,
        name: &str,
        value: Option<&Any>,
    ) -> Option<ObjectResult> {
        Some(match (access, value) {
            (Access::Get, _) => self.attr(cx, name),
            (Access::Set, Some(value)) => {
                self.set_attr(cx, name, value.clone()).map(|()| Any::NONE)
            }
            (Access::Set, None) | (Access::Del, _) => Err(refusal(name)),
        })
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        if self.readable.contains("__call__") {
            return self.object.call(cx, args);
        }
        Err(is_not("Restricted", "callable"))
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        let mut names: Vec<Str> = self.readable.iter().cloned().collect();
        names.sort();
        Ok(names)
    }

    fn methods(&self, cx: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        let all = self.object.methods(cx)?;
        let named = all.iter().filter(|(name, _)| self.readable.contains(name));
        Ok(named.cloned().collect())
    }

    fn next(&self, cx: &Context<'_>) -> ObjectResult<Option<Any>> {
        if self.readable.contains("__next__") {
            return self.object.next(cx);
        }
        Err(is_not("Restricted", "an iterator"))
    }

    fn exit(&self, cx: &Context<'_>, exc: Any) -> ObjectResult {
        if self.readable.contains("__exit__") {
            return self.object.exit(cx, exc);
        }
        Err(refusal("__exit__"))
    }
}
