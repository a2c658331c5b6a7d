//! Peers of rpyc 3 to 5, and with `bind_threads`: the same hostility in their words.

use bytes::Bytes;
use rpyc_core::wire::Limits;
use rpyc_core::wire::{Value, decode_value, encode_to_vec};

use crate::peer::{Peer, closes, frame, hex};
use crate::victim::Victim;

/// A request of rpyc 3 to 5: a triple, its arguments boxed.
fn request(seq: i64, handler: i64, args: Vec<Value>) -> Vec<u8> {
    let args = tuple([Value::from(2), Value::Tuple(args)]);
    let message = tuple([
        Value::from(1),
        Value::from(seq),
        tuple([Value::from(handler), args]),
    ]);
    frame(&encode_to_vec(&message, &Limits::default()).unwrap())
}

fn tuple<const N: usize>(items: [Value; N]) -> Value {
    Value::Tuple(items.into())
}

fn plain(value: impl Into<Value>) -> Value {
    tuple([Value::from(1), value.into()])
}

/// A reference to an object of the server's.
fn theirs(reference: Value) -> Value {
    tuple([Value::from(3), reference])
}

/// A reference to an object of the peer's.
fn ours(reference: Value) -> Value {
    tuple([Value::from(4), reference])
}

fn id_pack(name: &str, class: i64, instance: i64) -> Value {
    tuple([Value::from(name), Value::from(class), Value::from(instance)])
}

/// What a reply holds: its kind and its contents.
fn answer(peer: &mut Peer) -> (i64, Value) {
    let payload: Bytes = peer.payload().expect("a reply");
    let Ok(Value::Tuple(mut parts)) = decode_value(&payload, &Limits::default()) else {
        panic!("no message: {payload:?}");
    };
    assert_eq!(parts.len(), 3, "{parts:?}");
    let body = parts.pop().unwrap();
    (parts[0].as_i64().unwrap(), body)
}

/// A peer of these references, known to be of that kind.
fn known(victim: &Victim, teaches: Value) -> Peer {
    let mut peer = Peer::stranger(victim);
    peer.send(&request(0, GETROOT, Vec::new()));
    assert_eq!(answer(&mut peer).0, 2);
    // A callback tells what this peer's references are.
    peer.send(&request(1, PING, vec![ours(teaches)]));
    let _ = answer(&mut peer);
    still_served(&mut peer);
    peer
}

#[track_caller]
fn still_served(peer: &mut Peer) {
    peer.send(&request(7, PING, vec![plain("there?")]));
    loop {
        // What it asks meanwhile, about what it was given, stays unanswered.
        match answer(peer) {
            (2, body) if body == plain("there?") => return,
            (1, _) => {}
            other => panic!("instead of the echo: {other:?}"),
        }
    }
}

const PING: i64 = 1;
const GETROOT: i64 = 3;
const REPR: i64 = 9;
const DEL: i64 = 15;

fn refuses(peer: &mut Peer, what: &str, wrong: Vec<Value>) {
    for reference in wrong {
        for handler in [REPR, DEL] {
            peer.send(&request(
                5,
                handler,
                vec![theirs(reference.clone()), plain(1)],
            ));
            let (kind, body) = answer(peer);
            assert_eq!(kind, 3, "{what} {reference:?}: {body:?}");
        }
        still_served(peer);
    }
}

#[test]
fn references_of_other_shapes_or_to_what_was_not_given_are_refused() {
    let victim = Victim::start();
    let huge = Value::from(i64::MAX);
    let mut peer = known(&victim, id_pack("builtins.list", 11, 12));
    let shapes = vec![
        Value::None,
        Value::from("x"),
        Value::Tuple(Vec::new()),
        tuple([Value::from("a")]),
        tuple([Value::from("a"), Value::from(1)]),
        tuple([Value::from("a"), Value::from("b"), Value::from("c")]),
        tuple([Value::from("a"), Value::None, Value::None]),
        tuple([Value::from(1), Value::from(2), Value::from(3)]),
        id_pack("a", 101, 102),
        id_pack("a", -1, -2),
        tuple([Value::from("a"), huge.clone(), huge.clone()]),
    ];
    refuses(&mut peer, "an id_pack", shapes);
    peer.leave(&victim);
    let mut peer = known(
        &victim,
        tuple([Value::from(12), Value::from("builtins.list")]),
    );
    let numbers = vec![
        Value::None,
        Value::from("x"),
        Value::Tuple(Vec::new()),
        Value::from(99_999),
        Value::from(-1),
        huge,
    ];
    refuses(&mut peer, "a number", numbers);
    peer.leave(&victim);
}

#[test]
fn ids_of_threads_that_are_cut_short_close() {
    let victim = Victim::start();
    for length in 1..16 {
        let mut peer = Peer::stranger(&victim);
        peer.send(&frame(&vec![0; length]));
        let ended = peer.closed(&victim);
        assert!(!ended.reason.is_normal(), "{length}: {}", ended.reason);
    }
    let bound = hex("0000000000000007 0000000000000000 01 11 50 11 53 11 51 02");
    for length in 1..bound.len() {
        let mut peer = Peer::stranger(&victim);
        peer.send(&[frame(&bound), frame(&bound[..length])].concat());
        let ended = peer.closed(&victim);
        assert!(!ended.reason.is_normal(), "{length}: {}", ended.reason);
    }
}

#[test]
fn triples_that_are_no_messages_close() {
    let victim = Victim::start();
    for payload in [
        "12 50 50 50",
        "12 54 50 02",
        "12 51 50",
        "12 51 50 11 53",
        "12 00 50 02",
        "12 51 10 51",
        "14 03 51",
        "15 00000003 51",
        "12 15 ffffffff",
    ] {
        closes(&victim, payload, &frame(&hex(payload)));
    }
}

#[test]
fn requests_that_ask_for_nothing_are_answered_with_an_exception() {
    let victim = Victim::start();
    let mut peer = Peer::stranger(&victim);
    for payload in [
        "12 51 50 51",
        "12 51 50 02",
        "12 51 50 11 51 51",
        "12 51 50 11 9f 11 51 02",
    ] {
        peer.send_payload(&hex(payload));
        assert_eq!(answer(&mut peer).0, 3, "{payload}");
        still_served(&mut peer);
    }
    peer.leave(&victim);
}
