//! `conn.modules`: the peer's modules, by attribute or in brackets.

use std::sync::Arc;

use rpyc_core::Exception;
use rpyc_core::object::{Any, Args, Context, IdParts, MethodInfo, Object, ObjectResult};

use super::{Keeper, names};

/// Importing at the peer.
pub(super) struct Modules {
    pub(super) getmodule: Any,
    /// What keeps the connection open, where Python code has made it.
    pub(super) _keeper: Option<Arc<Keeper>>,
}

impl Modules {
    fn module(&self, cx: &Context<'_>, name: Any) -> ObjectResult {
        self.getmodule.call_in(cx, Args::from(vec![name]))
    }
}

impl Object for Modules {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.core.service.ModuleNamespace", self)
    }

    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        if name.starts_with("__") {
            return Err(self.no_attribute(name));
        }
        self.module(cx, Any::from(name)).map_err(|exception| {
            if is_import_error(&exception) {
                return Exception::attribute_error(name);
            }
            exception
        })
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        let argument = args.positional.into_iter().next();
        match (name, argument) {
            ("__getitem__", Some(module)) => self.module(cx, module),
            ("__contains__", Some(module)) => match self.module(cx, module) {
                Ok(_) => Ok(Any::from(true)),
                Err(missing) if is_import_error(&missing) => Ok(Any::from(false)),
                Err(other) => Err(other),
            },
            _ => Err(self.no_attribute(name)),
        }
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(names(&["__contains__", "__getitem__"]))
    }
}

pub(crate) fn is_import_error(exception: &Exception) -> bool {
    exception.is("ImportError") || exception.is("ModuleNotFoundError")
}
