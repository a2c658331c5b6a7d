//! Messages into frames, by reference: nothing is cloned to be sent.

use super::{
    boxed::Boxed,
    dialect::{self, Framing},
    encode::Writer,
    envelope::Envelope,
    error::EncodeError,
    exception::DumpedException,
    framebuf::FrameBuf,
    handler::Handler,
    limits::Limits,
    message::{EXCEPTION, REPLY, REQUEST},
    seq::Seq,
    tag,
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
    let envelope = envelope.into();
    let translated = envelope.dialect.write_request(handler, args);
    let (handler, args) = match &translated {
        Some((handler, args)) => (*handler, args.as_slice()),
        None => (handler, args),
    };
    frame(out, envelope, limits, compress, REQUEST, seq, |writer| {
        writer.pair_of(handler.number());
        Boxed::write_tuple(args, writer)
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
