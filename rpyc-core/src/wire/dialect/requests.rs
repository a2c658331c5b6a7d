//! Requests of rpyc 3, 4.0 and rpyc-ng in the terms of rpyc 6, and back.

use super::super::{
    boxed::Boxed,
    handler::Handler,
    idpack::{ClassId, IdPack, InstanceId},
    string::Str,
    value::Value,
};
use super::detect::has_target;
use super::{Dialect, References};

impl Dialect {
    /// A request that has come, in the terms of rpyc 6.
    pub(in super::super) fn read_request(
        self,
        handler: Handler,
        mut args: Vec<Boxed>,
    ) -> (Handler, Vec<Boxed>) {
        if self.references == References::IdPackWithKind {
            // It gives a reference back by its id_pack as a value.
            if handler == Handler::Del
                && let Some(first) = args.first_mut()
                && let Boxed::Value(value) = first
                && let Ok(id_pack) = IdPack::from_value(value)
            {
                *first = Boxed::LocalRef(id_pack);
            }
            return (handler, args);
        }
        if !self.references.are_numbers() {
            return (handler, args);
        }
        let bare = self.references == References::NumberBare;
        if let Some(first) = args.first_mut()
            && let Boxed::Value(value) = first
            && let Some(id_pack) = named_by(value)
        {
            match handler {
                Handler::Inspect => *first = Boxed::Value(id_pack.to_value()),
                handler if bare && has_target(handler) => *first = Boxed::LocalRef(id_pack),
                _ => {}
            }
        }
        if handler != Handler::CallAttr {
            return (handler, args);
        }
        let Some((name, positional)) = call_of_method(&args) else {
            return (handler, args);
        };
        let (handler, more) = match (name, positional.as_slice()) {
            // These versions have comparisons and hashes called by name.
            (name, [other]) if COMPARISONS.contains(&name) => {
                let name = Boxed::Value(Value::Str(Str::from(name)));
                (Handler::Cmp, vec![other.clone(), name])
            }
            ("__hash__", []) => (Handler::Hash, Vec::new()),
            // As they do with leaving a context. The class of the exception goes by a name that says nothing,
            // `type`; the exception itself by that of its class.
            ("__exit__", [_, exception, _]) if bare => (Handler::CtxExit, vec![exception.clone()]),
            _ => return (handler, args),
        };
        args.truncate(1);
        args.extend(more);
        (handler, args)
    }

    /// Whether requests that are sent may have to be put in other terms.
    pub(in super::super) fn translates_requests(self) -> bool {
        self.references == References::IdPackWithKind
            || self.references.are_numbers()
            || self.is_python2()
    }

    /// A request that is to be sent, in the terms of the peer; `None` where they are those of rpyc 6.
    pub(in super::super) fn write_request(
        self,
        handler: Handler,
        args: &[Boxed],
    ) -> Option<(Handler, Vec<Boxed>)> {
        let translated = match self.references {
            References::IdPackWithKind => match (handler, args) {
                (Handler::Del, [Boxed::LocalRef(id_pack), count]) => {
                    let args = vec![Boxed::Value(id_pack.to_value()), count.clone()];
                    Some((handler, args))
                }
                _ => None,
            },
            references if references.are_numbers() => Some(self.about_numbers(handler, args)),
            _ => None,
        };
        if !self.is_python2() {
            return translated;
        }
        let (handler, mut args) = translated.unwrap_or_else(|| (handler, args.to_vec()));
        self.name_as_there(handler, &mut args);
        Some((handler, args))
    }

    /// Names in a request, as Python 2 has them.
    fn name_as_there(self, handler: Handler, args: &mut [Boxed]) {
        match (handler, args) {
            (Handler::GetAttr | Handler::CallAttr, [_, Boxed::Value(Value::Str(name)), ..]) => {
                if let Some(there) = self.name_there(name) {
                    *name = Str::from_static(there);
                }
            }
            (Handler::Inspect, [Boxed::Value(Value::Tuple(id_pack))])
            | (Handler::InstanceCheck, [_, Boxed::Value(Value::Tuple(id_pack))]) => {
                if let Some(Value::Str(name)) = id_pack.first_mut() {
                    *name = Str::from(&*self.class_name(name));
                }
            }
            _ => {}
        }
    }

