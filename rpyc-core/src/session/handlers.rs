//! The handlers: what each request does, on the [`Object`](crate::object::Object) trait
//! (docs/wire-protocol.md, section 6).

use std::collections::HashSet;
use std::sync::Arc;
use std::vec;

use super::policy::{self, COMPARISONS, Refused};
use crate::config::Config;
use crate::exception::Exception;
use crate::object::forwarded::ForwardedObject;
use crate::object::pickled::pickled;
use crate::object::{Access, Any, Args, ClassStandIn, Context, ObjectRef, ObjectResult, Raised};
use crate::wire::{DumpedException, Handler, Str, Value};

/// Does what a request asks for. CLOSE and DEL are not among them: the reader sees to those.
pub(crate) fn handle(
    cx: &Context<'_>,
    config: &Config,
    handler: Handler,
    args: Vec<Any>,
) -> ObjectResult {
    let rest = args.into_iter();
    let mut params = Params { handler, rest };
    match handler {
        Handler::Ping => {
            let data = params.any("data")?;
            params.end()?;
            Ok(data)
        }
        Handler::GetRoot => {
            params.end()?;
            let root = cx.connection().link.session.root.lock().clone();
            let root = root.ok_or_else(|| Exception::eof_error("the connection is closed"))?;
            Ok(Any::Local(root))
        }
        Handler::GetAttr | Handler::SetAttr | Handler::DelAttr => {
            let (object, name) = (params.object()?, params.name()?);
            let (how, value) = match handler {
                Handler::SetAttr => (Access::Set, Some(params.any("value")?)),
                Handler::DelAttr => (Access::Del, None),
                _ => (Access::Get, None),
            };
            params.end()?;
            access(cx, config, &object, how, &name, value)
        }
        Handler::Call => {
            let object = params.object()?;
            let args = params.call_args()?;
            object.call(cx, args)
        }
        Handler::CallAttr => {
            let (object, name) = (params.object()?, params.name()?);
            let args = params.call_args()?;
            call_attr(cx, config, &object, &name, args)
        }
        Handler::Repr => Ok(Any::from(params.only_object()?.repr(cx)?)),
        Handler::Str => Ok(Any::from(params.only_object()?.str(cx)?)),
        Handler::Hash => Ok(Any::from(params.only_object()?.hash(cx)?)),
        Handler::Dir => {
            let names = params.only_object()?.dir(cx)?;
            Ok(Any::tuple(names.into_iter().map(Any::from)))
        }
        Handler::Cmp => compare(cx, config, params),
        Handler::Pickle => pickle(cx, config, params),
        Handler::Inspect => inspect(cx, params),
        Handler::BuffIter => buffiter(cx, config, params),
        Handler::OldSlicing => old_slicing(cx, config, params),
        Handler::CtxExit => {
            let object = params.object()?;
            let exc = left_by(config, params.any("exc")?)?;
            params.end()?;
            may_exit(cx, config, &object)?;
            object.exit(cx, exc)
        }
        Handler::InstanceCheck | Handler::SubclassCheck => {
            let object = params.object()?;
            let Some(other) = params.named(cx, "other_id_pack")?.1 else {
                return Ok(Any::from(false));
            };
            Ok(Any::from(match handler {
                Handler::InstanceCheck => object.is_instance(cx, &other)?,
                _ => object.is_subclass(cx, &other)?,
            }))
        }
        Handler::Bool => Ok(Any::from(params.only_object()?.is_true(cx)?)),
        Handler::Type => class_of(cx, config, params),
        Handler::Del | Handler::Close | Handler::Other(_) => {
            Err(Exception::key_error(handler.number())
                .with_arg(format!("no handler has the number {}", handler.number())))
        }
    }
}

/// Attribute access: by the object's own decision, else by the policy.
fn access(
    cx: &Context<'_>,
    config: &Config,
    object: &ObjectRef,
    access: Access,
    name: &str,
    value: Option<Any>,
) -> ObjectResult {
    if let Some(decided) = object.access_override(cx, access, name, value.as_ref()) {
        return decided;
    }
    let name = match access {
        Access::Get => known(cx, object, name),
        Access::Set | Access::Del => name,
    };
    let name = resolve(cx, config, object, access, name)?;
    match (access, value) {
        (Access::Get, _) => object.attr(cx, &name),
        (Access::Set, Some(value)) => object.set_attr(cx, &name, value).map(|()| Any::NONE),
        (Access::Set, None) | (Access::Del, _) => object.del_attr(cx, &name).map(|()| Any::NONE),
    }
}

fn call_attr(
    cx: &Context<'_>,
    config: &Config,
    object: &ObjectRef,
    name: &str,
    args: Args,
) -> ObjectResult {
    if let Some(decided) = object.access_override(cx, Access::Get, name, None) {
        return decided?.call_in(cx, args);
    }
    let name = resolve(cx, config, object, Access::Get, known(cx, object, name))?;
    object.call_method(cx, &name, args)
}

