//! What tells the versions of the wire apart, and what stands around their messages.

use bytes::Bytes;
use rpyc_core::codec::{
    DecodeErrorKind, Dialect, Envelope, FrameBuf, FrameDecoder, Handler, Message, Seq, Threads,
};

use crate::{bytes_of, frames::feed, limits};

const GETROOT: &[u8] = b"\x01\x11\x50\x11\x53\x11\x51\x02";

fn behind(header: &[u8], message: &[u8]) -> Vec<u8> {
    [header, message].concat()
}

#[test]
fn the_first_payload_tells_the_dialect() {
    for kind in 1..=3 {
        assert_eq!(Dialect::detect(&[kind, 0x11]), Ok(Dialect::V6));
    }
    let thread = b"\0\0\x7f\x12\x34\x56\x78\x90";
    let bound = behind(thread, &behind(&[0; 8], GETROOT));
    assert_eq!(Dialect::detect(&bound), Ok(Dialect::V6.with_threads()));
    for (payload, looks_like) in [
        (&b"\x12\x51\x50"[..], "a peer with rpyc 5.3 or older"),
        (b"\x04", "not a message of RPyC"),
        (b"\xff", "not a message of RPyC"),
        (&behind(&[0; 16], b"\x04\x11"), "not a message of RPyC"),
        // A short header in front of a message of rpyc 6: no version sends it.
        (&behind(&[0; 8], GETROOT), "not a message of RPyC"),
        (&[0; 17], "not a message of RPyC"),
    ] {
        let kind = Dialect::detect(payload).unwrap_err().kind;
        let found = matches!(kind, DecodeErrorKind::UnknownDialect { looks_like: found, .. } if found == looks_like);
        assert!(
            found || matches!(kind, DecodeErrorKind::Truncated { .. }),
            "{payload:x?}: {kind:?}"
        );
    }
    for length in [0, 1, 8, 15, 16] {
        let kind = Dialect::detect(&vec![0; length]).unwrap_err().kind;
        let truncated = matches!(kind, DecodeErrorKind::Truncated { left, .. } if left == length);
        assert!(truncated, "{length} zeros: {kind:?}");
    }
}

#[test]
fn the_threads_of_a_message_are_told_and_read() {
    let dialect = Dialect::V6.with_threads();
    let threads = Threads {
        sender: 0x7f00_1234_5678,
        recipient: 9,
    };
    let message = Message::Request {
        seq: Seq::new(0),
        handler: Handler::GetRoot,
        args: Vec::new(),
    };
    let mut out = FrameBuf::new();
    let envelope = Envelope { dialect, threads };
    message
        .encode(&mut out, envelope, &limits(), false)
        .unwrap();
    let mut decoder = FrameDecoder::new(limits());
    let payload = feed(&mut decoder, &bytes_of(&mut out)).unwrap().remove(0);
    let header = b"\0\0\x7f\0\x12\x34\x56\x78\0\0\0\0\0\0\0\x09";
    assert_eq!(payload, behind(header, GETROOT));
    let (read, rest) = Envelope::open(dialect, payload).unwrap();
    assert_eq!(read, threads);
    assert_eq!(Message::decode(&rest, dialect, &limits()).unwrap(), message);
}

#[test]
fn without_threads_a_payload_is_the_message() {
    let payload = Bytes::from_static(GETROOT);
    let (threads, message) = Envelope::open(Dialect::V6, payload.clone()).unwrap();
    assert_eq!((threads, message), (Threads::default(), payload));
}

#[test]
fn a_payload_shorter_than_its_threads_is_an_error() {
    for length in 0..16 {
        let payload = Bytes::from(vec![0; length]);
        let error = Envelope::open(Dialect::V6.with_threads(), payload).unwrap_err();
        let truncated =
            matches!(error.kind, DecodeErrorKind::Truncated { left, .. } if left == length);
        assert!(truncated, "{length} bytes: {error}");
    }
}
