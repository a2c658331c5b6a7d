//! Messages that make no sense: what is fatal, and what can still be answered.

use bytes::Bytes;
use rpyc_core::wire::{
    Boxed, DecodeErrorKind, Dialect, DumpedException, FrameBuf, Handler, IdPack, Kind, Limits,
    Message, MessageError, Seq, Value, encode_to_vec,
};

use crate::{bytes_of, hex, limits};

fn decode_with(payload: &[u8], limits: &Limits) -> Result<Message, MessageError> {
    Message::decode(&Bytes::copy_from_slice(payload), Dialect::V6, limits)
}

fn decode(digits: &str) -> Result<Message, MessageError> {
    decode_with(&hex(digits), &limits())
}

#[track_caller]
fn fatal(digits: &str, kind: DecodeErrorKind) {
    match decode(digits) {
        Err(MessageError::Fatal(error)) => assert_eq!(error.kind, kind, "{digits}"),
        other => panic!("{digits}: {other:?}"),
    }
}

#[track_caller]
fn bad_request(digits: &str, why: &str) {
    match decode(digits) {
        Err(MessageError::BadRequest { seq, class, reason }) => {
            let label = reason.contains("a label");
            assert_eq!(
                class,
                if label { "ValueError" } else { "TypeError" },
                "{digits}"
            );
            assert_eq!((seq, reason.as_str()), (Seq::new(5), why), "{digits}");
        }
        other => panic!("{digits}: {other:?}"),
    }
}

#[track_caller]
fn bad_reply(digits: &str, why: &str) {
    match decode(digits) {
        Err(MessageError::BadReply { seq, reason }) => {
            assert_eq!((seq, reason.as_str()), (Seq::new(5), why), "{digits}");
        }
        other => panic!("{digits}: {other:?}"),
    }
}

fn truncated(reading: &'static str, needed: usize, left: usize) -> DecodeErrorKind {
    DecodeErrorKind::Truncated {
        reading,
        needed,
        left,
    }
}

#[test]
fn unknown_message_types_are_fatal() {
    for kind in [0, 4, 0x12, 255] {
        let error = decode_with(&[kind, 0x11, 0x50, 0x00], &limits()).unwrap_err();
        assert!(
            matches!(&error, MessageError::Fatal(error) if error.kind == DecodeErrorKind::UnknownMessage(kind)),
            "{error:?}"
        );
    }
}

#[test]
fn without_a_sequence_number_nothing_can_be_answered() {
    let pair = |found| DecodeErrorKind::WrongCount {
        reading: "message",
        expected: 2,
        found,
    };
    fatal("", truncated("message type", 1, 0));
    fatal("01", truncated("message", 1, 0));
    fatal(
        "01 00",
        DecodeErrorKind::UnexpectedTag {
            reading: "message",
            found: 0,
        },
    );
    fatal("01 02", pair(0));
    fatal("01 12 55 00 00", pair(3));
    fatal("01 11", truncated("value", 1, 0));
    fatal("01 11 ff", DecodeErrorKind::UnknownTag(0xff));
}

#[test]
fn bytes_that_are_no_value_are_fatal_whatever_is_known() {
    fatal(
        "01 11 55",
        truncated("a pair of handler and arguments", 1, 0),
    );
    fatal(
        "01 11 55 11 51 11 51 10 ff",
        DecodeErrorKind::UnknownTag(0xff),
    );
    // A handler that does not belong there, in front of bytes that are no value.
    fatal("01 11 55 11 03 ff", DecodeErrorKind::UnknownTag(0xff));
    fatal("02 11 55 11 00 ff", DecodeErrorKind::UnknownTag(0xff));
    fatal("03 11 55 10 ff", DecodeErrorKind::UnknownTag(0xff));
    fatal("02 11 55 11 51 08 0b fffe", DecodeErrorKind::InvalidUtf8);
}

