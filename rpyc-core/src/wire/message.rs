//! Payloads into messages.

use bytes::Bytes;

use super::{
    boxed::{self, Boxed},
    boxed_read::{self, AsBoxed, Problem, Resolver},
    decode,
    dialect::{Dialect, Framing},
    envelope::Envelope,
    error::{DecodeError, DecodeErrorKind, EncodeError, ShapeError},
    exception::DumpedException,
    frame::Payload,
    framebuf::FrameBuf,
    handler::Handler,
    int::Int,
    limits::Limits,
    message_write::{self, Arguments, Body, EXCEPTION, REPLY, REQUEST},
    reader::Reader,
    seq::Seq,
    tag,
};

/// What one frame says.
#[derive(Debug, Clone, PartialEq)]
pub enum Message<T = Boxed> {
    /// Do something, and answer under the same number.
    Request {
        /// The number to answer under.
        seq: Seq,
        /// What to do.
        handler: Handler,
        /// What to do it with.
        args: Vec<T>,
    },
    /// A request's result.
    Reply {
        /// The request's number.
        seq: Seq,
        /// The result.
        result: T,
    },
    /// How a request failed.
    Exception {
        /// The request's number.
        seq: Seq,
        /// The exception.
        exception: DumpedException,
    },
}

/// Why a payload is no message, and what is left to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MessageError {
    /// Nothing can be answered: close the connection.
    #[error("unreadable message")]
    Fatal(#[from] DecodeError),
    /// A request that makes no sense, but can be answered with an exception.
    #[error("malformed request {seq}: {reason}")]
    BadRequest {
        /// The number to answer under.
        seq: Seq,
        /// The class of the exception: as in Python a ValueError for an unknown label, else a TypeError.
        class: &'static str,
        /// What is wrong with it, for the exception's text.
        reason: String,
    },
    /// A reply or an exception that makes no sense: whoever waits for it is told so.
    #[error("malformed reply to request {seq}: {reason}")]
    BadReply {
        /// The request's number.
        seq: Seq,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<Box<DecodeError>> for MessageError {
    fn from(error: Box<DecodeError>) -> Self {
        Self::Fatal(*error)
    }
}

impl Message {
    /// The message in a payload, or behind what [`Envelope::open`] took off it. What follows it is ignored, as Python's rpyc does.
    ///
    /// # Errors
    ///
    /// See [`MessageError`]; only the peer can be the cause. Bytes that are no value are always fatal, even if the
    /// number of the request is known.
    pub fn decode(
        payload: &Bytes,
        dialect: Dialect,
        limits: &Limits,
    ) -> Result<Self, MessageError> {
        let payload = Payload::Whole(payload.clone());
        Message::read(&payload, dialect, limits, &mut AsBoxed)
    }

    /// Appends it to `out`, as a whole frame.
    ///
    /// # Errors
    ///
    /// It is beyond `limits`; `out` is then as it was.
    pub fn encode(
        &self,
        out: &mut FrameBuf,
        envelope: impl Into<Envelope>,
        limits: &Limits,
        compress: bool,
    ) -> Result<(), EncodeError> {
        let (seq, body) = match self {
            Self::Request { seq, handler, args } => {
                (seq, Body::Request(*handler, Arguments::Listed(args)))
            }
            Self::Reply { seq, result } => (seq, Body::Reply(result)),
            Self::Exception { seq, exception } => (seq, Body::Exception(exception)),
        };
        message_write::encode(out, envelope.into(), limits, compress, seq, body)
    }
}

impl<T> Message<T> {
    /// The same, with what the resolver makes of its values and references.
    pub(crate) fn read(
        payload: &Payload<'_>,
        dialect: Dialect,
        limits: &Limits,
        resolver: &mut impl Resolver<Item = T>,
    ) -> Result<Self, MessageError> {
        let reader = &mut Reader::of_payload(payload, limits).of(dialect);
        let kind = kind(reader)?;
        let seq = seq(reader)?;
        let problem = match kind {
            REQUEST => match request(reader, resolver) {
                Ok((handler, args)) => return Ok(Self::Request { seq, handler, args }),
                Err(problem) => problem,
            },
            REPLY => match boxed_read::read(reader, resolver, |result| result) {
                Ok(result) => return Ok(Self::Reply { seq, result }),
                Err(problem) => problem,
            },
            _ => match exception(reader) {
                Ok(exception) => return Ok(Self::Exception { seq, exception }),
                Err(problem) => problem,
            },
        };
        Err(match problem {
            Problem::Decode(error) => error.into(),
            Problem::Shape(error) => misshapen(payload, dialect, limits, kind, seq, &error),
        })
    }
}

/// Reads the head of a message, up to its sequence number.
#[inline]
pub(super) fn kind(reader: &mut Reader<'_>) -> Result<u8, Box<DecodeError>> {
    let start = reader.offset();
    let known = |kind: u8| match kind {
        REQUEST | REPLY | EXCEPTION => Ok(kind),
        _ => Err(DecodeError::at(
            start,
            DecodeErrorKind::UnknownMessage(kind),
        )),
    };
    match reader.dialect().framing() {
        Framing::Pair => {
            let kind = known(reader.u8("message type")?)?;
            if !reader.skip(tag::TUPLE_2) {
                decode::head_of_parts(reader, "message", 2)?;
            }
            Ok(kind)
        }
        Framing::Triple => {
            decode::head_of_parts(reader, "message", 3)?;
            let kind = decode::value(reader)?.as_int().and_then(Int::to_u64);
            known(kind.and_then(|kind| u8::try_from(kind).ok()).unwrap_or(0))
        }
    }
}

#[inline]
pub(super) fn seq(reader: &mut Reader<'_>) -> Result<Seq, Box<DecodeError>> {
    let before = reader.left();
    let seq = match reader.short_int() {
        Some(int) => int.into(),
        None => decode::value(reader)?.into(),
    };
    let length = before.saturating_sub(reader.left());
    match length <= reader.limits().max_seq {
        true => Ok(seq),
        false => Err(seq_too_long(reader, length)),
    }
}

#[cold]
fn seq_too_long(reader: &Reader<'_>, length: usize) -> Box<DecodeError> {
    let limit = reader.limits().max_seq;
    let start = reader.offset().saturating_sub(length);
    DecodeError::at(start, DecodeErrorKind::SeqTooLong { length, limit })
}

/// Reads the head of a request, up to its handler.
#[inline]
pub(super) fn handler(reader: &mut Reader<'_>) -> Result<Handler, Problem> {
    boxed_read::tuple_of(reader, 2, "a pair of handler and arguments")?;
    Ok(match reader.short_int() {
        Some(number) => Handler::from_number(number),
        None => Handler::from_value(&decode::value(reader)?)?,
    })
}

fn request<R: Resolver>(
    reader: &mut Reader<'_>,
    resolver: &mut R,
) -> Result<(Handler, Vec<R::Item>), Problem> {
    let handler = handler(reader)?;
    let dialect = reader.dialect();
    if handler != Handler::Del && !dialect.references().are_numbers() {
        return Ok((handler, boxed_read::read_args(reader, resolver)?));
    }
    let args = boxed_read::read_args(reader, &mut AsBoxed)?;
    let (handler, args) = dialect.read_request(handler, args);
    let args = match handler {
        Handler::Del => resolver.released(args),
        _ => args.into_iter().map(|arg| resolver.boxed(arg)).collect(),
    };
    Ok((handler, args))
}

fn exception(reader: &mut Reader<'_>) -> Result<DumpedException, Problem> {
    let limits = reader.limits();
    let exception = DumpedException::from_value(decode::value(reader)?, limits)?;
    Ok(reader.dialect().read_exception(exception))
}

/// The error for a message with a part that does not belong there: fatal after all if its bytes are no value.
fn misshapen(
    payload: &Payload<'_>,
    dialect: Dialect,
    limits: &Limits,
    kind: u8,
    seq: Seq,
    error: &ShapeError,
) -> MessageError {
    let mut reader = Reader::of_payload(payload, limits).of(dialect).lenient();
    let checked = match dialect.framing() {
        Framing::Pair => reader
            .u8("message type")
            .and_then(|_| decode::value(&mut reader)),
        Framing::Triple => decode::value(&mut reader),
    };
    if let Err(error) = checked {
        return error.into();
    }
    let reason = error.to_string();
    if kind == REQUEST {
        let class = match error.expected {
            boxed::LABEL => "ValueError",
            _ => "TypeError",
        };
        MessageError::BadRequest { seq, class, reason }
    } else {
        MessageError::BadReply { seq, reason }
    }
}
