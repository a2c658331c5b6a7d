//! Messages into frames, by reference: nothing is cloned to be sent.

use super::{
    boxed::{self, Boxed, Callee},
    dialect::{self, Dialect, Framing},
    encode::Writer,
    envelope::Envelope,
    error::EncodeError,
    exception::DumpedException,
    framebuf::FrameBuf,
    handler::Handler,
    idpack::IdPack,
    limits::Limits,
    seq::Seq,
    string::Str,
    tag,
    value::Value,
};

/// What a message says, where it stands.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    Request(Handler, Arguments<'a>),
    Reply(&'a Boxed),
    Exception(&'a DumpedException),
}

/// The arguments of a request that is written.
#[derive(Clone, Copy)]
pub(crate) enum Arguments<'a> {
    /// Any request's.
    Listed(&'a [Boxed]),
    /// Those of CALL and CALLATTR, whose parts need not be put together for that.
    Call {
        callee: Callee<'a>,
        positional: &'a [Boxed],
        /// Pairs of names and values.
        keyword: &'a [Boxed],
    },
}

/// A reference to an object of the peer's, encoded; `None` if it can't be.
pub(crate) fn encode_reference(
    object: &IdPack,
    dialect: Dialect,
    limits: &Limits,
) -> Option<Box<[u8]>> {
    let mut encoded = FrameBuf::new();
    let mut writer = Writer::new(&mut encoded, limits).of(dialect);
    boxed::write_local(object, &mut writer).ok()?;
    Some(encoded.into_bytes().into())
}

impl Arguments<'_> {
    /// The same, put together.
    pub(crate) fn to_vec(self) -> Vec<Boxed> {
        match self {
            Self::Listed(args) => args.to_vec(),
            Self::Call {
                callee,
                positional,
                keyword,
            } => {
                let mut args = vec![Boxed::LocalRef(callee.object.clone())];
                args.extend(
                    callee
                        .method
                        .map(|name| Boxed::Value(Value::Str(Str::from(name)))),
                );
                args.extend([positional, keyword].map(|items| Boxed::tuple(items.to_vec())));
                args
            }
        }
    }

    fn write(self, writer: &mut Writer<'_>) -> Result<(), Box<EncodeError>> {
        match self {
            Self::Listed(args) => Boxed::write_tuple(args, writer),
            Self::Call {
                callee,
                positional,
                keyword,
            } => boxed::write_call(callee, positional, keyword, writer),
        }
    }
}

/// Appends a message to `out`, as a whole frame.
///
/// # Errors
///
/// It is beyond `limits`; `out` is then as it was.
// Inlined, because each caller has one kind of message: 75 instructions of a reply, 1.6 % of a null call.
#[inline(always)]
pub(crate) fn encode(
    out: &mut FrameBuf,
    envelope: Envelope,
    limits: &Limits,
    compress: bool,
    seq: &Seq,
    body: Body<'_>,
) -> Result<(), EncodeError> {
    out.begin();
    match write(out, envelope, limits, seq, body) {
        Ok(()) => out.finish(compress, limits),
        Err(error) => {
            out.rollback();
            Err(*error)
        }
    }
}

#[inline(always)]
fn write(
    out: &mut FrameBuf,
    envelope: Envelope,
    limits: &Limits,
    seq: &Seq,
    body: Body<'_>,
) -> Result<(), Box<EncodeError>> {
    let dialect = envelope.dialect;
    let mut writer = Writer::new(out, limits).of(dialect);
    envelope.write(&mut writer);
    let kind = match body {
        Body::Request(..) => REQUEST,
        Body::Reply(_) => REPLY,
        Body::Exception(_) => EXCEPTION,
    };
    match dialect.framing() {
        Framing::Pair => writer.put(&[kind, tag::TUPLE_2]),
        Framing::Triple => {
            writer.tuple_header(3)?;
            writer.small_int(kind.into());
        }
    }
    match seq.foreign() {
        Ok(counter) => writer.unsigned(counter),
        Err(value) => writer.value(value)?,
    }
    match body {
        Body::Reply(result) => result.write(&mut writer),
        Body::Exception(exception) => writer.value(&dialect::as_sent(dialect, exception, limits)),
        Body::Request(handler, args) => {
            let translated = match dialect.translates_requests() {
                true => dialect.write_request(handler, &args.to_vec()),
                false => None,
            };
            let (handler, args) = match &translated {
                Some((handler, args)) => (*handler, Arguments::Listed(args)),
                None => (handler, args),
            };
            writer.pair_of(handler.number());
            args.write(&mut writer)
        }
    }
}

pub(super) const REQUEST: u8 = 1;
pub(super) const REPLY: u8 = 2;
pub(super) const EXCEPTION: u8 = 3;
