//! Requests with the wrong arguments, and names that nobody may have.

use rpyc_core::wire::{Boxed, Handler, IdPack, Value};

use crate::memory::bounded;
use crate::peer::{Peer, call_attr, mine, raises};
use crate::victim::Victim;

fn text(length: usize) -> Boxed {
    Boxed::from("x".repeat(length))
}

fn nothing() -> Boxed {
    Boxed::Value(Value::Tuple(Vec::new()))
}

#[test]
fn every_handler_answers_whatever_its_arguments_are() {
    let victim = Victim::with(|config| {
        config.allow_all_attrs = true;
        config.allow_setattr = true;
        config.allow_delattr = true;
        config.allow_pickle = true;
    });
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let junk = || {
        vec![
            Boxed::LocalRef(root.clone()),
            Boxed::Value(Value::None),
            Boxed::from(-1_i64),
            Boxed::from("exposed_echo"),
            Boxed::Value(Value::Bytes(vec![0xff].into())),
            nothing(),
            Boxed::Value(Value::Tuple(vec![Value::None])),
            Boxed::Value(root.to_value()),
        ]
    };
    for number in (0..=24).filter(|number| ![2, 15].contains(number)) {
        let handler = Handler::from_number(number);
        for length in 0..=7 {
            for first in junk() {
                for rest in junk() {
                    let mut args = vec![first.clone()];
                    args.resize(length, rest);
                    if length == 0 {
                        args.clear();
                    }
                    // The answer is what it is; there has to be one.
                    let _ = peer.ask(handler, &args);
                }
            }
        }
    }
    peer.ping();
    peer.leave(&victim);
}

#[test]
fn keyword_arguments_are_pairs_with_names_of_their_own() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let pair = |name: Value| Value::Tuple(vec![name, Value::None]);
    let mut ask = |kwargs: Value| {
        let mut args = call_attr(&root, "names", Vec::new());
        args[3] = Boxed::Value(kwargs);
        peer.ask(Handler::CallAttr, &args)
    };
    let tuple = Value::Tuple;
    assert!(ask(tuple(vec![pair(Value::from("a")), pair(Value::from("b"))])).is_ok());
    let bytes = ask(tuple(vec![pair(Value::Bytes(b"py2"[..].into()))]));
    assert_eq!(bytes, Ok(Boxed::Value(tuple(vec![Value::from("py2")]))));
    for kwargs in [
        Value::None,
        Value::from("ab"),
        tuple(vec![Value::None]),
        tuple(vec![tuple(vec![Value::from("a")])]),
        tuple(vec![tuple(vec![
            Value::from("a"),
            Value::None,
            Value::None,
        ])]),
        tuple(vec![pair(Value::None)]),
        tuple(vec![pair(Value::from(1_i64))]),
        tuple(vec![pair(Value::Bytes(vec![0xff].into()))]),
        tuple(vec![pair(Value::from("a")), pair(Value::from("a"))]),
        tuple(vec![
            pair(Value::from("a")),
            pair(Value::Bytes(b"a"[..].into())),
        ]),
    ] {
        raises(ask(kwargs), "TypeError");
    }
    peer.leave(&victim);
}

#[test]
fn a_hundred_thousand_keyword_arguments_take_no_time() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let pairs = (0..100_000)
        .map(|number: i64| Value::Tuple(vec![Value::from(format!("name{number}")), Value::None]));
    let mut args = call_attr(&root, "tick", Vec::new());
    args[3] = Boxed::Value(Value::Tuple(pairs.collect()));
    let start = std::time::Instant::now();
    assert!(peer.ask(Handler::CallAttr, &args).is_ok());
    assert!(start.elapsed() < crate::victim::AT_ONCE);
    peer.leave(&victim);
}

#[test]
fn names_that_lead_elsewhere_are_refused_by_every_handler() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let object = || Boxed::LocalRef(root.clone());
    let forbidden = [
        "_private",
        "__class__",
        "__subclasses__",
        "__globals__",
        "__dict__",
        "__reduce__",
        "__reduce_ex__",
        "__getattribute__",
        "__setattr__",
        "__init__",
        "__code__",
        "_rpyc_getattr",
        "make2",
        "",
        "exposed",
        "EXPOSED_echo",
    ];
    for name in forbidden {
        for bytes in [false, true] {
            let name = || match bytes {
                true => Boxed::Value(Value::Bytes(name.as_bytes().to_vec().into())),
                false => Boxed::from(name),
            };
            raises(
                peer.ask(Handler::GetAttr, &[object(), name()]),
                "AttributeError",
            );
            let call = [object(), name(), nothing(), nothing()];
            raises(peer.ask(Handler::CallAttr, &call), "AttributeError");
            let set = [object(), name(), nothing()];
            raises(peer.ask(Handler::SetAttr, &set), "AttributeError");
            raises(
                peer.ask(Handler::DelAttr, &[object(), name()]),
                "AttributeError",
            );
            let cmp = [object(), object(), name()];
            raises(peer.ask(Handler::Cmp, &cmp), "AttributeError");
            let slicing = [object(), name(), name(), nothing(), nothing(), nothing()];
            raises(peer.ask(Handler::OldSlicing, &slicing), "AttributeError");
        }
    }
    // Allowed to be read, and still no comparison.
    for name in ["exposed_echo", "__len__", "__getitem__"] {
        raises(
            peer.ask(Handler::Cmp, &[object(), object(), Boxed::from(name)]),
            "AttributeError",
        );
    }
    for writing in [Handler::SetAttr, Handler::DelAttr] {
        let args = [object(), Boxed::from("exposed_echo"), nothing()];
        let count = if writing == Handler::SetAttr { 3 } else { 2 };
        raises(peer.ask(writing, &args[..count]), "AttributeError");
    }
    for name in [
        Boxed::from(1_i64),
        nothing(),
        Boxed::Value(Value::None),
        mine(1),
    ] {
        raises(peer.ask(Handler::GetAttr, &[object(), name]), "TypeError");
    }
}

#[test]
fn a_name_of_megabytes_is_not_repeated() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let nul = || Boxed::from("\0".repeat(8 << 20));
    bounded(2 * (16 << 20), || {
        let get = [Boxed::LocalRef(root.clone()), nul()];
        raises(peer.ask(Handler::GetAttr, &get), "AttributeError");
        let unknown = IdPack::new(
            "\0".repeat(8 << 20),
            rpyc_core::wire::ClassId(1 << 40),
            rpyc_core::wire::InstanceId(1 << 40),
        );
        let answer = raises(
            peer.ask(Handler::Repr, &[Boxed::LocalRef(unknown)]),
            "KeyError",
        );
        assert!(format!("{answer:?}").len() < 10_000);
    });
    raises(
        peer.ask(Handler::GetAttr, &[Boxed::LocalRef(root), text(1 << 20)]),
        "AttributeError",
    );
    peer.leave(&victim);
}

#[test]
fn nothing_is_pickled_unless_that_is_allowed() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    for protocol in [
        Boxed::from(4_i64),
        Boxed::from(-1_i64),
        Boxed::from(1_000_000_000_i64),
    ] {
        let args = [Boxed::LocalRef(root.clone()), protocol];
        let refused = raises(peer.ask(Handler::Pickle, &args), "ValueError");
        assert_eq!(refused.args, [Value::from("pickling is disabled")]);
    }
    let huge = crate::peer::int(&"1".repeat(30));
    let args = [Boxed::LocalRef(root), Boxed::Value(huge)];
    raises(peer.ask(Handler::Pickle, &args), "OverflowError");
    peer.leave(&victim);
}
