//! Between what crosses the API and what crosses the wire.

use std::sync::Arc;

use super::session::Link;
use crate::dispatch::asked::Asked;
use crate::error::Error;
use crate::exception::Exception;
use crate::object::forwarded::ForwardedObject;
use crate::object::{Any, Args, ObjectRef};
use crate::wire::{Arguments, Boxed, Callee, Handler, IdPack, Str, Value, boxed, value};

/// The arguments of a request of ours, boxed.
#[derive(Default)]
pub(crate) struct BoxedArgs<'a> {
    // Of a call.
    callee: Option<Callee<'a>>,
    // All arguments, but of a call the positional ones.
    boxed: Vec<Boxed>,
    // Of a call: pairs of names and values.
    keyword: Vec<Boxed>,
    // What must live until the frame is queued: the release of a netref that dies earlier would overtake the
    // frame that names it.
    keep_alive: Vec<Any>,
}

impl BoxedArgs<'_> {
    pub(super) fn arguments(&self) -> Arguments<'_> {
        match self.callee {
            None => Arguments::Listed(&self.boxed),
            Some(callee) => Arguments::Call {
                callee,
                positional: &self.boxed,
                keyword: &self.keyword,
            },
        }
    }

    /// What the request asks for; of a method or an attribute, its name stands behind the object.
    pub(super) fn asked(&self, handler: Handler) -> Asked {
        let name = match (handler, self.callee) {
            (_, Some(callee)) => callee.method.map(Str::from),
            (Handler::CallAttr | Handler::GetAttr | Handler::SetAttr | Handler::DelAttr, None) => {
                match self.boxed.get(1) {
                    Some(Boxed::Value(Value::Str(name))) => Some(name.clone()),
                    _ => None,
                }
            }
            _ => None,
        };
        Asked::new(handler, name)
    }
}

