//! Values that are no message, and messages that nobody asked for.

use rpyc_core::wire::{Boxed, DumpedException, Message, Seq, Value};

use crate::memory::bounded;
use crate::peer::{Peer, closes, frame, hex, message, named, raises};
use crate::victim::Victim;

#[test]
fn what_is_no_message_closes() {
    let victim = Victim::start();
    for payload in [
        "00 11 50 00",
        "04 11 50 00",
        "ff 11 50 00",
        "01",
        "01 00",
        "01 02",
        "01 10 50",
        "01 12 50 51 52",
        "01 11 50",
        "61 62 63",
        "02 11 50",
        "03 11 50 10",
    ] {
        closes(&victim, payload, &frame(&hex(payload)));
    }
}

#[test]
fn a_malformed_request_is_answered_and_the_next_one_served() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    for request in [
        "00",
        "51",
        "10 51",
        "12 51 51 51",
        // Handlers that are no ints: None, True (1 would be PING), 1.0, 'a', (1,)
        "11 00 11 51 02",
        "11 03 11 51 02",
        "11 18 3ff0000000000000 11 51 02",
        "11 08 0a61 11 51 02",
        "11 10 51 11 51 02",
        // Arguments that are no tuple, or without a label
        "11 51 11 51 00",
        "11 51 02",
        "11 51 00",
        "11 51 11 53 12 080a61 51 52",
        // id_packs that are none: of two parts, with a slice, a float, a negative number, a huge one
        "11 51 11 52 10 11 53 11 080a61 51",
        "11 51 11 52 10 11 53 12 080a61 51 19 12 00 00 00",
        "11 51 11 52 10 11 53 12 080a61 51 18 3ff0000000000000",
        "11 51 11 52 10 11 54 12 080a61 51 4f",
        "11 51 11 52 10 11 54 12 080a61 51 16 15 313030303030303030303030303030303030303030",
    ] {
        let payload = hex(&format!("01 11 57 {request}"));
        peer.send_payload(&payload);
        raises(peer.answer(7), "TypeError");
    }
    // The labels 0, 5 and None
    for request in ["11 51 11 50 02", "11 51 11 55 02", "11 51 11 00 02"] {
        peer.send_payload(&hex(&format!("01 11 57 {request}")));
        raises(peer.answer(7), "ValueError");
    }
    peer.ping();
    peer.leave(&victim);
}

#[test]
fn a_handler_that_does_not_exist_is_a_key_error() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    // 0, 24, 99, -1, 10**20
    for handler in [
        "50",
        "68",
        "b3",
        "4f",
        "16 15 313030303030303030303030303030303030303030",
    ] {
        peer.send_payload(&hex(&format!("01 11 57 11 {handler} 11 51 02")));
        raises(peer.answer(7), "KeyError");
    }
    peer.leave(&victim);
}

#[test]
fn sequence_numbers_are_echoed_whatever_they_are_and_bounded() {
    let victim = Victim::start();
    for seq in [
        "00",
        "03",
        "4f",
        "11 51 52",
        "18 7ff8000000000000",
        "08 0a 61",
        "17 00000001 35",
    ] {
        let mut peer = Peer::known(&victim);
        peer.send_payload(&hex(&format!("01 11 {seq} 11 51 11 51 10 51")));
        let sent = hex(seq);
        let sent = if sent[0] == 0x17 { hex("55") } else { sent };
        let expected = [&hex("02 11")[..], &sent, &hex("11 51 51")].concat();
        assert_eq!(peer.payload().unwrap(), expected, "{seq}");
        peer.leave(&victim);
    }
    let huge = [
        &hex("01 11 0f 00008000")[..],
        &[0; 0x8000],
        &hex("11 51 11 51 10 51"),
    ]
    .concat();
    closes(&victim, "a sequence number of 32 KiB", &frame(&huge));
}

#[test]
fn answers_nobody_asked_for_are_dropped() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let nobody = |seq: Value| {
        let result = Boxed::Value(Value::Bytes(vec![0; 1000].into()));
        message(&Message::Reply {
            seq: Seq::from(seq),
            result,
        })
    };
    let odd = [
        Value::None,
        Value::from(0_i64),
        Value::from(u64::MAX),
        Value::from(-1_i64),
        Value::Tuple(vec![Value::None; 50]),
    ];
    for seq in odd {
        peer.send(&nobody(seq.clone()).repeat(3));
        let exception = DumpedException::StopIteration;
        peer.send(&message(&Message::Exception {
            seq: Seq::from(seq),
            exception,
        }));
    }
    peer.ping();
    let flood = nobody(Value::from(77_i64)).repeat(100);
    bounded(0, || {
        for _ in 0..1000 {
            peer.send(&flood);
        }
        peer.ping();
    });
    peer.leave(&victim);
}

#[test]
fn malformed_answers_nobody_asked_for_are_dropped_too() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    for answer in [
        "02 11 57 00",
        "02 11 57 11 50 51",
        "02 11 57 11 53 12 080a61 51 52",
        "03 11 57 00",
    ] {
        peer.send_payload(&hex(answer));
        peer.ping();
    }
    // A reference in it is given back: the peer would keep its object for ever.
    let result = crate::peer::mine(5);
    peer.send(&message(&Message::Reply {
        seq: Seq::new(7),
        result,
    }));
    let Message::Request { handler, .. } = peer.message() else {
        panic!("no DEL");
    };
    assert_eq!(handler, rpyc_core::wire::Handler::Del);
    peer.leave(&victim);
}

#[test]
fn one_sequence_number_may_be_used_twice() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let ping = hex("01 11 57 11 51 11 51 10 51");
    peer.send(&frame(&ping).repeat(2));
    for _ in 0..2 {
        assert_eq!(peer.payload().unwrap(), hex("02 11 57 11 51 51"));
    }
    // An exception that is answered under a number that isn't one.
    peer.send_payload(&hex("01 11 00 11 b3 11 51 02"));
    match peer.message() {
        Message::Exception { seq, exception } => {
            assert_eq!(seq.to_value(), Value::None);
            assert_eq!(&*named(exception).class, "KeyError");
        }
        other => panic!("{other:?}"),
    }
    peer.leave(&victim);
}
