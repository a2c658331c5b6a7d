//! [`Target`]: what a netref in an interpreter stands for, and what it can be asked. For those who make
//! an evaluator.

use std::fmt;

use rpyc_core::object::{Any, Args, Context, Netref, Object, ObjectRef, ObjectResult};
use rpyc_core::wire::{Handler, Str, Value};
use rpyc_core::{Connection, Error, Exception};

/// What a netref stands for.
#[derive(Clone)]
pub enum Target {
    /// An object of a peer.
    Peer(Netref),
    /// An object of this process, outside of the interpreter.
    Here(ObjectRef),
}

/// What a target can be asked.
#[derive(Debug)]
pub enum Operation<'a> {
    /// `target.name`
    Attr(&'a str),
    /// `target(...)`
    Call(Args),
    /// `target.name(...)`
    CallMethod(&'a str, Args),
    /// What the protocol has that number for, and the arguments after the target.
    Request(Handler, Vec<Any>),
}

impl Target {
    /// The full name of its class, or of itself if it is one.
    #[must_use]
    pub fn name(&self) -> Str {
        match self {
            Target::Peer(netref) => netref.id_pack().name.clone(),
            Target::Here(object) => object.id_parts().name,
        }
    }

    /// Whether it is a class.
    #[must_use]
    pub fn is_class(&self) -> bool {
        match self {
            Target::Peer(netref) => netref.is_class(),
            Target::Here(object) => object.id_parts().instance.is_none(),
        }
    }

    /// What tells a peer's object from all others: connection, class, object.
    #[must_use]
    pub fn key(&self) -> Option<(u64, u64, u64)> {
        let netref = self.netref().ok()?;
        let id_pack = netref.id_pack();
        Some((netref.peer_number(), id_pack.class.0, id_pack.instance.0))
    }

    /// What tells those of this process apart, as long as they live.
    #[must_use]
    pub fn address(&self) -> Option<usize> {
        match self {
            Target::Peer(_) => None,
            Target::Here(object) => Some(std::ptr::from_ref(&**object).addr()),
        }
    }

    /// The id_pack of a peer's object.
    #[must_use]
    pub fn id_pack(&self) -> Option<Value> {
        Some(self.netref().ok()?.id_pack().to_value())
    }

    /// The object itself, as it leaves the interpreter.
    #[must_use]
    pub fn to_any(&self) -> Any {
        match self {
            Target::Peer(netref) => Any::Netref(netref.clone()),
            Target::Here(object) => Any::Local(object.clone()),
        }
    }

    /// The peer's object.
    ///
    /// # Errors
    /// A TypeError for an object of this process.
    pub fn netref(&self) -> Result<&Netref, Exception> {
        match self {
            Target::Peer(netref) => Ok(netref),
            Target::Here(_) => Err(lives_here()),
        }
    }

    /// The names of its methods. It blocks.
    ///
    /// # Errors
    /// Those of the peer, or of the object; a ValueError where there are more than any class has.
    pub fn methods(&self, connection: Option<Connection>) -> ObjectResult<Vec<Str>> {
        let names = match (self, connection) {
            (Target::Peer(netref), _) => netref.inspect().map_err(raised)?,
            (Target::Here(object), Some(connection)) => {
                object.methods(&Context::new(&connection))?.to_vec()
            }
            (Target::Here(_), None) => Vec::new(),
        };
        if names.len() > MAX_METHODS {
            let what = format!("a class of {} methods is too large", names.len());
            return Err(Exception::value_error(what));
        }
        Ok(names.into_iter().map(|(name, _)| name).collect())
    }

    /// Has the object do something, whoever's it is. It blocks. An object of this process is asked in the
    /// name of `connection`.
    ///
    /// # Errors
    /// What the peer or the object raised; an EOFError where there is no connection.
    pub fn perform(
        &self,
        operation: Operation<'_>,
        connection: impl FnOnce() -> Option<Connection>,
    ) -> ObjectResult {
        match self {
            Target::Peer(netref) => at_peer(netref, operation),
            Target::Here(object) => {
                let connection = connection().ok_or_else(closed)?;
                here(&**object, &Context::new(&connection), operation)
            }
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_any().fmt(f)
    }
}

fn at_peer(netref: &Netref, operation: Operation<'_>) -> ObjectResult {
    let answer = match operation {
        Operation::Attr(name) => netref.attr(name),
        Operation::Call(args) => netref.call(args),
        Operation::CallMethod(name, args) => netref.call_method(name, args),
        Operation::Request(Handler::CtxExit, args) => {
            netref.leave(args.into_iter().next().unwrap_or(Any::NONE))
        }
        Operation::Request(handler, args) => netref.request(handler, args),
    };
    answer.map_err(raised)
}

fn here(object: &dyn Object, cx: &Context<'_>, operation: Operation<'_>) -> ObjectResult {
    let (handler, args) = match operation {
        Operation::Attr(name) => return object.attr(cx, name),
        Operation::Call(args) => return object.call(cx, args),
        Operation::CallMethod(name, args) => return object.call_method(cx, name, args),
        Operation::Request(handler, args) => (handler, args),
    };
    let text = |text: Str| Any::from(Value::Str(text));
    let name = |place: usize| args.get(place).and_then(Any::as_str).unwrap_or_default();
    let arg = || args.first().cloned().unwrap_or(Any::NONE);
    Ok(match handler {
        Handler::Cmp => object.compare(cx, name(1), &arg())?,
        Handler::CtxExit => object.exit(cx, arg())?,
        Handler::DelAttr => object.del_attr(cx, name(0)).map(|()| Any::NONE)?,
        Handler::Dir => Any::tuple(object.dir(cx)?.into_iter().map(text)),
        Handler::Hash => Any::from(object.hash(cx)?),
        Handler::Pickle => {
            let protocol = args.first().and_then(Any::as_value).and_then(Value::as_i64);
            let pickled = object.pickle(cx, protocol.unwrap_or_default())?;
            Any::from(Value::Bytes(pickled))
        }
        Handler::Repr => text(object.repr(cx)?),
        Handler::SetAttr => {
            let value = args.get(1).cloned().unwrap_or(Any::NONE);
            object.set_attr(cx, name(0), value).map(|()| Any::NONE)?
        }
        Handler::Str => text(object.str(cx)?),
        _ => return Err(lives_here()),
    })
}

/// The exception for a request that has failed, in Python: where it has timed out, that of an AsyncResult.
#[must_use]
pub fn raised(error: Error) -> Exception {
    let is_own = matches!(error, Error::Timeout(_));
    let exception = Exception::from(error);
    match is_own {
        true => {
            let (module, class) = ("rpyc.core.async_", "AsyncResultTimeout");
            let args = exception.args().iter().cloned();
            let made = Exception::new(Str::from_static(module), Str::from_static(class));
            args.fold(made, Exception::with_arg)
        }
        false => exception,
    }
}

fn lives_here() -> Exception {
    Exception::type_error("this object lives here: there is nobody to ask")
}

/// The exception for what can't be asked any more.
#[must_use]
pub fn closed() -> Exception {
    Exception::eof_error("the connection is closed")
}

/// The protocol that is used when the peer asks for `asked`: the highest that all its versions
/// read, unless it asks for a higher one by number.
#[must_use]
pub fn pickle_protocol(asked: i64) -> i64 {
    match asked {
        ..0 => HIGHEST_EVERYWHERE,
        asked => asked.min(HIGHEST),
    }
}

/// The exception for a panic of the evaluator's that was caught.
#[must_use]
pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Exception {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or_default();
    Exception::builtin("SystemError").with_arg(format!("the interpreter panicked: {text}"))
}

/// A peer could fill the memory with those of one class.
const MAX_METHODS: usize = 10_000;

/// Protocol 5 is unknown to Python 3.7.
const HIGHEST_EVERYWHERE: i64 = 4;
const HIGHEST: i64 = 5;
