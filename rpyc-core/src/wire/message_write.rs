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

/// Appends a request to `out`, as a whole frame.
///
/// # Errors
///
/// It is beyond `limits`; `out` is then as it was.
pub fn encode_request(
    out: &mut FrameBuf,
    envelope: impl Into<Envelope>,
    limits: &Limits,
    compress: bool,
    seq: &Seq,
    handler: Handler,
    args: &[Boxed],
) -> Result<(), EncodeError> {
    let args = Arguments::Listed(args);
    encode_arguments(out, envelope.into(), limits, compress, seq, handler, args)
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
    let mut encoded = Vec::new();
    let mut writer = Writer::new(&mut encoded, limits).of(dialect);
    boxed::write_local(object, &mut writer).ok()?;
    Some(encoded.into())
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

    fn write(self, writer: &mut Writer<'_, FrameBuf>) -> Result<(), Box<EncodeError>> {
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

/// Does as [`encode_request`] does.
pub(crate) fn encode_arguments(
    out: &mut FrameBuf,
    envelope: Envelope,
    limits: &Limits,
    compress: bool,
    seq: &Seq,
    handler: Handler,
    args: Arguments<'_>,
) -> Result<(), EncodeError> {
    let translated = match envelope.dialect.translates_requests() {
        true => envelope.dialect.write_request(handler, &args.to_vec()),
        false => None,
    };
    let (handler, args) = match &translated {
        Some((handler, args)) => (*handler, Arguments::Listed(args)),
        None => (handler, args),
    };
    frame(out, envelope, limits, compress, REQUEST, seq, |writer| {
        writer.pair_of(handler.number());
        args.write(writer)
    })
}

/// Appends a reply to `out`, as a whole frame.
///
/// # Errors
///
/// It is beyond `limits`; `out` is then as it was.
pub fn encode_reply(
    out: &mut FrameBuf,
    envelope: impl Into<Envelope>,
    limits: &Limits,
    compress: bool,
    seq: &Seq,
    result: &Boxed,
) -> Result<(), EncodeError> {
    frame(
        out,
        envelope.into(),
        limits,
        compress,
        REPLY,
        seq,
        |writer| result.write(writer),
    )
}

/// Appends an exception to `out`, as a whole frame.
///
/// # Errors
///
/// It is beyond `limits`; `out` is then as it was.
pub fn encode_exception(
    out: &mut FrameBuf,
    envelope: impl Into<Envelope>,
    limits: &Limits,
    compress: bool,
    seq: &Seq,
    exception: &DumpedException,
) -> Result<(), EncodeError> {
    frame(
        out,
        envelope.into(),
        limits,
        compress,
        EXCEPTION,
        seq,
        |writer| writer.value(&dialect::as_sent(writer.dialect(), exception, limits)),
    )
}

/// Writes the frame of a message whose second part `body` writes.
fn frame(
    out: &mut FrameBuf,
    envelope: Envelope,
    limits: &Limits,
    compress: bool,
    kind: u8,
    seq: &Seq,
    body: impl FnOnce(&mut Writer<'_, FrameBuf>) -> Result<(), Box<EncodeError>>,
) -> Result<(), EncodeError> {
    out.begin();
    let mut writer = Writer::new(out, limits).of(envelope.dialect);
    envelope.write(&mut writer);
    let head = match envelope.dialect.framing() {
        Framing::Pair => {
            writer.put(&[kind, tag::TUPLE_2]);
            Ok(())
        }
        Framing::Triple => writer
            .tuple_header(3)
            .map(|()| writer.small_int(kind.into())),
    };
    let written = head
        .and_then(|()| match seq.foreign() {
            Ok(counter) => {
                writer.unsigned(counter);
                Ok(())
            }
            Err(value) => writer.value(value),
        })
        .and_then(|()| body(&mut writer));
    match written {
        Ok(()) => out.finish(compress, limits),
        Err(error) => {
            out.rollback();
            Err(*error)
        }
    }
}

pub(super) const REQUEST: u8 = 1;
pub(super) const REPLY: u8 = 2;
pub(super) const EXCEPTION: u8 = 3;
