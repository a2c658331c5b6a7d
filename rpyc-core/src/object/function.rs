//! [`Function`]: a Rust closure as a Python function or method.

use std::fmt;
use std::sync::Arc;

use super::identity::python_hash;
use super::{
    Any, Args, Context, IdParts, Identity, IntoAny, MethodInfo, Object, ObjectRef, ObjectResult,
    compared,
};
use crate::wire::Str;

/// A Rust closure as a Python function, to be handed to a peer as a callback or as a result.
///
/// ```
/// use rpyc_core::object::{Any, Function, Signature};
///
/// let signature = Signature::function("double").required("x");
/// let double = Function::new("double", move |_cx, args| {
///     let mut args = signature.bind(args)?;
///     let x: i64 = args.required(0)?;
///     Ok(Any::from(2 * x))
/// });
/// let argument = Any::object(double);
/// ```
pub struct Function {
    qualified: Str,
    module: Str,
    doc: Option<Str>,
    receiver: Option<ObjectRef>,
    call: Call,
}

type Call = Arc<dyn Fn(&Context<'_>, Args) -> ObjectResult + Send + Sync>;

impl Function {
    /// A function of this name that does this.
    pub fn new(
        name: &str,
        call: impl Fn(&Context<'_>, Args) -> ObjectResult + Send + Sync + 'static,
    ) -> Function {
        Function {
            qualified: Str::from(name),
            module: Str::from_static("builtins"),
            doc: None,
            receiver: None,
            call: Arc::new(call),
        }
    }

    /// Sets the docstring.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Function {
        self.doc = Some(Str::from(doc));
        self
    }

    /// Sets the module that it says it is from; `::` in its path is taken for a dot.
    #[must_use]
    pub fn of_module(mut self, module: &str) -> Function {
        self.module = Str::from(module).dotted();
        self
    }

    /// Makes it a method of this object.
    pub(crate) fn bound_to(mut self, receiver: ObjectRef) -> Function {
        self.receiver = Some(receiver);
        self
    }

    fn name(&self) -> &str {
        self.qualified.rsplit('.').next().unwrap_or_default()
    }

    /// What tells it from other functions: for a method its name and its object.
    fn identity(&self) -> (Option<&Str>, Option<Identity>) {
        match &self.receiver {
            Some(receiver) => (Some(&self.qualified), receiver.id_parts().instance),
            None => (None, Some(Identity::of(&*self.call))),
        }
    }
}

impl Object for Function {
    fn id_parts(&self) -> IdParts {
        // A Python peer has ready-made proxies for these two, which it can call.
        let name = match self.receiver {
            Some(_) => "builtins.method",
            None => "builtins.function",
        };
        IdParts::instance(name, self)
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        match name {
            "__doc__" => self.doc.clone().into_any(),
            "__name__" => Ok(Any::from(self.name())),
            "__qualname__" => Ok(Any::from(self.qualified.clone())),
            "__module__" => Ok(Any::from(self.module.clone())),
            "__self__" => match &self.receiver {
                Some(receiver) => Ok(Any::Local(receiver.clone())),
                None => Err(self.no_attribute(name)),
            },
            _ => Err(self.no_attribute(name)),
        }
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        (self.call)(cx, args)
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        match name {
            "__call__" => self.call(cx, args),
            _ => self.attr(cx, name)?.call_in(cx, args),
        }
    }

    fn repr(&self, cx: &Context<'_>) -> ObjectResult<Str> {
        Ok(Str::from(match &self.receiver {
            Some(receiver) => {
                let of = receiver.repr(cx)?;
                format!("<bound method {} of {of}>", self.qualified)
            }
            None => format!("<function {}>", self.qualified),
        }))
    }

    fn hash(&self, _: &Context<'_>) -> ObjectResult<i64> {
        Ok(python_hash(&self.identity()))
    }

    fn compare(&self, _: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        let other: Option<&Function> = other.as_object();
        let is_same = other.is_some_and(|other| other.identity() == self.identity());
        Ok(compared(op, is_same))
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        let of_all = "__call__ __doc__ __module__ __name__ __qualname__".split(' ');
        let of_methods = self.receiver.is_some().then_some("__self__");
        Ok(of_all.chain(of_methods).map(Str::from_static).collect())
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(Arc::new([(Str::from_static("__call__"), None)]))
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<function {}>", self.qualified)
    }
}
