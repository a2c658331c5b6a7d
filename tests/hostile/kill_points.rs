//! A session that is cut off at every byte, and one in which any bit may be wrong.

use std::net::Shutdown;

use rpyc_core::wire::{Boxed, Handler, IdPack, Message, PlainType, Seq, Value};

use crate::peer::{PING, Peer, call_attr, message, mine, request, request_of_ng};
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

/// The same of a client of rpyc-ng, in its own words.
fn session_of_ng(victim: &Victim) -> Vec<u8> {
    let (mut peer, root) = Peer::of_ng(victim);
    let ask = |peer: &mut Peer, handler, args: &[Boxed]| match peer.ask(handler, args) {
        Ok(Boxed::RemoteRef(id_pack)) => id_pack,
        other => panic!("no reference: {other:?}"),
    };
    let of_root = || Boxed::LocalRef(root.clone());
    let make = [of_root(), Boxed::from("things")];
    let made = ask(&mut peer, Handler::GetAttr, &make);
    let call = [Boxed::LocalRef(made.clone()), Boxed::tuple(Vec::new())];
    let class = ask(&mut peer, Handler::Type, &[Boxed::Value(made.to_value())]);
    peer.leave(victim);
    let value = |id_pack: &IdPack| Boxed::Value(id_pack.to_value());
    let of = |id_pack: &IdPack| Boxed::LocalRef(id_pack.clone());
    let types = [PlainType::Int, PlainType::None, PlainType::Str].map(Value::Type);
    [
        request_of_ng(1, Handler::GetRoot, &[]),
        request_of_ng(2, Handler::Repr, &[of_root()]),
        request_of_ng(3, Handler::GetAttr, &make),
        request_of_ng(4, Handler::Call, &call),
        request_of_ng(5, Handler::Type, &[value(&made)]),
        request_of_ng(6, Handler::Inspect, &[value(&class)]),
        request_of_ng(7, Handler::Bool, &[of(&made)]),
        request_of_ng(8, Handler::SubclassCheck, &[of(&class), value(&class)]),
        request_of_ng(9, Handler::InstanceCheck, &[of(&class), value(&made)]),
        request_of_ng(10, Handler::Ping, &[Boxed::Value(Value::tuple(types))]),
        request_of_ng(11, Handler::Del, &[value(&made), Boxed::from(1_i64)]),
        request_of_ng(12, Handler::Close, &[]),
    ]
    .concat()
}

#[test]
fn a_session_cut_off_at_any_byte_is_freed() {
    let victim = Victim::start();
    for session in [session(&victim, true), session_of_ng(&victim)] {
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
}

#[test]
fn a_session_with_any_wrong_bit_is_freed() {
    let victim = Victim::start();
    for session in [session(&victim, true), session_of_ng(&victim)] {
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
}

#[test]
fn a_session_in_the_smallest_pieces_is_served() {
    let victim = Victim::start();
    for session in [session(&victim, false), session_of_ng(&victim)] {
        let mut peer = Peer::stranger(&victim);
        for byte in session {
            peer.send(&[byte]);
        }
        assert!(peer.closed(&victim).reason.is_normal());
    }
}