#[test]
fn a_request_that_makes_no_sense_can_be_answered() {
    const PAIR: &str = "expected a pair of handler and arguments, got ";
    bad_request("01 11 55 00", &format!("{PAIR}another value"));
    bad_request("01 11 55 0a61", &format!("{PAIR}another value"));
    bad_request(
        "01 11 55 10 51",
        &format!("{PAIR}a tuple of another length"),
    );
    bad_request(
        "01 11 55 12 51 51 51",
        &format!("{PAIR}a tuple of another length"),
    );
}

#[test]
fn a_handler_is_an_exact_int() {
    for (handler, found) in [
        ("03", "bool"),
        ("18 3ff0000000000000", "float"),
        ("08 0a 31", "str"),
        ("1a 10 51", "frozenset"),
        ("00", "NoneType"),
        ("0a 31", "bytes"),
    ] {
        bad_request(
            &format!("01 11 55 11 {handler} 11 51 02"),
            &format!("expected a handler's number, got {found}"),
        );
    }
    let unknown = |number| Message::Request {
        seq: Seq::new(5),
        handler: Handler::Other(number),
        args: vec![],
    };
    assert_eq!(decode("01 11 55 11 50 11 51 02").unwrap(), unknown(0));
    assert_eq!(
        decode("01 11 55 11 16 02 3939 11 51 02").unwrap(),
        unknown(99)
    );
    assert_eq!(decode("01 11 55 11 4f 11 51 02").unwrap(), unknown(-1));
    // Written in full, a number is what it is.
    assert!(matches!(
        decode("01 11 55 11 16 01 31 11 51 02").unwrap(),
        Message::Request {
            handler: Handler::Ping,
            ..
        }
    ));
    // Beyond 64 bits it is unknown, too.
    assert!(matches!(
        decode("01 11 55 11 16 14 3939393939393939393939393939393939393939 11 51 02").unwrap(),
        Message::Request {
            handler: Handler::Other(_),
            ..
        }
    ));
}

#[test]
fn arguments_are_a_boxed_tuple() {
    let with = |args: &str, why: &str| bad_request(&format!("01 11 55 11 51 {args}"), why);
    with(
        "00",
        "expected a pair of label and value, got another value",
    );
    with(
        "10 51",
        "expected a pair of label and value, got a tuple of another length",
    );
    with("11 50 02", "expected a label from 1 to 4, got another int");
    with("11 55 02", "expected a label from 1 to 4, got another int");
    with("11 03 02", "expected a label from 1 to 4, got bool");
    with("11 51 00", "expected a tuple, got another value");
    with("11 51 0a61", "expected a tuple, got another value");
    with("11 52 1a02", "expected a tuple, got another value");
    with(
        "11 53 12 08 0a61 51 51",
        "expected a tuple of arguments, got a reference",
    );
    with(
        "11 52 10 51",
        "expected a pair of label and value, got another value",
    );
    with(
        "11 52 10 11 54 02",
        "expected an id_pack (str, int, int), got a tuple of another length",
    );
    with(
        "11 52 10 11 54 12 0aff 51 51",
        "expected a str as the name in an id_pack, got bytes that are not UTF-8",
    );
    with(
        "11 52 10 11 53 12 08 0a61 03 51",
        "expected an int of 64 bits, not negative, as an id, got bool",
    );
    with(
        "11 52 10 11 53 12 08 0a61 51 4f",
        "expected an int of 64 bits, not negative, as an id, got int",
    );
    with(
        "11 52 10 11 53 12 08 0a61 51 19120000 00",
        "expected an int of 64 bits, not negative, as an id, got slice",
    );
}

#[test]
fn a_bad_label_far_down_can_be_answered_too() {
    let nested = format!("{} 11 59 00", "11 52 10 ".repeat(95));
    bad_request(
        &format!("01 11 55 11 51 {nested}"),
        "expected a label from 1 to 4, got another int",
    );
}

