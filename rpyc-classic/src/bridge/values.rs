//! RPyC's values to Python objects and back.

use std::any::Any as StdAny;
use std::sync::Arc;

use rpyc_core::object::{Any, Args, Raised};
use rpyc_core::wire::{PlainType, Str, Value};

use super::{Handle, Plain, PySession, Runtime, Shared, Target, next_piece};
use crate::hashes;

impl<P: Runtime> PySession<P> {
    /// An object as it leaves the interpreter: by value if it is exactly of one of the types that travel
    /// so, as itself if it came from outside, else by reference.
    ///
    /// # Errors
    /// What finding out its names raises.
    pub fn to_any<'a>(
        self: &Arc<PySession<P>>,
        vm: P::Vm<'a>,
        object: &P::Object<'a>,
    ) -> Result<Any, P::Error> {
        self.to_any_at(vm, object, 0)
    }

    fn to_any_at<'a>(
        self: &Arc<PySession<P>>,
        vm: P::Vm<'a>,
        object: &P::Object<'a>,
        depth: usize,
    ) -> Result<Any, P::Error> {
        match P::take_apart(vm, object) {
            Some(Plain::Value(value)) => return Ok(Any::Value(value)),
            Some(Plain::Tuple(items)) if depth < MAX_DEPTH => {
                let items = items.iter().map(|item| self.to_any_at(vm, item, depth + 1));
                return Ok(Any::tuple(items.collect::<Result<Vec<_>, _>>()?));
            }
            Some(plain) => {
                if let Some(value) = whole::<P>(vm, plain, depth) {
                    return Ok(Any::Value(value));
                }
            }
            None => {}
        }
        let functions = &self.shared().functions;
        if P::is_of_metaclass(object, &P::held(vm, &functions.netref_metaclass)) {
            let target = Shared::<P>::call(vm, &functions.target_of, vec![object.clone()])?;
            if let Some(target) = P::target(&target) {
                return Ok(target.to_any());
            }
        }
        let handle = Handle::new(vm, self, object.clone())?;
        Ok(Any::Local(Arc::new(handle)))
    }

    /// The items of a tuple as they leave the interpreter.
    pub(super) fn to_anys<'a>(
        self: &Arc<PySession<P>>,
        vm: P::Vm<'a>,
        items: &P::Object<'a>,
    ) -> Result<Vec<Any>, P::Error> {
        let items = tuple::<P>(vm, items)?;
        items.iter().map(|item| self.to_any(vm, item)).collect()
    }

    /// Arguments of a call out of Python: a tuple, and one of names and values.
    pub(super) fn to_args<'a>(
        self: &Arc<PySession<P>>,
        vm: P::Vm<'a>,
        positional: &P::Object<'a>,
        named: &P::Object<'a>,
    ) -> Result<Args, P::Error> {
        let mut args = Args::from(self.to_anys(vm, positional)?);
        for pair in tuple::<P>(vm, named)? {
            let [name, value] = fixed::<P, 2>(vm, &pair)?;
            let name = name_of(vm, self.shared(), &name)?;
            args.keyword.push((name, self.to_any(vm, &value)?));
        }
        Ok(args)
    }

    /// What came in, as a Python object.
    ///
    /// # Errors
    /// What making it raises.
    pub fn to_python<'a>(
        self: &Arc<PySession<P>>,
        vm: P::Vm<'a>,
        any: Any,
    ) -> Result<P::Object<'a>, P::Error> {
        if let Some(raised) = Raised::of(&any) {
            return Ok(P::exception(vm, self.raise(vm, raised)));
        }
        match any {
            Any::Value(value) => self.shared().value(vm, value),
            Any::Tuple(items) => {
                let items = items.into_iter().map(|item| {
                    next_piece::<P>(vm)?;
                    self.to_python(vm, item)
                });
                P::make(vm, Plain::Tuple(items.collect::<Result<_, _>>()?))
            }
            Any::Netref(netref) => Target::peer(self, netref).into_netref(vm),
            Any::Local(object) => {
                let known: &dyn StdAny = &*object;
                if let Some(handle) = known.downcast_ref::<Handle<P>>()
                    && handle.is_of(self)
                {
                    return Ok(handle.object(vm));
                }
                Target::here(self, object).into_netref(vm)
            }
        }
    }

    /// Arguments of a call into Python.
    #[allow(clippy::type_complexity)] // a tuple of them
    pub(super) fn from_args<'a>(
        self: &Arc<PySession<P>>,
        vm: P::Vm<'a>,
        args: Args,
    ) -> Result<(Vec<P::Object<'a>>, Vec<(Str, P::Object<'a>)>), P::Error> {
        let positional = args.positional.into_iter();
        let positional = positional.map(|arg| self.to_python(vm, arg));
        let positional = positional.collect::<Result<_, _>>()?;
        let named = args.keyword.into_iter();
        let named = named.map(|(name, value)| Ok((name, self.to_python(vm, value)?)));
        Ok((positional, named.collect::<Result<_, _>>()?))
    }
}

