//! Peers of rpyc-ng: the same hostility in its words, and what only it has: types by value, and the requests 21 to 23.

use rpyc_core::wire::{
    Boxed, ClassId, Handler, IdPack, InstanceId, Message, PlainType, Seq, Value,
};

use crate::peer::{Peer, frame, hex, int, of_kind, raises};
use crate::victim::Victim;

fn by_value(id_pack: &IdPack) -> Boxed {
    Boxed::Value(id_pack.to_value())
}

fn reference(id_pack: &IdPack) -> Boxed {
    Boxed::LocalRef(id_pack.clone())
}

/// An object of the server's that the peer holds.
fn made(peer: &mut Peer, root: &IdPack) -> IdPack {
    given(
        peer,
        Handler::GetAttr,
        &[reference(root), Boxed::from("things")],
    )
}

/// The class of an object, as TYPE gives it.
fn class_of(peer: &mut Peer, object: &IdPack) -> IdPack {
    given(peer, Handler::Type, &[by_value(object)])
}

#[track_caller]
fn given(peer: &mut Peer, handler: Handler, args: &[Boxed]) -> IdPack {
    match peer.ask(handler, args) {
        Ok(Boxed::RemoteRef(id_pack)) => id_pack,
        other => panic!("no reference: {other:?}"),
    }
}

/// Values that are no id_pack of an object that the peer was given.
fn forged(given: &IdPack) -> Vec<Value> {
    let with = |place: usize, value: Value| {
        let mut parts = given.to_value().into_tuple().unwrap();
        parts[place] = value;
        Value::Tuple(parts)
    };
    let huge = || int("99999999999999999999");
    vec![
        Value::None,
        Value::from("x"),
        Value::tuple([]),
        Value::Type(PlainType::Int),
        Value::tuple([given.to_value()]),
        with(0, Value::from(1_i64)),
        with(0, Value::Type(PlainType::Str)),
        with(1, Value::from(-1_i64)),
        with(1, Value::Type(PlainType::Int)),
        with(2, huge()),
        with(2, Value::from(1_i64 << 40)),
        with(2, Value::from(true)),
        IdPack::new("a.B", ClassId(1), InstanceId(2)).to_value(),
        of_kind(&IdPack::new("a.B", ClassId(1), InstanceId(0)), 2).to_value(),
    ]
}

#[test]
fn tags_that_rpyc_ng_does_not_have_close() {
    let victim = Victim::start();
    for tag in [0x07, 0xf5, 0xf6, 0xfe, 0xff] {
        let (mut peer, _) = Peer::of_ng(&victim);
        peer.send(&frame(
            &[&hex("01 11 50 11 51 11 51 10")[..], &[tag]].concat(),
        ));
        let ended = peer.closed(&victim);
        assert!(!ended.reason.is_normal(), "{tag:#x}: {}", ended.reason);
    }
}

#[test]
fn types_by_value_stand_for_nothing_but_themselves() {
    let victim = Victim::start();
    let (mut peer, root) = Peer::of_ng(&victim);
    // Two of them rpyc-ng sends and can't read: it is told so, and served.
    for tag in [0xf3, 0xf4] {
        peer.send_payload(&[&hex("01 11 50 11 51 11 51 10")[..], &[tag]].concat());
        let seq = Seq::new(0);
        assert!(matches!(peer.message(), Message::Exception { seq: of, .. } if of == seq));
        peer.ping();
    }
    let readable =
        |plain: &PlainType| !matches!(plain, PlainType::NotImplemented | PlainType::Ellipsis);
    for plain in PlainType::ALL.into_iter().filter(readable) {
        let plain = Value::Type(plain);
        for value in [
            plain.clone(),
            Value::tuple([plain.clone(), Value::tuple([plain.clone()])]),
            Value::FrozenSet(vec![plain.clone(), Value::from(1_i64)]),
        ] {
            let echo = peer.ask(Handler::Ping, &[Boxed::Value(value.clone())]);
            assert_eq!(echo, Ok(Boxed::Value(value)));
        }
        // Where an object, a name, a count or arguments are wanted.
        let a_type = || Boxed::Value(plain.clone());
        let of_root = || reference(&root);
        let empty = || Boxed::tuple(Vec::new());
        for (handler, args) in [
            (Handler::Repr, vec![a_type()]),
            (Handler::Bool, vec![a_type()]),
            (Handler::Call, vec![a_type(), empty()]),
            (Handler::GetAttr, vec![of_root(), a_type()]),
            (
                Handler::GetAttr,
                vec![a_type(), Boxed::from("__subclasses__")],
            ),
            (Handler::CallAttr, vec![of_root(), a_type(), empty()]),
            (Handler::Call, vec![of_root(), a_type()]),
            (Handler::Call, vec![of_root(), empty(), a_type()]),
            (Handler::Cmp, vec![of_root(), of_root(), a_type()]),
            (Handler::Pickle, vec![of_root(), a_type()]),
            (Handler::BuffIter, vec![of_root(), a_type()]),
            (Handler::Del, vec![of_root(), a_type()]),
            (Handler::Type, vec![a_type()]),
            (Handler::Inspect, vec![a_type()]),
        ] {
            let answer = peer.ask(handler, &args);
            assert!(answer.is_err(), "{handler:?} {args:?}: {answer:?}");
        }
        peer.ping();
    }
    peer.leave(&victim);
}

