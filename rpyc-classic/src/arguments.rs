//! Functions of Rust objects, as Python sees them: methods with named parameters.

use std::sync::{Arc, Weak};

use rpyc_core::Exception;
use rpyc_core::object::{Any, Args, Context, IdParts, MethodInfo, Object, ObjectResult};
use rpyc_core::wire::Str;

/// What a method does with its owner and the values of its parameters; what wasn't given is None.
pub(crate) type Body<T> = fn(&T, &Context<'_>, Vec<Option<Any>>) -> ObjectResult;

/// A method: its name, its parameters, how many of them must be given, and what it does.
///
/// A parameter with an asterisk before its name takes all further positional arguments: they follow
/// the values of the others. Parameters behind it are given by keyword.
pub(crate) struct MethodDef<T: 'static> {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) required: usize,
    pub(crate) body: Body<T>,
}

/// A method bound to its owner: a callable of its own that peers may keep.
pub(crate) struct BoundMethod<T: 'static> {
    owner: Arc<T>,
    def: &'static MethodDef<T>,
}

impl<T: Send + Sync + 'static> MethodDef<T> {
    /// The method of that name, bound to its owner.
    pub(crate) fn bound(defs: &'static [MethodDef<T>], owner: &Weak<T>, name: &str) -> Option<Any> {
        let def = defs.iter().find(|def| def.name == name)?;
        let owner = owner.upgrade()?;
        Some(Any::object(BoundMethod { owner, def }))
    }
}

/// A method, by the parts of its [`MethodDef`].
pub(crate) const fn method<T>(
    name: &'static str,
    parameters: &'static [&'static str],
    required: usize,
    body: Body<T>,
) -> MethodDef<T> {
    MethodDef {
        name,
        parameters,
        required,
        body,
    }
}

impl<T: Send + Sync + 'static> BoundMethod<T> {
    fn bind(&self, args: Args) -> Result<Vec<Option<Any>>, Exception> {
        let MethodDef {
            name,
            parameters,
            required,
            ..
        } = *self.def;
        let given = args.positional.len();
        let star = parameters.iter().position(|name| name.starts_with('*'));
        let (named, by_keyword) = match star {
            Some(star) => (&parameters[..star], &parameters[star + 1..]),
            None => (parameters, &parameters[..0]),
        };
        if given > named.len() && star.is_none() {
            return Err(Exception::type_error(format!(
                "{name}() takes {} arguments but {given} were given",
                named.len()
            )));
        }
        let mut positional = args.positional.into_iter().map(Some);
        let mut bound: Vec<Option<Any>> = positional.by_ref().take(named.len()).collect();
        bound.resize_with(named.len() + by_keyword.len(), || None);
        bound.extend(positional);
        for (keyword, value) in args.keyword {
            let mut places = named.iter().chain(by_keyword);
            let Some(place) = places.position(|known| **known == *keyword) else {
                return Err(Exception::type_error(format!(
                    "{name}() got an unexpected keyword argument '{keyword}'"
                )));
            };
            if bound[place].replace(value).is_some() {
                return Err(Exception::type_error(format!(
                    "{name}() got multiple values for argument '{keyword}'"
                )));
            }
        }
        match bound.iter().take(required).position(Option::is_none) {
            None => Ok(bound),
            Some(missing) => Err(Exception::type_error(format!(
                "{name}() missing 1 required positional argument: '{}'",
                parameters[missing]
            ))),
        }
    }
}

impl<T: Send + Sync + 'static> Object for BoundMethod<T> {
    fn id_parts(&self) -> IdParts {
        // Peers know by this name that it can be called.
        IdParts::instance("builtins.method", self)
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        match name {
            "__name__" | "__qualname__" => Ok(Any::from(self.def.name)),
            "__doc__" => Ok(Any::NONE),
            _ => Err(self.no_attribute(name)),
        }
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        (self.def.body)(&self.owner, cx, self.bind(args)?)
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        match name {
            "__call__" => self.call(cx, args),
            _ => Err(self.no_attribute(name)),
        }
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        Ok(Str::from(format!("<bound method {}>", self.def.name)))
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(Arc::new([(Str::from_static("__call__"), None)]))
    }
}
