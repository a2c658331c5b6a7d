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
    /// A comparison by the method of that name.
    Compare(&'a str, Any),
    /// `del target.name`
    DelAttr(&'a str),
    /// `dir(target)`, as a tuple.
    Dir,
    /// The end of a `with` block, left with that exception or with None.
    Exit(Any),
    /// `hash(target)`
    Hash,
    /// Its pickle, in that protocol.
    Pickle(i64),
    /// `repr(target)`
    Repr,
    /// `target.name = value`
    SetAttr(&'a str, Any),
    /// `str(target)`
    Str,
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

    /// What tells those of this process apart, as long as they live; 0 for a peer's.
    #[must_use]
    pub fn address(&self) -> usize {
        match self {
            Target::Peer(_) => 0,
            Target::Here(object) => std::ptr::from_ref(&**object).addr(),
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
            Target::Here(_) => Err(Exception::type_error(
                "this object lives here: there is nobody to ask",
            )),
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
        Operation::Compare(by, other) => netref.request(Handler::Cmp, [other, Any::from(by)]),
        Operation::DelAttr(name) => netref.request(Handler::DelAttr, [Any::from(name)]),
        Operation::Dir => netref.request(Handler::Dir, []),
        Operation::Exit(exception) => netref.leave(exception),
        Operation::Hash => netref.request(Handler::Hash, []),
        Operation::Pickle(protocol) => netref.request(Handler::Pickle, [Any::from(protocol)]),
        Operation::Repr => netref.request(Handler::Repr, []),
        Operation::SetAttr(name, value) => {
            netref.request(Handler::SetAttr, [Any::from(name), value])
        }
        Operation::Str => netref.request(Handler::Str, []),
    };
    answer.map_err(raised)
}

fn here(object: &dyn Object, cx: &Context<'_>, operation: Operation<'_>) -> ObjectResult {
    let text = |text: Str| Any::from(Value::Str(text));
    Ok(match operation {
        Operation::Attr(name) => object.attr(cx, name)?,
        Operation::Call(args) => object.call(cx, args)?,
        Operation::CallMethod(name, args) => object.call_method(cx, name, args)?,
        Operation::Compare(by, other) => object.compare(cx, by, &other)?,
        Operation::DelAttr(name) => object.del_attr(cx, name).map(|()| Any::NONE)?,
        Operation::Dir => Any::tuple(object.dir(cx)?.into_iter().map(text)),
        Operation::Exit(exception) => object.exit(cx, exception)?,
        Operation::Hash => Any::from(object.hash(cx)?),
        Operation::Pickle(protocol) => Any::from(Value::Bytes(object.pickle(cx, protocol)?)),
        Operation::Repr => text(object.repr(cx)?),
        Operation::SetAttr(name, value) => object.set_attr(cx, name, value).map(|()| Any::NONE)?,
        Operation::Str => text(object.str(cx)?),
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
