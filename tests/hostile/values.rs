//! Payloads that hold no value, or one that is a trap.

use rpyc_core::wire::{Boxed, Handler, Value};

use crate::memory::bounded;
use crate::peer::{Peer, closes, frame, hex, int};
use crate::victim::Victim;

/// PING with this value, which is given as its bytes.
fn ping_with(value: &[u8]) -> Vec<u8> {
    frame(&[&hex("01 11 50 11 51 11 51 10")[..], value].concat())
}

#[test]
fn deep_nesting_closes_whatever_is_nested() {
    let victim = Victim::alone(|_| {});
    bounded(16 << 20, || {
        for (what, tag) in [
            ("tuples", "10"),
            ("frozensets", "1a10"),
            ("slices", "19 12 00 00"),
        ] {
            let value = hex(tag).repeat(10_000);
            closes(&victim, what, &ping_with(&value));
            let mut peer = Peer::known(&victim);
            peer.send(&ping_with(&hex(tag).repeat(500_000)));
            assert!(!peer.closed(&victim).reason.is_normal(), "{what}");
        }
    });
}

#[test]
fn counts_and_lengths_are_held_against_what_is_there() {
    let victim = Victim::alone(|_| {});
    bounded(0, || {
        for value in [
            "15 ffffffff",
            "15 7fffffff 00",
            "14 ff 00",
            "1a 15 ffffffff",
            "0f ffffffff 61",
            "0f 7fffffff",
            "0e ff 61",
            "08 0f ffffffff 61",
            "17 ffffffff 31",
            "16 ff 31",
            "13 00",
            "18 00",
            "1b 0000000000000000",
            "19",
            "19 12 00",
            "0d 61",
            "08",
            "",
        ] {
            closes(&victim, value, &ping_with(&hex(value)));
        }
    });
}

#[test]
fn tags_that_stand_for_nothing_close() {
    let victim = Victim::start();
    for tag in [0x07].into_iter().chain(0xf5..=0xff) {
        closes(&victim, &format!("tag {tag:#x}"), &ping_with(&[tag]));
        closes(
            &victim,
            &format!("tag {tag:#x} in a tuple"),
            &ping_with(&[0x10, tag]),
        );
    }
}

#[test]
fn types_by_value_are_for_rpyc_ng_alone() {
    let victim = Victim::start();
    for tag in (0x1c..=0x1f).chain(0xf0..=0xf4) {
        // It gives a reference back as rpyc 6 does, which tells no kinds.
        let mut peer = Peer::known(&victim);
        let root = peer.root();
        let shown = peer.ask(Handler::Repr, &[Boxed::LocalRef(root)]);
        assert!(shown.is_ok(), "{shown:?}");
        peer.send(&ping_with(&[tag]));
        let ended = peer.closed(&victim);
        assert!(!ended.reason.is_normal(), "{tag:#x}: {}", ended.reason);
    }
}

#[test]
fn an_int_is_digits_and_not_too_many() {
    let victim = Victim::start();
    let ping_int = |text: &str| {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        ping_with(&[&[0x17], &length[..], text.as_bytes()].concat())
    };
    for text in [
        "+5", " 5 ", "1_000", "", "-", "--1", "1-", "٣", "0x10", "1e3", "\0",
    ] {
        closes(&victim, text, &ping_int(text));
    }
    closes(&victim, "60,000 digits", &ping_int(&"9".repeat(60_000)));
    let mut peer = Peer::known(&victim);
    peer.send(&ping_int(&"9".repeat(1_000_000)));
    assert!(!peer.closed(&victim).reason.is_normal());
}

#[test]
fn text_is_utf_8() {
    let victim = Victim::start();
    for value in [
        "08 0b fffe",
        "08 0c eda080",
        "08 0a ff",
        "08 00",
        "08 51",
        "08 08 0a 61",
        "08 10 00",
        "08 0b c080",
        "08 0d f4908080",
    ] {
        closes(&victim, value, &ping_with(&hex(value)));
    }
}

#[test]
fn odd_values_come_back_as_they_were_sent() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let values = [
        Value::Float(-0.0),
        Value::Float(f64::INFINITY),
        Value::Float(f64::from_bits(1)),
        Value::Complex(-0.0, f64::NEG_INFINITY),
        int("18446744073709551616"),
        int("-18446744073709551617"),
        int(&"9".repeat(4300)),
        Value::from("a\0b"),
        Value::Slice(Box::new([
            Value::Tuple(Vec::new()),
            Value::Ellipsis,
            Value::NotImplemented,
        ])),
        // What Python couldn't hash: nothing is hashed here.
        Value::FrozenSet(vec![Value::Slice(Box::new([
            Value::None,
            Value::None,
            Value::None,
        ]))]),
        Value::FrozenSet(vec![Value::None; 3]),
    ];
    for value in values {
        let echo = peer.ask(Handler::Ping, &[Boxed::Value(value.clone())]);
        assert_eq!(
            format!("{echo:?}"),
            format!("{:?}", Ok::<_, ()>(Boxed::Value(value)))
        );
    }
    let nan = f64::from_bits(0x7ff8_dead_beef_0001);
    let Ok(Boxed::Value(Value::Float(echo))) = peer.ask(Handler::Ping, &[Boxed::from(nan)]) else {
        panic!("no float");
    };
    assert_eq!(echo.to_bits(), nan.to_bits());
    peer.leave(&victim);
}

#[test]
fn an_int_of_python_2_is_read_and_what_follows_a_value_is_ignored() {
    let victim = Victim::start();
    let mut peer = Peer::stranger(&victim);
    peer.send(&ping_with(&hex("09 0b 3432")));
    assert_eq!(peer.payload().unwrap(), hex("02 11 50 11 51 7a"));
    peer.send(&ping_with(&hex("51 ff ff ff")));
    assert_eq!(peer.payload().unwrap(), hex("02 11 50 11 51 51"));
    peer.leave(&victim);
}

#[test]
fn a_million_small_items_take_what_the_limit_on_items_allows() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    // A frame of 16 MB would be 16 million items of 40 bytes each.
    let count = 15_000_000_u32;
    let items = vec![0; count as usize];
    let frame = ping_with(&[&[0x15], &count.to_be_bytes()[..], &items].concat());
    bounded(16 << 20, || {
        peer.send(&frame);
        assert!(!peer.closed(&victim).reason.is_normal());
    });
}
