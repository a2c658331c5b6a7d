//! The dialect of rpyc-ng 7: how it is told from rpyc 6, and what is different in it.

use allocation_counter::measure;
use bytes::Bytes;
use rpyc_core::wire::{
    Boxed, ClassId, DecodeErrorKind, Dialect, DumpedException, EncodeError, FrameBuf, FrameDecoder,
    Handler, IdPack, InstanceId, Kind, Message, MessageError, NamedException, PlainType, Seq,
    Value,
};

use crate::{bytes_of, frames::feed, hex, limits};

/// What the messages of a conversation show of its dialect, one after the other.
fn learnt(messages: &[&str]) -> Dialect {
    let learn =
        |dialect: Dialect, message: &&str| dialect.learn(&Bytes::from(hex(message)), &limits());
    messages.iter().fold(Dialect::CURRENT, learn)
}

fn sent(message: &Message, dialect: Dialect) -> Result<Bytes, EncodeError> {
    let mut out = FrameBuf::new();
    message.encode(&mut out, dialect, &limits(), false)?;
    let mut decoder = FrameDecoder::new(limits());
    Ok(feed(&mut decoder, &bytes_of(&mut out)).unwrap().remove(0))
}

fn request(handler: Handler, args: Vec<Boxed>) -> Message {
    Message::Request {
        seq: Seq::new(1),
        handler,
        args,
    }
}

fn id_pack(instance: u64) -> IdPack {
    IdPack::new("a.b", ClassId(1), InstanceId(instance))
}

const ROOT_ASKED: &str = "01 11 50 11 53 11 51 02";
const PING: &str = "01 11 51 11 51 11 51 10 13 08 0a 61 51 52 53";
const TYPE: &str = "01 11 51 11 67 11 51 10 13 08 0c 612e62 51 52 53";
const INSPECT_3: &str = "01 11 51 11 60 11 51 10 12 08 0c 612e62 51 52";
const DEL_4: &str = "01 11 51 11 5f 11 51 11 13 08 0c 612e62 51 52 53 51";
const REPR_3: &str = "01 11 51 11 59 11 52 10 11 53 12 08 0c 612e62 51 52";
const REPR_4: &str = "01 11 51 11 59 11 52 10 11 53 13 08 0c 612e62 51 52 53";
const CALLED_WITH_ITS_OWN: &str =
    "01 11 51 11 57 11 52 12 11 51 50 11 52 10 11 54 13 08 0c 612e62 51 52 53 11 51 02";

#[test]
fn a_reference_with_a_kind_tells_rpyc_ng_from_rpyc_6() {
    for (messages, dialect) in [
        (&[][..], Dialect::CURRENT),
        (&[ROOT_ASKED, PING], Dialect::CURRENT),
        (&[ROOT_ASKED, TYPE], Dialect::NG7),
        (&[ROOT_ASKED, DEL_4], Dialect::NG7),
        (&[ROOT_ASKED, REPR_4], Dialect::NG7),
        (&[CALLED_WITH_ITS_OWN], Dialect::NG7),
        (&[ROOT_ASKED, INSPECT_3], Dialect::V6),
        (&[ROOT_ASKED, REPR_3], Dialect::V6),
        // What is learnt stays.
        (&[REPR_3, REPR_4, TYPE], Dialect::V6),
        (&[TYPE, REPR_3], Dialect::NG7),
        // A root that is answered with; the last is of a side that doesn't know either.
        (&["02 11 50 11 54 12 08 0a 41 51 52"], Dialect::V6),
        (&["02 11 50 11 54 13 08 0a 41 51 52 53"], Dialect::NG7),
        (&["02 11 50 11 54 14 05 08 0a 41 51 52 53 00"], Dialect::V6),
        // What is no message, or says nothing.
        (
            &[
                "",
                "01",
                "04 11 50 02",
                "02 11 50 11 51 13 08 0a 41 51 52 53",
                "01 11 51 11 59 11 52 10 53",
            ],
            Dialect::CURRENT,
        ),
    ] {
        assert_eq!(learnt(messages), dialect, "{messages:?}");
    }
    assert_eq!(Dialect::NG7.to_string(), "rpyc-ng 7");
    assert_eq!(Dialect::CURRENT.to_string(), "rpyc 6 or rpyc-ng 7");
    assert!(Dialect::NG7.is_settled() && !Dialect::CURRENT.is_settled());
}

/// They were decoded twice, by a peer that never says which version it is for each message.
#[test]
fn what_tells_nothing_is_not_read_to_learn_from_it() {
    let data = Boxed::Value(Value::tuple(vec![Value::from("some text"); 1000]));
    let reply = Message::Reply {
        seq: Seq::new(0),
        result: data.clone(),
    };
    for unsettled in [Dialect::CURRENT, Dialect::LEGACY] {
        for message in [&request(Handler::Ping, vec![data.clone()]), &reply] {
            let sent = sent(message, unsettled).unwrap();
            let allocated = measure(|| {
                assert_eq!(unsettled.learn(&sent, &limits()), unsettled);
            });
            assert!(allocated.bytes_total < 1000, "{unsettled}: {allocated:?}");
        }
    }
}