/// The name of an attribute that the peer gets: where the object has none of that name, by which it has the method.
fn known<'a>(cx: &Context<'_>, object: &ObjectRef, name: &'a str) -> &'a str {
    match cx.connection().dialect().method_name(name) {
        Some(renamed) if !object.has_attr(cx, name) => renamed,
        _ => name,
    }
}

/// CTXEXIT takes no name, but `__exit__` is one.
fn may_exit(cx: &Context<'_>, config: &Config, object: &ObjectRef) -> Result<(), Exception> {
    match object.access_override(cx, Access::Get, "__exit__", None) {
        Some(decided) => decided.map(drop),
        None => resolve(cx, config, object, Access::Get, "__exit__").map(drop),
    }
}

fn resolve(
    cx: &Context<'_>,
    config: &Config,
    object: &ObjectRef,
    access: Access,
    name: &str,
) -> Result<Str, Exception> {
    let has = |name: &str| object.has_attr(cx, name);
    policy::resolve(config, access, name, has)
        .map_err(|Refused(option)| refusal(name, object, option))
}

/// Says who refused, and what would allow it.
fn refusal(name: &str, object: &ObjectRef, option: &str) -> Exception {
    let class = object.id_parts().name;
    let side = match ForwardedObject::forwards(object) {
        true => "gateway that passes it on",
        false => "side that owns it",
    };
    Exception::attribute_error(format!(
        "cannot access '{name}' of {class}: denied by the policy of the {side} ({option})"
    ))
}

fn compare(cx: &Context<'_>, config: &Config, mut params: Params) -> ObjectResult {
    let object = params.object()?;
    let other = params.any("other")?;
    let op = params.optional_name("__cmp__")?;
    params.end()?;
    // It is looked up on the type, past the object's own decisions: nothing but comparisons.
    if !COMPARISONS.contains(&&*op) {
        return Err(refusal(&op, &object, "CMP takes comparisons only"));
    }
    policy::resolve(config, Access::Get, &op, |_| false)
        .map_err(|Refused(option)| refusal(&op, &object, option))?;
    object.compare(cx, &op, &other)
}

fn pickle(cx: &Context<'_>, config: &Config, mut params: Params) -> ObjectResult {
    let object = params.object()?;
    let protocol = params.int("protocol")?;
    params.end()?;
    if !config.allow_pickle {
        return Err(Exception::value_error("pickling is disabled"));
    }
    let pickle = match pickled(cx, &object, config.limits.max_frame) {
        Some(pickle) => pickle?,
        None => object.pickle(cx, protocol)?,
    };
    Ok(Any::from(Value::Bytes(pickle)))
}

fn inspect(cx: &Context<'_>, params: Params) -> ObjectResult {
    let object = params.named_object(cx)?;
    let methods = object.methods(cx)?;
    let told = cx.connection().dialect().inspected(&methods);
    let pair = |(name, doc)| Value::Tuple(vec![Value::Str(name), Value::from(doc)]);
    Ok(Any::Value(Value::Tuple(
        told.into_iter().map(pair).collect(),
    )))
}

/// TYPE: the class itself where the policy lets `__class__` be read; else what stands for it.
fn class_of(cx: &Context<'_>, config: &Config, params: Params) -> ObjectResult {
    let object = params.named_object(cx)?;
    let class = match access(cx, config, &object, Access::Get, "__class__", None) {
        Ok(_) => object.class(cx)?,
        Err(_) => stand_in(cx, &object)?,
    };
    // A class that goes by value would be none for the proxy.
    let class = match class.plain_type() {
        Some(_) => stand_in(cx, &object)?,
        None => class,
    };
    Ok(Any::Local(class))
}

fn stand_in(cx: &Context<'_>, object: &ObjectRef) -> ObjectResult<ObjectRef> {
    let methods = object.methods(cx)?;
    Ok(Arc::new(ClassStandIn::new(object.id_parts(), methods)))
}

/// What a context is left by: rpyc-ng sends the exception as it sends those of requests.
fn left_by(config: &Config, exc: Any) -> ObjectResult {
    match exc {
        Any::Value(Value::None) => Ok(exc),
        Any::Value(value) => match DumpedException::from_value(value, &config.limits) {
            Ok(dumped) => Ok(Any::object(Raised::new(Exception::load(dumped)))),
            Err(error) => Err(Exception::type_error(format!(
                "CTXEXIT: 'exc' is no exception: {error}"
            ))),
        },
        Any::Tuple(_) => Err(Exception::type_error(
            "CTXEXIT: 'exc' must be an exception, not a tuple with references",
        )),
        reference => Ok(reference),
    }
}

