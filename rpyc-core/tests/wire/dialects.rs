//! What tells the versions of the wire apart, and what stands around their messages.

use bytes::Bytes;
use rpyc_core::wire::{
    Boxed, ClassId, DecodeErrorKind, Dialect, Envelope, FrameBuf, FrameDecoder, Handler, IdPack,
    InstanceId, Message, MessageError, Seq, Threads,
};

use crate::{bytes_of, frames::feed, hex, limits};

const GETROOT: &[u8] = b"\x01\x11\x50\x11\x53\x11\x51\x02";

fn behind(header: &[u8], message: &[u8]) -> Vec<u8> {
    [header, message].concat()
}

#[test]
fn the_first_payload_tells_the_dialect() {
    for kind in 1..=3 {
        assert_eq!(Dialect::detect(&[kind, 0x11]), Ok(Dialect::CURRENT));
    }
    let thread = b"\0\0\x7f\x12\x34\x56\x78\x90";
    let bound = behind(thread, &behind(&[0; 8], GETROOT));
    assert_eq!(Dialect::detect(&bound), Ok(Dialect::CURRENT.with_threads()));
    for head in [&b"\x12"[..], b"\x14\x03", b"\x15\0\0\0\x03"] {
        assert_eq!(Dialect::detect(head), Ok(Dialect::LEGACY));
        let bound = behind(&[0; 16], head);
        let threads = Dialect::LEGACY.with_threads();
        assert_eq!(Dialect::detect(&bound), Ok(threads));
    }
    // rpyc 5.3.0 has ids of 32 bits.
    let short = Dialect::detect(&behind(&[0, 0, 0, 9, 0, 0, 0, 0], b"\x12")).unwrap();
    assert!(short.has_threads() && short != Dialect::LEGACY.with_threads());
    for payload in [
        &b"\x04"[..],
        b"\xff",
        b"\x14\x02",
        b"\x14",
        b"\x15\0\0\x03\0",
        &behind(&[0; 16], b"\x04\x11"),
        // A short header in front of a message of rpyc 6: no version sends it.
        &behind(&[0; 8], &behind(GETROOT, &[0; 8])),
        &[0; 17],
    ] {
        let kind = Dialect::detect(payload).unwrap_err().kind;
        assert!(
            matches!(kind, DecodeErrorKind::UnknownDialect { .. }),
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

/// What the messages of a conversation show of its dialect, one after the other.
#[track_caller]
fn learnt(messages: &[&str]) -> String {
    let mut dialect = Dialect::LEGACY;
    for message in messages {
        dialect = dialect.learn(&Bytes::from(hex(message)), &limits());
    }
    dialect.to_string()
}

// Requests of a client: its messages and those of rpyc 3, 4.0 and 4.1 about the root.
const ROOT_ASKED: &str = "12 51 50 11 53 11 51 02";
const INSPECT_STR: &str = "12 51 51 11 60 11 51 10 08 0c 612e62";
const INSPECT_ID_PACK: &str = "12 51 51 11 60 11 51 10 12 08 0c 612e62 51 52";
const GETATTR_BARE: &str = "12 51 52 11 54 11 51 11 08 0c 612e62 08 0a 78";
const GETATTR_BARE_PYTHON_2: &str = "12 51 52 11 54 11 51 11 08 0c 612e62 0a 78";
const GETATTR_BOXED: &str = "12 51 52 11 54 11 52 11 11 53 08 0c 612e62 11 51 08 0a 78";
const GETATTR_ID_PACK: &str = "12 51 52 11 54 11 52 11 11 53 12 08 0c 612e62 51 52 11 51 08 0a 78";

#[test]
fn what_a_legacy_peer_says_tells_its_version() {
    for (messages, version) in [
        (&[][..], "rpyc 5.3 or older"),
        (&[ROOT_ASKED], "rpyc 5.3 or older"),
        (&[ROOT_ASKED, INSPECT_STR], "rpyc 4.0 or older"),
        (&[ROOT_ASKED, INSPECT_STR, GETATTR_BARE], "rpyc 3"),
        (
            &[ROOT_ASKED, INSPECT_STR, GETATTR_BARE_PYTHON_2],
            "rpyc 3 on Python 2",
        ),
        (&[ROOT_ASKED, INSPECT_STR, GETATTR_BOXED], "rpyc 4.0"),
        (&[ROOT_ASKED, INSPECT_ID_PACK], "rpyc 4.1 to 5.3"),
        (&[ROOT_ASKED, GETATTR_ID_PACK], "rpyc 4.1 to 5.3"),
        // A root that is answered with.
        (
            &["12 52 50 11 54 12 16 03 393939 08 0a 41 08 0a 6d"],
            "rpyc 4.0 or older",
        ),
        (&["12 52 50 11 54 12 08 0a 41 51 52"], "rpyc 4.1 to 5.3"),
        // What is no message, or says nothing.
        (
            &[
                "",
                "12",
                "50",
                "12 51 50 11 51 11 51 10 11 54 12 51 0a 41 0a 6d",
            ],
            "rpyc 5.3 or older",
        ),
    ] {
        assert_eq!(learnt(messages), version, "{messages:?}");
    }
}

#[test]
fn what_has_been_learnt_stays() {
    let all = [
        ROOT_ASKED,
        INSPECT_STR,
        GETATTR_BARE,
        INSPECT_ID_PACK,
        GETATTR_ID_PACK,
    ];
    assert_eq!(learnt(&all), "rpyc 3");
    let v6 = Dialect::V6.learn(&Bytes::from(hex(GETATTR_BARE)), &limits());
    assert_eq!(v6, Dialect::V6);
}

#[test]
fn requests_of_old_versions_are_read_in_the_terms_of_the_newest() {
    let read = |messages: &[&str]| {
        let mut dialect = Dialect::LEGACY;
        let mut last = None;
        for message in messages {
            let payload = Bytes::from(hex(message));
            dialect = dialect.learn(&payload, &limits());
            last = Some(Message::decode(&payload, dialect, &limits()).unwrap());
        }
        last.unwrap()
    };
    let root = IdPack::new("a.b", ClassId(0), InstanceId(0));
    let getattr = Message::Request {
        seq: Seq::new(2),
        handler: Handler::GetAttr,
        args: vec![Boxed::LocalRef(root.clone()), Boxed::from("x")],
    };
    assert_eq!(read(&[ROOT_ASKED, INSPECT_STR, GETATTR_BARE]), getattr);
    assert_eq!(read(&[ROOT_ASKED, INSPECT_STR, GETATTR_BOXED]), getattr);
    let inspect = Message::Request {
        seq: Seq::new(1),
        handler: Handler::Inspect,
        args: vec![Boxed::Value(root.to_value())],
    };
    assert_eq!(read(&[ROOT_ASKED, INSPECT_STR]), inspect);
    // rpyc 3: CALLATTR(9, "__eq__", (1,), ()) is CMP(9, 1, "__eq__").
    let equal = "12 51 53 11 58 11 51 13 59 08 0e 06 5f5f65715f5f 10 51 02";
    let Message::Request { handler, args, .. } =
        read(&[ROOT_ASKED, INSPECT_STR, GETATTR_BARE, equal])
    else {
        panic!("no request");
    };
    assert_eq!(handler, Handler::Cmp);
    let nine = IdPack::new("", ClassId(0), InstanceId(9));
    assert_eq!(
        args,
        [Boxed::LocalRef(nine), Boxed::from(1), Boxed::from("__eq__")]
    );
}

/// The dialect that the messages show, and the result in the last one, a reply.
fn result_of(messages: &[&str]) -> (Dialect, Boxed) {
    let mut dialect = Dialect::LEGACY;
    let mut result = Boxed::from(0);
    for message in messages {
        let payload = Bytes::from(hex(message));
        dialect = dialect.learn(&payload, &limits());
        if let Ok(Message::Reply { result: read, .. }) =
            Message::decode(&payload, dialect, &limits())
        {
            result = read;
        }
    }
    (dialect, result)
}

#[test]
fn peers_that_tell_no_numbers_of_classes_tell_them_by_name() {
    let class = |reply: &str| {
        let (_, result) = result_of(&[ROOT_ASKED, INSPECT_STR, GETATTR_BARE, reply]);
        match result {
            Boxed::RemoteRef(id_pack) => id_pack.class,
            other => panic!("no reference: {other:?}"),
        }
    };
    let one = class("12 52 50 11 54 12 59 08 0a 41 08 0a 6d");
    let same = class("12 52 50 11 54 12 60 08 0a 41 08 0a 6d");
    let other = class("12 52 50 11 54 12 59 08 0a 42 08 0a 6d");
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
fn what_python_2_calls_otherwise_has_its_name_of_python_3_here() {
    // A dict, by number from rpyc 3, by id_pack from rpyc 4.1.
    let bare = "12 52 50 11 54 12 59 0d 64696374 0e 0b 5f5f6275696c74696e5f5f";
    let packed = "12 52 50 11 54 12 0e 10 5f5f6275696c74696e5f5f2e64696374 55 59";
    let cases = [
        &[ROOT_ASKED, INSPECT_STR, GETATTR_BARE_PYTHON_2, bare][..],
        &[ROOT_ASKED, INSPECT_ID_PACK, packed],
    ];
    for (messages, is_packed) in cases.into_iter().zip([false, true]) {
        let (dialect, result) = result_of(messages);
        assert!(dialect.has_names_in_bytes(), "{dialect}");
        let Boxed::RemoteRef(dict) = result else {
            panic!("no reference: {result:?}");
        };
        assert_eq!(&*dict.name, "builtins.dict");
        let sent = |handler: Handler, args: Vec<Boxed>| {
            let seq = Seq::new(0);
            let mut out = FrameBuf::new();
            let request = Message::Request { seq, handler, args };
            request.encode(&mut out, dialect, &limits(), false).unwrap();
            bytes_of(&mut out)
        };
        let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|found| found == part);
        let object = || Boxed::LocalRef(dict.clone());
        let got = sent(Handler::GetAttr, vec![object(), Boxed::from("__next__")]);
        assert!(has(&got, b"\x08\x0dnext"), "{got:x?}");
        let empty = || Boxed::tuple(Vec::new());
        let call = vec![object(), Boxed::from("__bool__"), empty(), empty()];
        let called = sent(Handler::CallAttr, call);
        assert!(has(&called, b"__nonzero__"), "{called:x?}");
        // What is set is the attribute of that very name.
        let set = vec![object(), Boxed::from("__next__"), Boxed::from(1)];
        assert!(has(&sent(Handler::SetAttr, set), b"__next__"));
        // It comes back as it came.
        let inspected = sent(Handler::Inspect, vec![Boxed::Value(dict.to_value())]);
        for bytes in [&got, &called, &inspected] {
            assert_eq!(has(bytes, b"__builtin__.dict"), is_packed, "{bytes:x?}");
            assert!(!has(bytes, b"builtins"), "{bytes:x?}");
        }
    }
}

#[test]
fn another_dialect_within_a_connection_is_no_message() {
    let legacy = Bytes::from(hex(ROOT_ASKED));
    let newer = Bytes::from_static(GETROOT);
    let bound = Bytes::from(behind(&[0; 16], GETROOT));
    let cases = [
        (Dialect::V6, &legacy),
        (Dialect::V6, &bound),
        (Dialect::LEGACY, &newer),
        (Dialect::LEGACY, &bound),
    ];
    for (dialect, payload) in cases {
        let read = Message::decode(payload, dialect, &limits());
        assert!(
            matches!(read, Err(MessageError::Fatal(_))),
            "{dialect}: {read:?}"
        );
    }
}
