//! What the reader makes of a frame: a message with its references resolved.
//!
//! Only one thread reads a connection at a time, so this runs in the order of arrival without the
//! dispatcher's lock. It runs no foreign code: what is to be dropped is handed on.

use bytes::Bytes;

use super::boxing::unknown_object;
use super::exports::ReleaseError;
use super::request::Request;
use super::session::{Link, Session};
use crate::dispatch::{Arrival, Decoded, ReplyTo};
use crate::error::{CloseReason, Error};
use crate::exception::Exception;
use crate::object::{Any, ObjectRef};
use crate::wire::{Boxed, Envelope, Handler, Message, MessageError, Threads, Value};

impl Link {
    /// Decodes and resolves one message; see [`Protocol::decode`](crate::dispatch::Protocol::decode).
    pub(super) fn decode_frame(
        &self,
        payload: Bytes,
        is_first: bool,
        into: &mut Vec<Arrival<Session>>,
    ) -> Result<Decoded, CloseReason> {
        let encoding = &self.session.encoding;
        if is_first {
            encoding.meet(&payload, self.session.counts.has_spoken())?;
        }
        let known = encoding.dialect();
        let opened = Envelope::open(known, payload);
        let (threads, payload) = opened.map_err(CloseReason::Wire)?;
        let dialect = encoding.learn(known, &payload);
        let (mut is_valid, mut memory) = (false, 0);
        match Message::decode(&payload, dialect, &encoding.limits) {
            Ok(message) => {
                is_valid = true;
                self.trace_incoming(&message);
                memory = self.resolve_message(message, threads, into);
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

    /// Adds what the message is to the arrivals; says how much memory it takes.
    fn resolve_message(
        &self,
        message: Message,
        threads: Threads,
        into: &mut Vec<Arrival<Session>>,
    ) -> usize {
        let mut memory = 0;
        match message {
            Message::Request {
                seq,
                handler: Handler::Del,
                args,
            } => {
                self.handle_del(&ReplyTo { seq, threads }, &args, into);
            }
            Message::Request {
                seq,
                handler: Handler::Close,
                ..
            } => {
                into.push(Arrival::Close(ReplyTo { seq, threads }));
            }
            Message::Request { seq, handler, args } => {
                let to = ReplyTo { seq, threads };
                match self.unbox_all(args, into) {
                    Ok(args) => {
                        let request = Request { to, handler, args };
                        memory = request.memory();
                        into.push(Arrival::Request {
                            request,
                            bytes: memory,
                        });
                    }
                    Err(exception) => self.reply_exception(&to, &exception),
                }
            }
            Message::Reply { seq, result } => {
                let reply = match self.unbox(result) {
                    Ok(result) => {
                        memory = result.heap_size();
                        Ok(result)
                    }
                    Err(exception) => Err(Error::Protocol(format!(
                        "the reply refers to what isn't there: {exception}"
                    ))),
                };
                into.push(Arrival::Reply {
                    seq,
                    reply,
                    bytes: memory,
                });
            }
            Message::Exception { seq, exception } => {
                let config = self.session.config();
                let mut exception = Exception::load(exception);
                if config.instantiate_custom_exceptions {
                    exception = exception.known_by(&config.known_exceptions);
                }
                memory = exception.heap_size();
                let reply = Err(Error::Remote(exception));
                into.push(Arrival::Reply {
                    seq,
                    reply,
                    bytes: memory,
                });
            }
        }
        memory
    }

    /// Resolves a request's arguments, each of them, so that every reference that came is
    /// counted; what was resolved beside a wrong one is handed on to be dropped.
    fn unbox_all(
        &self,
        args: Vec<Boxed>,
        into: &mut Vec<Arrival<Session>>,
    ) -> Result<Vec<Any>, Exception> {
        let mut resolved = Vec::with_capacity(args.len());
        let mut wrong = None;
        for arg in args {
            match arg {
                Boxed::Value(value) => resolved.push(Any::Value(value)),
                arg => match self.unbox(arg) {
                    Ok(arg) => resolved.push(arg),
                    Err(exception) => wrong = Some(exception),
                },
            }
        }
        match wrong {
            None => Ok(resolved),
            Some(exception) => {
                into.extend(resolved.into_iter().map(Arrival::Garbage));
                Err(exception)
            }
        }
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
    fn trace_incoming(&self, message: &Message) {
        // Asked first, because it takes no lock.
        if log::max_level() < log::Level::Debug {
            return;
        }
        let config = self.session.config();
        if config.debug {
            log::debug!(target: &config.logger, "{} <- {message:?}", self.session.connid);
        }
    }
}