#[test]
fn boxed_tuples_are_nested_no_deeper_than_values() {
    for level in ["11 52 10 ", "11 52 11 11 51 00 "] {
        let nested = format!("02 11 55 {}", level.repeat(100_000));
        fatal(&nested, DecodeErrorKind::TooDeep(100));
    }
}

#[test]
fn the_deepest_message_is_read_and_dropped_on_a_small_stack() {
    let work = || {
        let limits = limits().max_depth(usize::MAX);
        let reference = "11 54 12 08 0a61 51 52";
        let nested = |inner: &str| format!("02 11 55 {} {inner}", "11 52 10 ".repeat(250));
        let message = decode_with(&hex(&nested(reference)), &limits).unwrap();
        assert_eq!(message.clone(), message);
        let mut out = FrameBuf::new();
        message
            .encode(&mut out, Dialect::V6, &limits, false)
            .unwrap();
        assert_eq!(bytes_of(&mut out), crate::frame(&hex(&nested(reference))));
        let error = decode_with(&hex(&nested("11 59 00")), &limits).unwrap_err();
        assert!(matches!(error, MessageError::BadReply { .. }), "{error}");
    };
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn what_a_fourth_part_of_an_id_pack_may_be_is_kept_and_all_else_is_ignored() {
    let reference = |parts: &str| match decode(&format!("02 11 55 11 54 {parts}")) {
        Ok(Message::Reply {
            result: Boxed::RemoteRef(id_pack),
            ..
        }) => id_pack,
        other => panic!("{parts}: {other:?}"),
    };
    let three = reference("12 08 0a61 51 52");
    assert_eq!(three.kind, Kind::Untold);
    for (part, kind) in [
        ("51", Kind::Module),
        ("52", Kind::Class),
        ("53", Kind::Instance),
    ] {
        let four = reference(&format!("13 08 0a61 51 52 {part}"));
        assert_eq!(four.kind, kind);
        assert_eq!(IdPack::from_value(&four.to_value()), Ok(four));
    }
    for part in [
        "50",
        "54",
        "4f",
        "00",
        "02",
        "03",
        "08 0a 61",
        "16 03 323536",
        "18 4008000000000000",
    ] {
        assert_eq!(
            reference(&format!("13 08 0a61 51 52 {part}")),
            three,
            "{part}"
        );
    }
    // The fifth is of a side that doesn't know yet whom it talks to, and would do without the kind.
    let five = reference("14 05 08 0a61 51 52 53 00");
    assert_eq!(five.kind, Kind::Untold);
    for parts in ["14 06 08 0a61 51 52 53 00 00", "11 08 0a61 51"] {
        let decoded = decode(&format!("02 11 55 11 54 {parts}"));
        assert!(
            matches!(decoded, Err(MessageError::BadReply { .. })),
            "{decoded:?}"
        );
    }
}

#[test]
fn a_reply_that_makes_no_sense_names_its_request() {
    bad_reply(
        "02 11 55 00",
        "expected a pair of label and value, got another value",
    );
    bad_reply(
        "02 11 55 11 59 00",
        "expected a label from 1 to 4, got another int",
    );
    bad_reply("03 11 55 00", "expected a dumped exception, got NoneType");
    bad_reply("03 11 55 52", "expected a dumped exception, got int");
    bad_reply("03 11 55 03", "expected a dumped exception, got bool");
    bad_reply(
        "03 11 55 02",
        "expected a dumped exception, got a tuple of another length",
    );
    let exception = |parts: &str, why: &str| bad_reply(&format!("03 11 55 13 {parts}"), why);
    exception(
        "00 02 02 0801",
        "expected a pair of module and class, got NoneType",
    );
    exception(
        "11 00 0801 02 02 0801",
        "expected a str as the module of an exception, got NoneType",
    );
    exception(
        "11 0801 51 02 02 0801",
        "expected a str as the class of an exception, got int",
    );
    exception(
        "11 0801 0801 00 02 0801",
        "expected a tuple of arguments, got NoneType",
    );
    exception(
        "11 0801 0801 02 0801 0801",
        "expected a tuple of attributes, got str",
    );
    exception(
        "11 0801 0801 02 10 00 0801",
        "expected a pair of name and value, got NoneType",
    );
    exception(
        "11 0801 0801 02 10 11 51 00 0801",
        "expected a str as the name of an attribute, got int",
    );
    exception(
        "11 0801 0801 02 02 00",
        "expected a str as the traceback, got NoneType",
    );
}

#[test]
fn a_text_alone_is_an_exception_of_old() {
    let Ok(Message::Exception { exception, .. }) = decode("03 11 55 08 0b 6f68") else {
        panic!("not an exception");
    };
    assert_eq!(exception, DumpedException::Text("oh".into()));
}

#[test]
fn a_sequence_number_of_any_kind_is_echoed_as_it_came() {
    for seq in [
        "00",
        "03",
        "4f",
        "02",
        "11 50 0801",
        "18 3ff0000000000000",
        "16 14 3939393939393939393939393939393939393939",
    ] {
        let Ok(Message::Request { seq: number, .. }) =
            decode(&format!("01 11 {seq} 11 51 11 51 02"))
        else {
            panic!("{seq}");
        };
        assert_eq!(number.as_u64(), None, "{seq}");
        let mut out = FrameBuf::new();
        Message::Reply {
            seq: number,
            result: Value::None.into(),
        }
        .encode(&mut out, Dialect::V6, &limits(), false)
        .unwrap();
        assert_eq!(
            bytes_of(&mut out),
            crate::frame(&hex(&format!("02 11 {seq} 11 51 00")))
        );
    }
}

#[test]
fn a_huge_sequence_number_is_refused() {
    let with = |length: usize| {
        let seq = encode_to_vec(&Value::from(vec![b'x'; length]), &limits()).unwrap();
        decode_with(
            &[&[1, 0x11], seq.as_slice(), &hex("11 51 11 51 02")].concat(),
            &limits(),
        )
    };
    assert!(with(254).is_ok());
    let Err(MessageError::Fatal(error)) = with(255) else {
        panic!("accepted");
    };
    assert_eq!(
        (error.offset, error.kind),
        (
            2,
            DecodeErrorKind::SeqTooLong {
                length: 257,
                limit: 256
            }
        )
    );
    assert!(with(10_000_000).is_err());
}

#[test]
fn what_follows_a_message_is_ignored() {
    assert_eq!(
        decode("02 11 55 11 51 00 ffff"),
        decode("02 11 55 11 51 00")
    );
}

#[test]
fn an_exception_bomb_is_cut_to_size() {
    let limits = limits().max_exception_items(3).max_traceback(200);
    let many = |item: Value| Value::Tuple(vec![item; 10]);
    let dumped = Value::Tuple(vec![
        Value::tuple(["os".into(), "system".into()]),
        many(1.into()),
        many(Value::tuple(["name".into(), "value".into()])),
        "\u{20ac}".repeat(1_000).into(),
    ]);
    let exception = DumpedException::from_value(dumped, &limits).unwrap();
    let DumpedException::Named(named) = &exception else {
        panic!("not a named exception");
    };
    assert_eq!((named.args.len(), named.attrs.len()), (3, 3));
    assert!(named.traceback.len() <= 200);
    assert!(
        named.traceback.contains(" bytes cut ...]\n\u{20ac}"),
        "{}",
        named.traceback
    );
    // Cut once, it passes.
    assert_eq!(
        DumpedException::from_value(exception.to_value(&limits), &limits).unwrap(),
        exception
    );
    let text = DumpedException::from_value("x".repeat(10_000).into(), &limits).unwrap();
    assert!(matches!(text, DumpedException::Text(text) if text.len() <= 200));
}

#[test]
fn an_error_in_a_message_has_its_cause_as_source() {
    let error = decode("01 11 ff").unwrap_err();
    assert_eq!(error.to_string(), "unreadable message");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(
        source.to_string(),
        "unknown tag 0xff, at byte 2 of the payload"
    );
}
