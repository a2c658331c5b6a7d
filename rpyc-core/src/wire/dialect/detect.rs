//! Which dialect a peer speaks: what its messages show, one after the other.

use bytes::Bytes;

use super::super::{
    boxed::{LOCAL_REF, REMOTE_REF, TUPLE, VALUE},
    boxed_read, decode,
    error::{DecodeError, DecodeErrorKind},
    frame::Payload,
    handler::Handler,
    limits::Limits,
    message,
    message_write::{REPLY, REQUEST},
    reader::Reader,
    tag,
    value::Value,
};
use super::{Dialect, Framing, Python, References, ThreadIds};

impl Dialect {
    /// The dialect of a peer whose first payload (not an empty one) this is.
    ///
    /// # Errors
    ///
    /// No dialect spoken here starts so.
    pub fn detect(first_payload: &[u8]) -> Result<Self, DecodeError> {
        // An id of a thread has a zero in its top byte wherever Python runs; no message begins so.
        let threads = match first_payload {
            [0, _, _, _, _, _, _, _, tag::TUPLE_3, ..] => ThreadIds::Short,
            [0, ..] => ThreadIds::Long,
            _ => ThreadIds::Absent,
        };
        let message = first_payload.get(threads.length()..).unwrap_or_default();
        let dialect = match message {
            [1..=3, ..] => Self::CURRENT,
            [tag::TUPLE_3, ..] | [tag::TUPLE_L1, 3, ..] | [tag::TUPLE_L4, 0, 0, 0, 3, ..] => {
                Self::LEGACY
            }
            [first, ..] => {
                let kind = DecodeErrorKind::UnknownDialect { first: *first };
                return Err(*DecodeError::at(threads.length(), kind));
            }
            [] => {
                let kind = DecodeErrorKind::Truncated {
                    reading: "message type",
                    needed: threads.length().saturating_add(1),
                    left: first_payload.len(),
                };
                return Err(*DecodeError::at(0, kind));
            }
        };
        Ok(Self { threads, ..dialect })
    }

    /// What is known of the dialect once this message, [opened](super::super::Envelope::open), has come.
    ///
    /// This very message is read by the result. What isn't a message changes nothing.
    #[must_use]
    pub fn learn(self, message: &Bytes, limits: &Limits) -> Self {
        self.learn_from(&Payload::Whole(message.clone()), limits)
    }

    /// The same for a message that may lie among others.
    pub(crate) fn learn_from(self, message: &Payload<'_>, limits: &Limits) -> Self {
        if self.is_settled() {
            return self;
        }
        let mut reader = Reader::of_payload(message, limits).of(self);
        self.with_message(&mut reader).unwrap_or(self)
    }

    /// What is known with this message, if it tells anything. What can't tell isn't read: it is read once more for
    /// itself, and a peer may say nothing else.
    fn with_message(self, reader: &mut Reader<'_>) -> Option<Self> {
        let has_kinds = self.framing == Framing::Pair;
        let kind = message::kind(reader).ok()?;
        message::seq(reader).ok()?;
        match kind {
            REQUEST => {
                let handler = message::handler(reader).ok()?;
                let label = boxed_read::label(reader).ok()?;
                if label == VALUE && !has_target(handler) && handler != Handler::Type {
                    return None;
                }
                let args = decode::value(reader).ok()?;
                let items = args.as_tuple()?;
                match has_kinds {
                    true => self.with_kinds(items_of_request(handler, label, items)),
                    false => Some(self.learn_from_request(handler, label, items)),
                }
            }
            REPLY => {
                let label = boxed_read::label(reader)
                    .ok()
                    .filter(|label| *label != VALUE)?;
                let value = decode::value(reader).ok()?;
                match has_kinds {
                    true => self.with_kinds(items_of_reference((label, &value))),
                    false => Some(self.learn_from_boxed((label, &value))),
                }
            }
            // An exception, which begins with the module and the name of its class.
            _ if self.python == Python::Unknown => {
                let value = decode::value(reader).ok()?;
                let (module, _) = pair(value.as_tuple()?.first()?)?;
                Some(self.learn_from_name(module))
            }
            _ => None,
        }
    }

    /// What is known once a request that only rpyc 4.0 can make sense of was answered: whether the answer told of a
    /// handler that isn't there.
    pub(crate) fn learn_from_probe(mut self, no_such_handler: bool) -> Self {
        if self.references == References::Number {
            self.references = match no_such_handler {
                true => References::NumberBare,
                false => References::NumberBoxed,
            };
        }
        self
    }

    /// Whether the peer has to be asked which version it is before it can be asked about an object. The question is
    /// [`CtxExit`](Handler::CtxExit) without arguments, which does nothing wherever it goes.
    pub(crate) fn needs_probe(self) -> bool {
        self.references == References::Number
    }