#[test]
fn our_references_tell_as_much_as_the_peer_wants() {
    let root = |id_pack| Message::Reply {
        seq: Seq::new(0),
        result: Boxed::RemoteRef(id_pack),
    };
    for (dialect, instance, expected) in [
        (Dialect::V6, 2, "02 11 50 11 54 12 08 0c 612e62 51 52"),
        (Dialect::NG7, 2, "02 11 50 11 54 13 08 0c 612e62 51 52 53"),
        (Dialect::NG7, 0, "02 11 50 11 54 13 08 0c 612e62 51 50 52"),
        (
            Dialect::CURRENT,
            2,
            "02 11 50 11 54 14 05 08 0c 612e62 51 52 53 00",
        ),
    ] {
        let sent = sent(&root(id_pack(instance)), dialect).unwrap();
        assert_eq!(sent, hex(expected), "{dialect}");
    }
}

#[test]
fn what_the_peer_told_comes_back_as_it_came() {
    for (kind, told) in [
        (Kind::Module, "51"),
        (Kind::Class, "52"),
        (Kind::Instance, "53"),
    ] {
        let named = IdPack { kind, ..id_pack(2) };
        let repr = request(Handler::Repr, vec![Boxed::LocalRef(named)]);
        let expected = format!("01 11 51 11 59 11 52 10 11 53 13 08 0c 612e62 51 52 {told}");
        assert_eq!(sent(&repr, Dialect::NG7).unwrap(), hex(&expected));
    }
    // A module that isn't in its sys.modules it tells without a kind.
    let repr = request(Handler::Repr, vec![Boxed::LocalRef(id_pack(2))]);
    assert_eq!(sent(&repr, Dialect::NG7).unwrap(), hex(REPR_3));
}

#[test]
fn a_release_has_its_id_pack_as_a_value() {
    let named = IdPack {
        kind: Kind::Instance,
        ..id_pack(2)
    };
    let del = request(Handler::Del, vec![Boxed::LocalRef(named), 1.into()]);
    let payload = sent(&del, Dialect::NG7).unwrap();
    assert_eq!(payload, hex(DEL_4));
    assert_eq!(Message::decode(&payload, Dialect::NG7, &limits()), Ok(del));
    // What is no id_pack stays what it is, for the handler to refuse.
    let odd = "01 11 51 11 5f 11 51 11 51 51";
    let read = Message::decode(&Bytes::from(hex(odd)), Dialect::NG7, &limits());
    assert_eq!(read, Ok(request(Handler::Del, vec![1.into(), 1.into()])));
}

#[test]
fn types_travel_by_value_between_us_and_rpyc_ng_alone() {
    for plain in PlainType::ALL {
        let ping = request(Handler::Ping, vec![Value::Type(plain).into()]);
        let refused = Err(EncodeError::TypeByValue { name: plain.name() });
        for dialect in [Dialect::V6, Dialect::CURRENT, Dialect::LEGACY] {
            assert_eq!(sent(&ping, dialect), refused, "{dialect}");
        }
        // Two tags rpyc-ng only writes.
        match plain {
            PlainType::NotImplemented | PlainType::Ellipsis => {
                assert_eq!(sent(&ping, Dialect::NG7), refused);
            }
            _ => {
                let payload = sent(&ping, Dialect::NG7).unwrap();
                assert_eq!(Message::decode(&payload, Dialect::NG7, &limits()), Ok(ping));
            }
        }
    }
    for (tag, plain) in [
        (0x1c, PlainType::None),
        (0x1f, PlainType::Float),
        (0xf0, PlainType::Bytes),
        (0xf4, PlainType::Ellipsis),
    ] {
        let payload = Bytes::from([&hex("01 11 51 11 51 11 51 10")[..], &[tag]].concat());
        let read = |dialect| Message::decode(&payload, dialect, &limits());
        let expected = request(Handler::Ping, vec![Value::Type(plain).into()]);
        assert_eq!(read(Dialect::NG7), Ok(expected.clone()));
        assert_eq!(read(Dialect::CURRENT), Ok(expected));
        match read(Dialect::V6) {
            Err(MessageError::Fatal(error)) => {
                assert_eq!(error.kind, DecodeErrorKind::UnknownTag(tag))
            }
            other => panic!("{other:?}"),
        }
    }
    for tag in 0xf5..=0xff {
        let payload = Bytes::from([&hex("01 11 51 11 51 11 51 10")[..], &[tag]].concat());
        let read = Message::decode(&payload, Dialect::NG7, &limits());
        assert!(matches!(read, Err(MessageError::Fatal(_))), "{read:?}");
    }
}

#[test]
fn an_exception_is_of_the_peers_own_major_version() {
    let raised = |version: &str| Message::Exception {
        seq: Seq::new(1),
        exception: DumpedException::Named(Box::new(NamedException {
            module: "builtins".into(),
            class: "KeyError".into(),
            attrs: vec![("_remote_version".into(), version.into())],
            ..NamedException::default()
        })),
    };
    for (version, told) in [
        ("6.0.2", "7.0.15"),
        ("<version denied>", "<version denied>"),
    ] {
        let payload = sent(&raised(version), Dialect::NG7).unwrap();
        let read = Message::decode(&payload, Dialect::NG7, &limits());
        assert_eq!(read, Ok(raised(told)));
    }
}