impl<P: Runtime> Shared<P> {
    /// A plain value as a Python object.
    pub(super) fn value<'a>(&self, vm: P::Vm<'a>, value: Value) -> Result<P::Object<'a>, P::Error> {
        let all = |items: Vec<Value>| -> Result<Vec<P::Object<'a>>, P::Error> {
            let items = items.into_iter().map(|item| {
                next_piece::<P>(vm)?;
                self.value(vm, item)
            });
            items.collect()
        };
        let plain = match value {
            Value::Tuple(items) => Plain::Tuple(all(items)?),
            Value::FrozenSet(items) => {
                let items = all(items)?;
                hashes::check::<P>(vm, items.clone())?;
                Plain::FrozenSet(items)
            }
            Value::Slice(parts) => {
                let [start, stop, step] = *parts;
                Plain::Slice([
                    self.value(vm, start)?,
                    self.value(vm, stop)?,
                    self.value(vm, step)?,
                ])
            }
            Value::Type(plain) => return Ok(self.class_of(vm, plain)),
            value => Plain::Value(value),
        };
        P::make(vm, plain)
    }

    fn class_of<'a>(&self, vm: P::Vm<'a>, plain: PlainType) -> P::Object<'a> {
        let place = PlainType::ALL.iter().position(|known| *known == plain);
        // The last one is `type`, for one that a newer core knows.
        let place = place.unwrap_or(self.plain_types.len() - 1);
        P::held(vm, &self.plain_types[place])
    }

    /// The class that the object is, if some peers take it by value.
    pub(super) fn plain_type<'a>(
        &self,
        vm: P::Vm<'a>,
        object: &P::Object<'a>,
    ) -> Option<PlainType> {
        let mut all = PlainType::ALL.into_iter().zip(&self.plain_types);
        let found = all.find(|(_, class)| P::is(object, &P::held(vm, class)))?;
        Some(found.0)
    }
}

/// The value, if the object travels by value as a whole.
pub(super) fn to_value<'a, P: Runtime>(
    vm: P::Vm<'a>,
    object: &P::Object<'a>,
    depth: usize,
) -> Option<Value> {
    whole::<P>(vm, P::take_apart(vm, object)?, depth)
}

fn whole<'a, P: Runtime>(
    vm: P::Vm<'a>,
    plain: Plain<P::Object<'a>>,
    depth: usize,
) -> Option<Value> {
    let plain = match plain {
        Plain::Value(value) => return Some(value),
        parts if depth < MAX_DEPTH => parts,
        _ => return None,
    };
    let part = |object: &P::Object<'a>| to_value::<P>(vm, object, depth + 1);
    let all = |items: Vec<P::Object<'a>>| items.iter().map(part).collect::<Option<Vec<_>>>();
    Some(match plain {
        Plain::Value(value) => value,
        Plain::Tuple(items) => Value::Tuple(all(items)?),
        Plain::FrozenSet(items) => Value::FrozenSet(all(items)?),
        Plain::Slice([start, stop, step]) => {
            Value::Slice(Box::new([part(&start)?, part(&stop)?, part(&step)?]))
        }
    })
}

/// The items of a tuple.
pub(super) fn tuple<'a, P: Runtime>(
    vm: P::Vm<'a>,
    object: &P::Object<'a>,
) -> Result<Vec<P::Object<'a>>, P::Error> {
    match P::take_apart(vm, object) {
        Some(Plain::Tuple(items)) => Ok(items),
        _ => Err(P::own_error(
            vm,
            "TypeError",
            "a tuple is expected".to_owned(),
        )),
    }
}

/// The same for a tuple of so many.
pub(super) fn fixed<'a, P: Runtime, const N: usize>(
    vm: P::Vm<'a>,
    object: &P::Object<'a>,
) -> Result<[P::Object<'a>; N], P::Error> {
    let wrong = |_| P::own_error(vm, "TypeError", format!("a tuple of {N} is expected"));
    tuple::<P>(vm, object)?.try_into().map_err(wrong)
}

/// The text, if it has UTF-8.
pub(super) fn str_of<'a, P: Runtime>(vm: P::Vm<'a>, object: &P::Object<'a>) -> Option<Str> {
    match P::take_apart(vm, object)? {
        Plain::Value(Value::Str(text)) => Some(text),
        _ => None,
    }
}

/// The name of an attribute or an argument; a UnicodeEncodeError where it has no UTF-8.
pub(super) fn name_of<'a, P: Runtime>(
    vm: P::Vm<'a>,
    shared: &Shared<P>,
    name: &P::Object<'a>,
) -> Result<Str, P::Error> {
    if let Some(name) = str_of::<P>(vm, name) {
        return Ok(name);
    }
    // It may be of a class that is derived from `str`.
    let name = Shared::<P>::call(vm, &shared.functions.to_str, vec![name.clone()])?;
    Ok(str_of::<P>(vm, &name).unwrap_or_default())
}

/// A text.
pub(super) fn text<'a, P: Runtime>(
    vm: P::Vm<'a>,
    text: impl Into<Str>,
) -> Result<P::Object<'a>, P::Error> {
    P::make(vm, Plain::Value(Value::Str(text.into())))
}

/// Deeper tuples travel by reference: a receiver refuses too deep ones, and loses the connection.
const MAX_DEPTH: usize = 60;
