//! A session that is cut off at every byte, and one in which any bit may be wrong.

use std::net::Shutdown;

use rpyc_core::wire::{Boxed, Handler, Message, Seq, Value};

use crate::peer::{PING, Peer, call_attr, message, mine, request};
use crate::victim::Victim;

/// What a client sends that does a little of everything. It is called back, too, if that is
/// wanted; the answer comes before it can be due, so that the call is still open at the end.
fn session(victim: &Victim, called_back: bool) -> Vec<u8> {
    // Its root has the same ids in each connection.
    let mut peer = Peer::stranger(victim);
    let root = peer.root();
    let made = match peer.ask(Handler::CallAttr, &call_attr(&root, "make", Vec::new())) {
        Ok(Boxed::RemoteRef(id_pack)) => id_pack,
        other => panic!("nothing made: {other:?}"),
    };
    peer.leave(victim);
    let made = || Boxed::LocalRef(made.clone());
    let call = |method: &str, args| call_attr(&root, method, args);
    let mixed = Boxed::Tuple(vec![made(), mine(1), Boxed::from("text")]);
    let callback = [
        request(9, Handler::CallAttr, &call("call", vec![mine(3)])),
        message(&Message::Reply {
            seq: Seq::new(1),
            result: Boxed::from(1_i64),
        }),
    ];
    [
        PING.to_vec(),
        request(1, Handler::GetRoot, &[]),
        request(2, Handler::CallAttr, &call("make", Vec::new())),
        request(3, Handler::CallAttr, &call("echo", vec![mixed])),
        request(4, Handler::Inspect, &[Boxed::Value(root.to_value())]),
        request(5, Handler::CallAttr, &call("keep", vec![mine(2)])),
        request(6, Handler::Cmp, &[made(), made(), Boxed::from("__eq__")]),
        request(7, Handler::GetAttr, &[made(), Boxed::from("nothing")]),
        request(8, Handler::Del, &[made(), Boxed::from(1_i64)]),
        request(
            10,
            Handler::Ping,
            &[Boxed::Value(Value::Tuple(vec![Value::None; 20]))],
        ),
        if called_back {
            callback.concat()
        } else {
            Vec::new()
        },
        request(11, Handler::Close, &[]),
    ]
    .concat()
}

#[test]
fn a_session_cut_off_at_any_byte_is_freed() {
    let victim = Victim::start();
    let session = session(&victim, true);
    for end in 0..=session.len() {
        let mut peer = Peer::stranger(&victim);
        peer.send(&session[..end]);
        if end % 2 == 0 {
            peer.leave(&victim);
        } else {
            // Gone in both directions: what is written to it fails.
            let address = peer.socket.local_addr().unwrap();
            drop(peer.socket);
            victim.ended(address);
        }
    }
}

#[test]
fn a_session_with_any_wrong_bit_is_freed() {
    let victim = Victim::start();
    let session = session(&victim, true);
    for bit in 0..8 * session.len() {
        let mut bytes = session.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut peer = Peer::stranger(&victim);
        peer.send(&bytes);
        // It may be closed already.
        let _ = peer.socket.shutdown(Shutdown::Write);
        peer.closed(&victim);
    }
}

#[test]
fn a_session_in_the_smallest_pieces_is_served() {
    let victim = Victim::start();
    let session = session(&victim, false);
    let mut peer = Peer::stranger(&victim);
    for byte in session {
        peer.send(&[byte]);
    }
    assert!(peer.closed(&victim).reason.is_normal());
}
