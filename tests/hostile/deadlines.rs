//! Peers that are slow, or silent.

use std::time::Duration;

use rpyc_core::error::CloseReason;
use rpyc_core::wire::{Boxed, Handler, Message};

use crate::peer::{PING, Peer, call_attr, mine};
use crate::victim::Victim;

/// Short for a test, and long enough for what one that behaves does in it on a busy machine.
const SHORT: Duration = Duration::from_millis(500);

#[track_caller]
fn too_slow(reason: &CloseReason, expected: &str) {
    match reason {
        CloseReason::TooSlow { what, .. } => assert!(what.contains(expected), "{what}"),
        other => panic!("{other}"),
    }
}

#[test]
fn who_connects_and_says_nothing_is_closed() {
    let victim = Victim::with(|config| config.handshake_timeout = Some(SHORT));
    too_slow(
        &Peer::stranger(&victim).closed(&victim).reason,
        "no message",
    );
    let mut known = Peer::known(&victim);
    assert!(!known.idle(3 * SHORT));
    known.ping();
    known.leave(&victim);
}

#[test]
fn a_first_frame_byte_by_byte_or_an_empty_one_is_no_message() {
    let victim = Victim::with(|config| config.handshake_timeout = Some(SHORT));
    for drip in [&PING[..10], &b"\0\0\0\0\0\n".repeat(10)] {
        let mut peer = Peer::stranger(&victim);
        for byte in drip {
            peer.send(&[*byte]);
            if peer.idle(SHORT / 8) {
                break;
            }
        }
        too_slow(&peer.closed(&victim).reason, "no message");
    }
}

#[test]
fn a_frame_that_begins_has_to_get_on() {
    let victim = Victim::with(|config| config.frame_timeout = Some(SHORT));
    for part in [1, 3, 5, 8] {
        for mut peer in [Peer::stranger(&victim), Peer::known(&victim)] {
            peer.send(&PING[..part]);
            too_slow(&peer.closed(&victim).reason, "a frame");
        }
    }
    let mut peer = Peer::known(&victim);
    peer.send(b"\0\x10\0\0\0");
    for _ in 0..100 {
        peer.send(b"xxx");
        if peer.idle(SHORT / 8) {
            break;
        }
    }
    too_slow(&peer.closed(&victim).reason, "a frame");
}

#[test]
fn a_large_frame_may_take_long_if_it_gets_on() {
    let victim = Victim::with(|config| config.frame_timeout = Some(3 * SHORT));
    let mut peer = Peer::known(&victim);
    let head = b"\x01\x11\x50\x11\x51\x11\x51\x10\x0f\0\x05\0\0";
    let length = u32::try_from(head.len() + (5 << 16)).unwrap();
    peer.send(&[&length.to_be_bytes()[..], &[0], head].concat());
    for _ in 0..5 {
        assert!(!peer.idle(SHORT));
        peer.send(&[7; 1 << 16]);
    }
    peer.send(b"\n");
    assert_eq!(peer.payload().unwrap().len(), 3 + 2 + 5 + (5 << 16));
    peer.leave(&victim);
}

#[test]
fn silent_and_slow_peers_keep_nobody_from_being_served() {
    let victim = Victim::start();
    let silent: Vec<Peer> = (0..100).map(|_| Peer::stranger(&victim)).collect();
    let mut slow: Vec<Peer> = (0..100).map(|_| Peer::stranger(&victim)).collect();
    for peer in &mut slow {
        peer.send(&PING[..3]);
    }
    Peer::known(&victim).leave(&victim);
    victim.check_well();
    for peer in silent.into_iter().chain(slow) {
        peer.leave(&victim);
    }
}

#[test]
fn who_is_idle_is_closed_where_the_config_wants_that() {
    let victim = Victim::with(|config| config.idle_timeout = Some(SHORT));
    too_slow(&Peer::stranger(&victim).closed(&victim).reason, "idle");
    let mut peer = Peer::known(&victim);
    // Nobody is idle while a request runs, whoever is waited for.
    let root = peer.root();
    let args = call_attr(&root, "call", vec![mine(1)]);
    let asked = peer.request(Handler::CallAttr, &args);
    let Message::Request { seq, .. } = peer.message() else {
        panic!("not called back");
    };
    assert!(!peer.idle(4 * SHORT));
    peer.send(&crate::peer::message(&Message::Reply {
        seq,
        result: Boxed::from(1_i64),
    }));
    assert_eq!(peer.answer(asked), Ok(Boxed::from(1_i64)));
    too_slow(&peer.closed(&victim).reason, "idle");
}

#[test]
fn who_does_not_read_is_closed() {
    let victim = Victim::with(|config| config.write_timeout = Some(SHORT));
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    for _ in 0..10 {
        let args = call_attr(&root, "bytes", vec![Boxed::from(8_i64 << 20)]);
        peer.request(Handler::CallAttr, &args);
    }
    let ended = peer.unread(&victim);
    too_slow(&ended.reason, "didn't read");
}
