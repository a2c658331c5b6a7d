//! What the reader makes of a frame: a message with its references resolved.
//!
//! Only one thread reads a connection at a time, so this runs in the order of arrival without the
//! dispatcher's lock. It runs no foreign code: what is to be dropped is handed on.

use super::boxing::unknown_object;
use super::exports::ReleaseError;
use super::request::Request;
use super::session::{Link, Session};
use crate::dispatch::{Arrival, Decoded, ReplyTo};
use crate::error::{CloseReason, Error};
use crate::exception::Exception;
use crate::object::forwarded::ForwardedObject;
use crate::object::{Any, ObjectRef};
use crate::wire::{
    AsBoxed, Boxed, Dialect, Envelope, Handler, IdPack, Message, MessageError, Payload, Resolver,
    Threads, Value,
};

impl Link {
    /// Decodes and resolves one message; see [`Protocol::decode`](crate::dispatch::Protocol::decode).
    pub(super) fn decode_frame(
        &self,
        payload: Payload<'_>,
        is_first: bool,
        into: &mut Vec<Arrival<Session>>,
    ) -> Result<Decoded, CloseReason> {
        let encoding = &self.session.encoding;
        if is_first {
            encoding.meet(&payload, self.session.counts.has_spoken())?;
        }
        let known = encoding.dialect();
        let (threads, payload) = match known.has_threads() {
            true => {
                let opened = Envelope::open(known, payload.into_bytes());
                let (threads, message) = opened.map_err(CloseReason::Wire)?;
                (threads, Payload::Whole(message))
            }
            false => (Threads::default(), payload),
        };
        let dialect = match known.is_settled() {
            true => known,
            false => encoding.learn(known, &payload),
        };
        self.trace_incoming(dialect, &payload);
        let (mut is_valid, mut memory) = (false, 0);
        let mut resolving = Resolving {
            link: self,
            into,
            wrong: None,
            released: Vec::new(),
            has_netrefs: false,
        };
        match Message::read(&payload, dialect, &encoding.limits, &mut resolving) {
            Ok(message) => {
                is_valid = true;
                memory = resolving.add(message, threads);
            }
            Err(MessageError::Fatal(error)) => return Err(CloseReason::Wire(error)),
            Err(MessageError::BadRequest { seq, class, reason }) => {
                let to = ReplyTo { seq, threads };
                self.reply_exception(&to, &Exception::builtin(class).with_arg(reason));
            }
            Err(MessageError::BadReply { seq, reason }) => {
                let (reply, bytes) = (Err(Error::Protocol(reason)), 0);
                into.push(Arrival::Reply { seq, reply, bytes });
            }
        }
        Ok(Decoded { is_valid, memory })
    }

    /// DEL: the peer gives references back.
    fn handle_del(&self, to: &ReplyTo, args: &[Boxed], into: &mut Vec<Arrival<Session>>) {
        match self.released(args) {
            Ok(object) => {
                into.extend(object.map(Any::Local).map(Arrival::Garbage));
                self.reply(to, Any::NONE);
            }
            Err(exception) => self.reply_exception(to, &exception),
        }
    }

    fn released(&self, args: &[Boxed]) -> Result<Option<ObjectRef>, Exception> {
        let (id_pack, count) = match args {
            [Boxed::LocalRef(id_pack)] => (id_pack, Some(1)),
            [Boxed::LocalRef(id_pack), Boxed::Value(Value::Int(count))] => {
                (id_pack, count.to_u64())
            }
            _ => {
                return Err(Exception::type_error(
                    "DEL takes an object of the receiver's, and a count",
                ));
            }
        };
        let released = match count {
            Some(count) => self.session.exports.lock().release(id_pack, count),
            None => Err(ReleaseError::TooMany),
        };
        released.map_err(|error| match error {
            ReleaseError::Unknown => unknown_object(id_pack),
            ReleaseError::TooMany => Exception::value_error(
                "the count of DEL must be between 1 and the references that are out",
            ),
        })
    }