impl Link {
    /// Boxes a request's arguments; each reference to a local object counts one from now on.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the peer holds references to too many objects; nothing is counted then.
    /// [`Error::Closed`] where that is why: a closed connection hands nothing out.
    pub(crate) fn box_args(
        &self,
        args: impl IntoIterator<Item = Any>,
    ) -> Result<BoxedArgs<'static>, Error> {
        let mut message = BoxedArgs::default();
        self.box_into(&mut message, args, 0)?;
        Ok(message)
    }

    /// Boxes the arguments of a call of an object of the peer's, or of its method.
    ///
    /// # Errors
    /// As [`box_args`](Dispatcher::box_args).
    pub(crate) fn box_call<'a>(
        &self,
        callee: Callee<'a>,
        args: Args,
    ) -> Result<BoxedArgs<'a>, Error> {
        let mut message = BoxedArgs {
            callee: Some(callee),
            ..BoxedArgs::default()
        };
        if !args.keyword.is_empty() {
            let pairs = args.keyword.into_iter();
            let pairs = pairs.map(|(name, value)| Any::tuple([Any::Value(name.into()), value]));
            self.box_into(&mut message, pairs, 1)?;
            message.keyword = std::mem::take(&mut message.boxed);
        }
        if !args.positional.is_empty() {
            self.box_into(&mut message, args.positional, 1)?;
        }
        Ok(message)
    }

    /// Boxes arguments which stand so many levels deep in the message.
    fn box_into(
        &self,
        message: &mut BoxedArgs<'_>,
        args: impl IntoIterator<Item = Any>,
        level: usize,
    ) -> Result<(), Error> {
        let levels = self.session.encoding.limits.depth().saturating_sub(level);
        let mut args = args.into_iter();
        message.boxed.reserve_exact(args.size_hint().0);
        while let Some(arg) = args.next() {
            match self.box_within(arg, &mut message.keep_alive, levels) {
                Ok(boxed) => message.boxed.push(boxed),
                Err(exception) => {
                    self.unsend(std::mem::take(message));
                    dismantle(args.collect());
                    let closed = self.send_error();
                    return Err(closed.unwrap_or_else(|| Error::Misuse(exception.message())));
                }
            }
        }
        Ok(())
    }

    /// Takes back what was counted for a message that isn't sent, and drops it.
    pub(super) fn unsend(&self, message: BoxedArgs<'_>) {
        for boxed in [message.boxed, message.keyword] {
            self.unbox_refs(&boxed);
            boxed::dismantle(boxed);
        }
    }

    /// Boxes one thing; see [`box_args`](Dispatcher::box_args).
    pub(crate) fn box_any(&self, any: Any, keep_alive: &mut Vec<Any>) -> Result<Boxed, Exception> {
        self.box_within(any, keep_alive, self.session.encoding.limits.depth())
    }

    fn box_within(
        &self,
        any: Any,
        keep_alive: &mut Vec<Any>,
        levels: usize,
    ) -> Result<Boxed, Exception> {
        match any {
            Any::Value(value) => Ok(Boxed::Value(value)),
            Any::Tuple(items) => {
                let Some(levels) = levels.checked_sub(1) else {
                    dismantle(items);
                    let limit = self.session.encoding.limits.depth();
                    return Err(Exception::value_error(format!(
                        "tuples are nested deeper than {limit} levels, the most that is sent (max_depth)"
                    )));
                };
                let mut boxed = Vec::with_capacity(items.len());
                let mut items = items.into_iter();
                while let Some(item) = items.next() {
                    match self.box_within(item, keep_alive, levels) {
                        Ok(item) => boxed.push(item),
                        Err(exception) => {
                            self.unbox_refs(&boxed);
                            boxed::dismantle(boxed);
                            dismantle(items.collect());
                            return Err(exception);
                        }
                    }
                }
                Ok(Boxed::tuple(boxed))
            }
            Any::Netref(netref) if netref.peer_number() == self.number => {
                let id_pack = netref.id_pack().clone();
                keep_alive.push(Any::Netref(netref));
                Ok(Boxed::LocalRef(id_pack))
            }
            Any::Netref(netref) => self.box_object(
                Arc::new(ForwardedObject::handed_on(netref, self.number)),
                keep_alive,
            ),
            Any::Local(object) => match ForwardedObject::unwrap(object) {
                Any::Local(object) => self.box_object(object, keep_alive),
                netref => self.box_any(netref, keep_alive),
            },
        }
    }

    fn box_object(&self, object: ObjectRef, keep_alive: &mut Vec<Any>) -> Result<Boxed, Exception> {
        // Foreign code: not under the lock.
        let dialect = self.session.encoding.dialect();
        if let Some(plain) = object
            .plain_type()
            .filter(|plain| dialect.writes_type(*plain))
        {
            return Ok(Boxed::Value(Value::Type(plain)));
        }
        let parts = object.id_parts();
        let limit = self.session.config().max_objects;
        let id_pack = self.session.exports.lock().add(&object, parts, limit);
        match id_pack {
            Some(id_pack) => {
                keep_alive.push(Any::Local(object));
                Ok(Boxed::RemoteRef(id_pack))
            }
            None => Err(Exception::memory_error(format!(
                "the peer holds references to {limit} objects, the most it may (max_objects)"
            ))),
        }
    }

    /// Takes back the references that were counted for a message that isn't sent.
    pub(crate) fn unbox_refs(&self, boxed: &[Boxed]) {
        for item in boxed {
            match item {
                Boxed::RemoteRef(id_pack) => {
                    let released = self.session.exports.lock().release(id_pack, 1);
                    drop(released);
                }
                Boxed::Tuple(items) => self.unbox_refs(items),
                Boxed::Value(_) | Boxed::LocalRef(_) => {}
            }
        }
    }

    /// The object that an id_pack by value names: one of ours that the peer holds, or one of the
    /// peer's that we hold.
    pub(crate) fn find_by_id_pack(&self, value: &Value) -> Result<Option<Any>, Exception> {
        let id_pack = IdPack::from_value(value)
            .map_err(|error| Exception::type_error(format!("not an id_pack: {error}")))?;
        let local = self.session.exports.lock().resolve_exactly(&id_pack);
        if let Some(object) = local {
            return Ok(Some(Any::Local(object)));
        }
        let netref = self.session.imports.lock().find(&id_pack);
        Ok(netref.map(Any::Netref))
    }
}

/// Drops what isn't sent without recursion: it may be nested deeper than the stack is.
fn dismantle(mut anys: Vec<Any>) {
    while let Some(any) = anys.pop() {
        match any {
            Any::Value(value) => value::dismantle(vec![value]),
            Any::Tuple(items) => anys.extend(items),
            Any::Local(_) | Any::Netref(_) => {}
        }
    }
}

/// The answer to a reference that names nothing.
pub(crate) fn unknown_object(id_pack: &IdPack) -> Exception {
    let mut shown = id_pack.clone();
    if shown.name.len() > MAX_ECHOED_NAME {
        let end = shown.name.floor_char_boundary(MAX_ECHOED_NAME);
        shown.name = Str::from(format!("{}...", &shown.name[..end]));
    }
    Exception::key_error(shown.to_value())
}

/// A name that means nothing is sent back, quoted: not a name of megabytes.
const MAX_ECHOED_NAME: usize = 200;
