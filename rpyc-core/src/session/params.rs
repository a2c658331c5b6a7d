//! The arguments of a request, taken one by one; what doesn't fit is a TypeError.

use std::collections::HashSet;
use std::sync::Arc;
use std::vec;

use crate::exception::Exception;
use crate::object::forwarded::ForwardedObject;
use crate::object::{Any, Args, ObjectRef};
use crate::wire::{Handler, Str, Value};

pub(crate) struct Params {
    handler: Handler,
    rest: vec::IntoIter<Any>,
}

impl Params {
    pub(crate) fn new(handler: Handler, args: Vec<Any>) -> Params {
        Params {
            handler,
            rest: args.into_iter(),
        }
    }

    /// Anything.
    #[inline]
    pub(crate) fn any(&mut self, name: &str) -> Result<Any, Exception> {
        self.rest.next().ok_or_else(|| {
            Exception::type_error(format!(
                "{} is missing its argument '{name}'",
                self.handler.name()
            ))
        })
    }

    /// The object that the request is about: one of ours, or one of the peer's own.
    pub(crate) fn object(&mut self) -> Result<ObjectRef, Exception> {
        match self.any("obj")? {
            Any::Local(object) => Ok(object),
            Any::Netref(netref) => Ok(Arc::new(ForwardedObject::new(netref))),
            value => Err(self.wrong("obj", "a reference", &value)),
        }
    }

    /// The object, and nothing behind it.
    pub(crate) fn only_object(&mut self) -> Result<ObjectRef, Exception> {
        let object = self.object()?;
        self.end()?;
        Ok(object)
    }

    /// The name of an attribute: a str, or UTF-8 in bytes.
    pub(crate) fn name(&mut self) -> Result<Str, Exception> {
        let any = self.any("name")?;
        self.as_name(any)
    }

    pub(crate) fn optional_name(&mut self, default: &'static str) -> Result<Str, Exception> {
        match self.rest.next() {
            Some(any) => self.as_name(any),
            None => Ok(Str::from_static(default)),
        }
    }

    /// A plain value.
    pub(crate) fn value(&mut self, name: &str) -> Result<Value, Exception> {
        match self.any(name)? {
            Any::Value(value) => Ok(value),
            other => Err(self.wrong(name, "a plain value", &other)),
        }
    }

    /// An integer of up to 64 bits.
    pub(crate) fn int(&mut self, name: &str) -> Result<i64, Exception> {
        match self.any(name)? {
            // Not `as_i64` alone: True is no count.
            Any::Value(Value::Int(int)) => int.to_i64().ok_or_else(|| {
                Exception::builtin("OverflowError")
                    .with_arg(format!("{}: '{name}' is too large", self.handler.name()))
            }),
            other => Err(self.wrong(name, "an int", &other)),
        }
    }

    /// A tuple's items.
    #[inline]
    pub(crate) fn tuple(&mut self, name: &str) -> Result<Vec<Any>, Exception> {
        let items = self.any(name)?.into_items();
        items.map_err(|other| self.wrong(name, "a tuple", &other))
    }

    /// The last two: a tuple of arguments and, if it is there, one of names and values.
    pub(crate) fn call_args(&mut self) -> Result<Args, Exception> {
        let mut args = Args::from(self.tuple("args")?);
        if self.rest.len() > 0 {
            let pairs = self.tuple("kwargs")?;
            if !pairs.is_empty() {
                args.keyword = self.keywords(pairs)?;
            }
        }
        self.end()?;
        Ok(args)
    }

    /// Checks that nothing is left.
    pub(crate) fn end(&mut self) -> Result<(), Exception> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(Exception::type_error(format!(
                "{} was given {count} arguments too many",
                self.handler.name()
            ))),
        }
    }

    fn keywords(&self, pairs: Vec<Any>) -> Result<Vec<(Str, Any)>, Exception> {
        let mut names = HashSet::new();
        let mut keywords = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let (name, value) = self.keyword(pair)?;
            if !names.insert(name.clone()) {
                return Err(Exception::type_error(format!(
                    "keyword argument repeated: {name}"
                )));
            }
            keywords.push((name, value));
        }
        Ok(keywords)
    }

    fn keyword(&self, pair: Any) -> Result<(Str, Any), Exception> {
        let items = pair.into_items();
        let items = items.map_err(|other| self.wrong("kwargs", "pairs", &other))?;
        let Ok([name, value]) = <[Any; 2]>::try_from(items) else {
            return Err(Exception::type_error(format!(
                "{}: 'kwargs' must be pairs of a name and a value",
                self.handler.name()
            )));
        };
        Ok((self.as_name(name)?, value))
    }

    fn as_name(&self, any: Any) -> Result<Str, Exception> {
        let name = match any {
            Any::Value(Value::Str(name)) => name,
            Any::Value(Value::Bytes(bytes)) => match std::str::from_utf8(&bytes) {
                Ok(name) => Str::from(name),
                Err(_) => return Err(Exception::type_error("a name in bytes must be UTF-8")),
            },
            other => return Err(self.wrong("name", "a str", &other)),
        };
        if name.len() > MAX_NAME {
            return Err(Exception::attribute_error(format!(
                "no name has {} bytes; the most is {MAX_NAME}",
                name.len()
            )));
        }
        Ok(name)
    }

    fn wrong(&self, name: &str, expected: &str, found: &Any) -> Exception {
        Exception::type_error(format!(
            "{}: '{name}' must be {expected}, not {}",
            self.handler.name(),
            found.type_name()
        ))
    }
}

/// Bytes of an attribute's or an argument's name. Stops names of megabytes, which would be looked
/// up, quoted in an exception, and logged.
const MAX_NAME: usize = 64 << 10;