    /// Whether the peer tells kinds: a reference of its own, or one that it gives back, has them, or it asks for what
    /// nobody else does.
    fn with_kinds(self, items: Option<usize>) -> Option<Self> {
        let references = match items? {
            // A peer that doesn't know either does without kinds, and so do both sides.
            3 | 5 => References::IdPack,
            4 => References::IdPackWithKind,
            _ => return None,
        };
        Some(Self { references, ..self })
    }

    fn learn_from_request(mut self, handler: Handler, label: i64, items: &[Value]) -> Self {
        let by_value = label == VALUE;
        if !by_value {
            self = self.learn_from_all(items);
        }
        if !has_target(handler) {
            return self;
        }
        let item = |index| match items.get(index) {
            Some(value) if by_value => Some((VALUE, value)),
            item => item.and_then(labelled),
        };
        let undecided = matches!(self.references, References::Unknown | References::Number);
        if let Some((label, target)) = item(0).filter(|_| undecided) {
            let number = matches!(target, Value::Int(_) | Value::Str(_) | Value::Bytes(_));
            self.references = match (number, handler, label) {
                (true, Handler::Inspect, _) => References::Number,
                (true, _, VALUE) => References::NumberBare,
                (true, _, LOCAL_REF) => References::NumberBoxed,
                (false, Handler::Inspect, _) | (false, _, LOCAL_REF) => References::IdPack,
                _ => self.references,
            };
        }
        match item(1) {
            Some((_, name)) if is_about_a_name(handler) => self.learn_from_name(name),
            _ => self,
        }
    }

    fn learn_from_all(self, items: &[Value]) -> Self {
        let items = items.iter().filter_map(labelled);
        items.fold(self, Self::learn_from_boxed)
    }

    fn learn_from_boxed(mut self, (label, value): (i64, &Value)) -> Self {
        let Some(items) = value.as_tuple() else {
            return self;
        };
        let (references, name) = match (label, items) {
            (TUPLE, items) => return self.learn_from_all(items),
            (REMOTE_REF, [Value::Int(_), name, _]) => (References::Number, name),
            (REMOTE_REF, [name @ (Value::Str(_) | Value::Bytes(_)), ..]) => {
                (References::IdPack, name)
            }
            _ => return self,
        };
        if self.references == References::Unknown {
            self.references = references;
        }
        self.learn_from_name(name)
    }

    /// A name that Python itself made: bytes in Python 2, a str in Python 3.
    fn learn_from_name(mut self, name: &Value) -> Self {
        match (self.python, name) {
            (Python::Unknown, Value::Bytes(_)) => self.python = Python::Two,
            (Python::Unknown, Value::Str(_)) => self.python = Python::Three,
            _ => {}
        }
        self
    }
}

/// How many items the first reference of a request has, of rpyc 6 or rpyc-ng.
fn items_of_request(handler: Handler, label: i64, items: &[Value]) -> Option<usize> {
    match (handler, label) {
        // They name no object as a rule.
        (Handler::Ping | Handler::Close | Handler::GetRoot, _) => None,
        (Handler::Bool | Handler::SubclassCheck | Handler::Type, _) => Some(4),
        (Handler::Inspect | Handler::Del, VALUE) => items.first()?.as_tuple().map(<[_]>::len),
        (_, TUPLE) => items_of_first(items),
        _ => None,
    }
}

/// How many items the first reference in there has.
fn items_of_first(boxed: &[Value]) -> Option<usize> {
    boxed
        .iter()
        .filter_map(labelled)
        .find_map(items_of_reference)
}

fn items_of_reference((label, value): (i64, &Value)) -> Option<usize> {
    let items = value.as_tuple()?;
    match label {
        TUPLE => items_of_first(items),
        LOCAL_REF | REMOTE_REF => Some(items.len()),
        _ => None,
    }
}

/// Whether a request's first argument is the object that it is about.
pub(super) fn has_target(handler: Handler) -> bool {
    !matches!(
        handler,
        Handler::Ping | Handler::Close | Handler::GetRoot | Handler::Type | Handler::Other(_)
    )
}

/// Whether a request's second argument is the name of an attribute.
fn is_about_a_name(handler: Handler) -> bool {
    matches!(
        handler,
        Handler::GetAttr | Handler::DelAttr | Handler::SetAttr | Handler::CallAttr
    )
}

/// A boxed value: its label, and what stands behind it.
fn labelled(boxed: &Value) -> Option<(i64, &Value)> {
    let (label, value) = pair(boxed)?;
    Some((label.as_i64()?, value))
}

fn pair(value: &Value) -> Option<(&Value, &Value)> {
    match value.as_tuple()? {
        [first, second] => Some((first, second)),
        _ => None,
    }
}