fn buffiter(cx: &Context<'_>, config: &Config, mut params: Params) -> ObjectResult {
    let object = params.object()?;
    let count = params.int("count")?;
    params.end()?;
    let count = usize::try_from(count)
        .map_err(|_| Exception::value_error("BUFFITER takes a count of 0 or more"))?;
    // A caller goes on asking until nothing comes, so that fewer may come at a time. What doesn't
    // fit a frame couldn't be sent. But nothing would say that the iterator is at its end.
    let most = (config.limits.max_items / 2).clamp(1, MAX_ITEMS);
    let count = count.min(most);
    Ok(Any::tuple(object.buffiter(cx, count)?))
}

fn old_slicing(cx: &Context<'_>, config: &Config, mut params: Params) -> ObjectResult {
    let object = params.object()?;
    let (attempt, fallback) = (params.name()?, params.name()?);
    let (start, stop) = (params.any("start")?, params.any("stop")?);
    let more = params.tuple("args")?;
    params.end()?;
    if let (Some(start), Some(stop)) = (start.as_value(), stop.as_value()) {
        let slice = Value::Slice(Box::new([start.clone(), stop.clone(), Value::None]));
        let mut args = vec![Any::Value(slice)];
        args.extend(more.iter().cloned());
        let tried = call_attr(cx, config, &object, &attempt, Args::from(args));
        if tried.is_ok() {
            return tried;
        }
    }
    let stop = if stop.is_none() {
        Any::from(i64::MAX)
    } else {
        stop
    };
    let mut args = vec![start, stop];
    args.extend(more);
    call_attr(cx, config, &object, &fallback, Args::from(args))
}

/// The arguments of a request, taken one by one; what doesn't fit is a TypeError.
struct Params {
    handler: Handler,
    rest: vec::IntoIter<Any>,
}

impl Params {
    #[inline]
    fn any(&mut self, name: &str) -> Result<Any, Exception> {
        self.rest.next().ok_or_else(|| {
            Exception::type_error(format!(
                "{} is missing its argument '{name}'",
                self.handler.name()
            ))
        })
    }

    /// The object that the request is about: one of ours, or one of the peer's own.
    fn object(&mut self) -> Result<ObjectRef, Exception> {
        match self.any("obj")? {
            Any::Local(object) => Ok(object),
            Any::Netref(netref) => Ok(Arc::new(ForwardedObject::new(netref))),
            value => Err(self.wrong("obj", "a reference", &value)),
        }
    }

    fn only_object(&mut self) -> Result<ObjectRef, Exception> {
        let object = self.object()?;
        self.end()?;
        Ok(object)
    }

    /// The name of an attribute: a str, or UTF-8 in bytes.
    fn name(&mut self) -> Result<Str, Exception> {
        let any = self.any("name")?;
        self.as_name(any)
    }

    fn optional_name(&mut self, default: &'static str) -> Result<Str, Exception> {
        match self.rest.next() {
            Some(any) => self.as_name(any),
            None => Ok(Str::from_static(default)),
        }
    }

    /// The last one, an id_pack by value, and what that names.
    fn named(&mut self, cx: &Context<'_>, name: &str) -> Result<(Value, Option<Any>), Exception> {
        let id_pack = match self.any(name)? {
            Any::Value(id_pack) => id_pack,
            other => return Err(self.wrong(name, "a plain value", &other)),
        };
        self.end()?;
        let found = cx.connection().link.find_by_id_pack(&id_pack)?;
        Ok((id_pack, found))
    }

    /// The object of ours that the only argument names.
    fn named_object(mut self, cx: &Context<'_>) -> ObjectResult<ObjectRef> {
        match self.named(cx, "id_pack")? {
            (_, Some(Any::Local(object))) => Ok(object),
            (id_pack, _) => Err(Exception::key_error(id_pack)),
        }
    }

    fn int(&mut self, name: &str) -> Result<i64, Exception> {
        match self.any(name)? {
            // Not `as_i64` alone: True is no count.
            Any::Value(Value::Int(int)) => int.to_i64().ok_or_else(|| {
                Exception::builtin("OverflowError")
                    .with_arg(format!("{}: '{name}' is too large", self.handler.name()))
            }),
            other => Err(self.wrong(name, "an int", &other)),
        }
    }

    #[inline]
    fn tuple(&mut self, name: &str) -> Result<Vec<Any>, Exception> {
        let items = self.any(name)?.into_items();
        items.map_err(|other| self.wrong(name, "a tuple", &other))
    }

    /// The last two: a tuple of arguments and, if it is there, one of names and values.
    fn call_args(&mut self) -> Result<Args, Exception> {
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

    fn end(&mut self) -> Result<(), Exception> {
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

/// Items that BUFFITER gives at a time. Stops a count of a billion for an iterator without an end.
const MAX_ITEMS: usize = 100_000;

/// Bytes of an attribute's or an argument's name. Stops names of megabytes, which would be looked
/// up, quoted in an exception, and logged.
const MAX_NAME: usize = 64 << 10;
