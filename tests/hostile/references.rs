//! References to what a peer was never given, and references given back that it doesn't have.

use rpyc_core::wire::{Boxed, ClassId, Handler, IdPack, InstanceId, Value};

use crate::peer::{Peer, mine, raises};
use crate::victim::Victim;

fn made(peer: &mut Peer) -> IdPack {
    match peer.call("make", Vec::new()) {
        Ok(Boxed::RemoteRef(id_pack)) => id_pack,
        other => panic!("nothing made: {other:?}"),
    }
}

#[test]
fn a_reference_that_was_not_given_is_a_key_error() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let mut other = Peer::known(&victim);
    let root = peer.root();
    let theirs: Vec<IdPack> = (0..20).map(|_| made(&mut other)).collect();
    let mut forged = vec![
        IdPack::new("x", ClassId(0), InstanceId(0)),
        IdPack::new("x", ClassId(u64::MAX), InstanceId(u64::MAX)),
        IdPack::new("builtins.object", ClassId(1 << 20), InstanceId(0)),
        IdPack::new(
            root.name.clone(),
            root.class,
            InstanceId(root.instance.0 + 1000),
        ),
    ];
    // What another connection was given means nothing here, whatever the numbers are.
    forged.extend(theirs.iter().skip(5).cloned());
    for id_pack in forged {
        let reference = || Boxed::LocalRef(id_pack.clone());
        raises(peer.ask(Handler::Repr, &[reference()]), "KeyError");
        raises(peer.call("echo", vec![reference()]), "KeyError");
        raises(
            peer.call("echo", vec![Boxed::Tuple(vec![reference(), mine(1)])]),
            "KeyError",
        );
        raises(
            peer.ask(Handler::Inspect, &[Boxed::Value(id_pack.to_value())]),
            "KeyError",
        );
        raises(
            peer.ask(Handler::Del, &[reference(), Boxed::from(1_i64)]),
            "KeyError",
        );
    }
    let lives = other.ask(Handler::Repr, &[Boxed::LocalRef(theirs[7].clone())]);
    assert!(lives.is_ok());
    peer.leave(&victim);
    other.leave(&victim);
}

#[test]
fn the_name_in_a_reference_decides_nothing() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let mut thing = made(&mut peer);
    let before = peer.ask(Handler::Repr, &[Boxed::LocalRef(thing.clone())]);
    thing.name = "os.system".into();
    assert_eq!(peer.ask(Handler::Repr, &[Boxed::LocalRef(thing)]), before);
    peer.leave(&victim);
}

#[test]
fn only_what_is_out_can_be_given_back() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let thing = made(&mut peer);
    let mut del = |count: Boxed| peer.ask(Handler::Del, &[Boxed::LocalRef(thing.clone()), count]);
    for count in [1_000_000_000_i64, 2, 0, -1, i64::MIN] {
        raises(del(Boxed::from(count)), "ValueError");
    }
    raises(
        del(Boxed::Value(crate::peer::int(&"1".repeat(30)))),
        "ValueError",
    );
    for count in [
        Boxed::from(1.0),
        Boxed::from(true),
        Boxed::Value(Value::None),
        Boxed::from("1"),
    ] {
        raises(del(count), "TypeError");
    }
    assert_eq!(del(Boxed::from(1_i64)), Ok(Boxed::Value(Value::None)));
    raises(del(Boxed::from(1_i64)), "KeyError");
    raises(peer.ask(Handler::Del, &[]), "TypeError");
    raises(
        peer.ask(Handler::Del, &[Boxed::Value(thing.to_value())]),
        "TypeError",
    );
    raises(
        peer.ask(Handler::Del, &[mine(1), Boxed::from(1_i64)]),
        "TypeError",
    );
    peer.leave(&victim);
}

#[test]
fn the_root_stays_whatever_is_given_back() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let del = [Boxed::LocalRef(root.clone()), Boxed::from(1_i64)];
    assert!(peer.ask(Handler::Del, &del).is_ok());
    raises(peer.ask(Handler::Del, &del), "ValueError");
    assert!(peer.ask(Handler::Repr, &[Boxed::LocalRef(root)]).is_ok());
    assert!(peer.call("tick", Vec::new()).is_ok());
    peer.leave(&victim);
}

#[test]
fn an_object_of_the_peers_is_taken_as_it_is_and_never_asked_about() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    for number in 0..100 {
        let Boxed::RemoteRef(sent) = mine(number) else {
            unreachable!("it is one")
        };
        // No INSPECT comes before the answer: `ask` would fail on it.
        let echo = peer.call("echo", vec![Boxed::RemoteRef(sent.clone())]);
        assert_eq!(echo, Ok(Boxed::LocalRef(sent)));
        // The reference is given back behind the answer.
        let rpyc_core::wire::Message::Request { handler, args, .. } = peer.message() else {
            panic!("no DEL");
        };
        assert_eq!((handler, args.len()), (Handler::Del, 2));
    }
    peer.leave(&victim);
}