#[test]
fn requests_of_rpyc_ng_alone_take_what_was_given_and_nothing_else() {
    let victim = Victim::start();
    let (mut peer, root) = Peer::of_ng(&victim);
    let object = made(&mut peer, &root);
    let class = class_of(&mut peer, &object);
    let (of_object, of_class) = (|| reference(&object), || reference(&class));
    let mut wrong = vec![
        (Handler::Bool, vec![]),
        (Handler::Bool, vec![of_object(), of_object()]),
        (Handler::Bool, vec![Boxed::from(1_i64)]),
        (Handler::Type, vec![]),
        (Handler::Type, vec![of_object()]),
        (Handler::Type, vec![by_value(&object), by_value(&object)]),
        (Handler::SubclassCheck, vec![]),
        (Handler::SubclassCheck, vec![of_class()]),
        (Handler::SubclassCheck, vec![of_class(), of_class()]),
        (Handler::SubclassCheck, vec![of_object(), by_value(&class)]),
        (
            Handler::SubclassCheck,
            vec![by_value(&class), by_value(&class)],
        ),
    ];
    for value in forged(&object) {
        wrong.push((Handler::Type, vec![Boxed::Value(value.clone())]));
        wrong.push((Handler::Inspect, vec![Boxed::Value(value)]));
    }
    for (handler, args) in wrong {
        let answer = peer.ask(handler, &args);
        assert!(answer.is_err(), "{handler:?} {args:?}: {answer:?}");
    }
    // What isn't there is no instance and no subclass, nor is what is no id_pack.
    for value in forged(&class) {
        for handler in [Handler::SubclassCheck, Handler::InstanceCheck] {
            let args = [of_class(), Boxed::Value(value.clone())];
            let is_one = peer.ask(handler, &args);
            assert_ne!(is_one, Ok(Boxed::from(true)), "{handler:?} {value:?}");
        }
    }
    peer.ping();
    peer.leave(&victim);
}

#[test]
fn the_class_that_type_gives_leads_nowhere() {
    let victim = Victim::start();
    let (mut peer, root) = Peer::of_ng(&victim);
    for object in [root.clone(), made(&mut peer, &root)] {
        let class = class_of(&mut peer, &object);
        let of_class = || reference(&class);
        let call = [of_class(), Boxed::tuple(Vec::new())];
        raises(peer.ask(Handler::Call, &call), "TypeError");
        for name in [
            "__subclasses__",
            "__mro__",
            "__bases__",
            "__init__",
            "__globals__",
            "__class__",
            "__dict__",
            "mro",
        ] {
            let args = [of_class(), Boxed::from(name)];
            raises(peer.ask(Handler::GetAttr, &args), "AttributeError");
        }
        // Nor does its own class, and so on.
        let metaclass = class_of(&mut peer, &class);
        let call = [reference(&metaclass), Boxed::tuple(Vec::new())];
        raises(peer.ask(Handler::Call, &call), "TypeError");
        let _ = class_of(&mut peer, &metaclass);
    }
    peer.leave(&victim);
}

#[test]
fn classes_are_counted_as_any_object_is() {
    let victim = Victim::with(|config| config.max_objects = 50);
    let (mut peer, root) = Peer::of_ng(&victim);
    let object = made(&mut peer, &root);
    let class = class_of(&mut peer, &object);
    let count = 10_000;
    for _ in 1..count {
        assert_eq!(class_of(&mut peer, &object), class);
    }
    for wrong in [
        Value::from(0_i64),
        Value::from(-1_i64),
        Value::from(count + 1),
        int("99999999999999999999"),
    ] {
        let answer = peer.ask(
            Handler::Del,
            &[by_value(&class), Boxed::Value(wrong.clone())],
        );
        assert!(answer.is_err(), "{wrong:?}: {answer:?}");
    }
    let released = peer.ask(Handler::Del, &[by_value(&class), Boxed::from(count)]);
    assert_eq!(released, Ok(Boxed::Value(Value::None)));
    let gone = peer.ask(Handler::Repr, &[reference(&class)]);
    raises(gone, "KeyError");
    peer.leave(&victim);
}

#[test]
fn a_kind_is_no_claim() {
    let victim = Victim::start();
    let (mut peer, root) = Peer::of_ng(&victim);
    let object = made(&mut peer, &root);
    // Whatever kind it is given back with, of however many items: it is what was given out, or nothing.
    for kind in [0, 1, 2, 3, 4, 255] {
        let shown = peer.ask(Handler::Repr, &[reference(&of_kind(&object, kind))]);
        if let Ok(shown) = shown {
            assert_eq!(shown, Boxed::from("<hostile.Things object>"));
        }
        peer.ping();
    }
    peer.leave(&victim);
}