    /// Logs a message that came, decoded, where the config wants that.
    fn trace_incoming(&self, dialect: Dialect, payload: &Payload<'_>) {
        // Asked first, because it takes no lock.
        if log::max_level() < log::Level::Debug {
            return;
        }
        let config = self.session.config();
        if config.debug
            && let Ok(message) = Message::read(
                payload,
                dialect,
                &self.session.encoding.limits,
                &mut AsBoxed,
            )
        {
            log::debug!(target: &config.logger, "{} <- {message:?}", self.session.connid);
        }
    }
}

/// Resolves what a message refers to while that is read; each reference that came is counted.
struct Resolving<'a> {
    link: &'a Link,
    into: &'a mut Vec<Arrival<Session>>,
    // Why a reference names nothing.
    wrong: Option<Exception>,
    // The arguments of DEL.
    released: Vec<Boxed>,
    has_netrefs: bool,
}

impl Resolving<'_> {
    /// Adds what the message is to the arrivals; says how much memory it takes.
    fn add(mut self, message: Message<Any>, threads: Threads) -> usize {
        let mut memory = 0;
        match message {
            Message::Request {
                seq,
                handler: Handler::Del,
                ..
            } => {
                let to = ReplyTo { seq, threads };
                self.link.handle_del(&to, &self.released, self.into);
            }
            Message::Request {
                seq,
                handler: Handler::Close,
                args,
            } => {
                self.discard(args);
                self.into.push(Arrival::Close(ReplyTo { seq, threads }));
            }
            Message::Request { seq, handler, args } => {
                let to = ReplyTo { seq, threads };
                if let Some(exception) = self.wrong.take() {
                    self.discard(args);
                    self.link.reply_exception(&to, &exception);
                    return 0;
                }
                let request = Request {
                    to,
                    handler,
                    args,
                    has_netrefs: self.has_netrefs,
                };
                memory = request.memory();
                self.into.push(Arrival::Request {
                    request,
                    bytes: memory,
                });
            }
            Message::Reply { seq, result } => {
                let reply = match self.wrong.take() {
                    None => {
                        memory = result.heap_size();
                        Ok(result)
                    }
                    Some(exception) => {
                        self.discard(vec![result]);
                        Err(Error::Protocol(format!(
                            "the reply refers to what isn't there: {exception}"
                        )))
                    }
                };
                self.into.push(Arrival::Reply {
                    seq,
                    reply,
                    bytes: memory,
                });
            }
            Message::Exception { seq, exception } => {
                let config = self.link.session.config();
                let mut exception = Exception::load(exception);
                if config.instantiate_custom_exceptions {
                    exception = exception.known_by(&config.known_exceptions);
                }
                memory = exception.heap_size();
                let reply = Err(Error::Remote(exception));
                self.into.push(Arrival::Reply {
                    seq,
                    reply,
                    bytes: memory,
                });
            }
        }
        memory
    }
}

impl Resolver for Resolving<'_> {
    type Item = Any;

    #[inline]
    fn value(&mut self, value: Value) -> Any {
        Any::Value(value)
    }

    fn tuple(&mut self, items: Vec<Any>) -> Any {
        Any::tuple(items)
    }

    fn local(&mut self, id_pack: IdPack, bytes: &[u8]) -> Any {
        let object = self.link.session.exports.lock().resolve(&id_pack, bytes);
        match object {
            Some(object) => ForwardedObject::unwrap(object),
            None => {
                self.wrong = Some(unknown_object(&id_pack));
                Any::NONE
            }
        }
    }

    fn known_local(&mut self, bytes: &[u8]) -> Option<(usize, Any)> {
        let known = self.link.session.exports.lock().recall(bytes);
        known.map(|(length, object)| (length, ForwardedObject::unwrap(object)))
    }

    fn remote(&mut self, id_pack: IdPack) -> Any {
        let Some(this) = self.link.handle() else {
            self.wrong = Some(Exception::eof_error("the connection is gone"));
            return Any::NONE;
        };
        self.has_netrefs = true;
        let netref = self.link.session.imports.lock().receive(&this, id_pack);
        Any::Netref(netref)
    }

    fn released(&mut self, args: Vec<Boxed>) -> Vec<Any> {
        self.released = args;
        Vec::new()
    }

    fn discard(&mut self, items: Vec<Any>) {
        self.into.extend(items.into_iter().map(Arrival::Garbage));
    }
}