    /// The same for a peer that knows objects by numbers.
    fn about_numbers(self, handler: Handler, args: &[Boxed]) -> (Handler, Vec<Boxed>) {
        let bare = self.references == References::NumberBare;
        let (handler, mut args) = match (handler, args) {
            (Handler::Inspect, [Boxed::Value(id_pack)]) => {
                let args = match IdPack::from_value(id_pack) {
                    Ok(id_pack) => vec![Boxed::Value(number_of(&id_pack).into())],
                    Err(_) => args.to_vec(),
                };
                return (handler, args);
            }
            (Handler::Cmp, [object, other, Boxed::Value(Value::Str(op))]) => match &**op {
                "__cmp__" => (handler, vec![object.clone(), other.clone()]),
                op => call(object, op, vec![other.clone()]),
            },
            (Handler::InstanceCheck, [class, Boxed::Value(id_pack)]) => {
                match IdPack::from_value(id_pack) {
                    Ok(id_pack) => call(class, "__instancecheck__", vec![Boxed::LocalRef(id_pack)]),
                    Err(_) => (handler, args.to_vec()),
                }
            }
            (Handler::CtxExit, [object, exception]) if bare => {
                let none = || Boxed::Value(Value::None);
                call(
                    object,
                    "__exit__",
                    vec![exception.clone(), exception.clone(), none()],
                )
            }
            (handler, args) => (handler, args.to_vec()),
        };
        if bare
            && has_target(handler)
            && let Some(first) = args.first_mut()
            && let Boxed::LocalRef(id_pack) = first
        {
            *first = Boxed::Value(number_of(id_pack).into());
        }
        (handler, args)
    }
}

/// The id_pack of what a peer calls by this number, or of the root, which it was given under its name.
pub(in super::super) fn named_by(number: &Value) -> Option<IdPack> {
    let (name, instance) = match number {
        Value::Int(_) => (Str::from_static(""), number.as_u64()?),
        Value::Str(name) => (name.clone(), 0),
        Value::Bytes(name) => (Str::from(std::str::from_utf8(name).ok()?), 0),
        _ => return None,
    };
    Some(IdPack::new(name, ClassId(0), InstanceId(instance)))
}

/// What such a peer is to call the object by.
pub(in super::super) fn number_of(id_pack: &IdPack) -> u64 {
    match id_pack.instance {
        InstanceId(0) => id_pack.class.0,
        InstanceId(number) => number,
    }
}

/// The name and the positional arguments of a CALLATTR that has no others.
fn call_of_method(args: &[Boxed]) -> Option<(&str, Vec<Boxed>)> {
    let [_, Boxed::Value(name), positional, keyword @ ..] = args else {
        return None;
    };
    let name = match name {
        Value::Str(name) => &**name,
        Value::Bytes(name) => std::str::from_utf8(name).ok()?,
        _ => return None,
    };
    match keyword {
        [] => {}
        [Boxed::Value(Value::Tuple(pairs))] if pairs.is_empty() => {}
        _ => return None,
    }
    let positional = match positional {
        Boxed::Value(Value::Tuple(items)) => items.iter().cloned().map(Boxed::Value).collect(),
        Boxed::Tuple(items) => items.clone(),
        _ => return None,
    };
    Some((name, positional))
}

/// A CALLATTR.
fn call(object: &Boxed, name: &str, positional: Vec<Boxed>) -> (Handler, Vec<Boxed>) {
    let args = vec![
        object.clone(),
        Boxed::Value(Value::Str(Str::from(name))),
        Boxed::tuple(positional),
        Boxed::Value(Value::Tuple(Vec::new())),
    ];
    (Handler::CallAttr, args)
}

const COMPARISONS: [&str; 6] = ["__eq__", "__ne__", "__lt__", "__gt__", "__le__", "__ge__"];
