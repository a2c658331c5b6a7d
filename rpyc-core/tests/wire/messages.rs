//! Messages that Python wrote mean what they meant.

use rpyc_core::wire::{
    Boxed, ClassId, Dialect, DumpedException, Handler, IdPack, InstanceId, Message, Seq, Value,
};

use crate::{
    limits,
    vectors::{self, Row},
};

fn decode(rows: &[Row], name: &str) -> Message {
    Message::decode(&vectors::find(rows, name), Dialect::V6, &limits()).unwrap()
}

fn theirs() -> Boxed {
    Boxed::LocalRef(IdPack::new("builtins.list", ClassId(7), InstanceId(9)))
}

fn ours(name: &str, class_length: u64, instance: u64) -> Boxed {
    let class = ClassId(94_000_000_000_000 + class_length);
    Boxed::RemoteRef(IdPack::new(
        name,
        class,
        InstanceId(140_000_000_000_000 + instance),
    ))
}

fn nothing() -> Boxed {
    Boxed::Value(Value::Tuple(vec![]))
}

#[test]
fn requests_are_read_as_python_meant_them() {
    let rows = vectors::messages();
    let list = || ours("builtins.list", 4, 1);
    let function = || ours("builtins.function", 8, 0);
    let expected = [
        ("request_ping", 0, Handler::Ping, vec!["hello".into()]),
        ("request_close", 2, Handler::Close, vec![]),
        ("request_getroot", 0, Handler::GetRoot, vec![]),
        (
            "request_getattr",
            3,
            Handler::GetAttr,
            vec![theirs(), "append".into()],
        ),
        (
            "request_setattr",
            4,
            Handler::SetAttr,
            vec![theirs(), "x".into(), 5.into()],
        ),
        (
            "request_setattr_ours",
            4,
            Handler::SetAttr,
            vec![theirs(), "x".into(), function()],
        ),
        (
            "request_call",
            6,
            Handler::Call,
            vec![
                theirs(),
                Value::tuple([1.into(), 2.into()]).into(),
                nothing(),
            ],
        ),
        (
            "request_call_callback",
            8,
            Handler::Call,
            vec![
                theirs(),
                Boxed::Tuple(vec![list(), 3.into()]),
                Boxed::Tuple(vec![Boxed::Tuple(vec!["key".into(), function()])]),
            ],
        ),
        (
            "request_cmp",
            12,
            Handler::Cmp,
            vec![theirs(), theirs(), "__eq__".into()],
        ),
        ("request_del", 16, Handler::Del, vec![theirs(), 3.into()]),
        (
            "request_inspect",
            17,
            Handler::Inspect,
            vec![
                IdPack::new("a.B", ClassId(1), InstanceId(2))
                    .to_value()
                    .into(),
            ],
        ),
        (
            "request_seq_2_to_63",
            1 << 63,
            Handler::Ping,
            vec![1.into()],
        ),
        (
            "request_unknown_handler",
            24,
            Handler::Other(99),
            vec![1.into()],
        ),
        (
            "request_300_args",
            25,
            Handler::Ping,
            (0..300).map(Boxed::from).collect(),
        ),
    ];
    for (name, seq, handler, args) in expected {
        assert_eq!(
            decode(&rows, name),
            Message::Request {
                seq: Seq::new(seq),
                handler,
                args
            },
            "{name}"
        );
    }
}

#[test]
fn ids_take_all_of_64_bits() {
    let Message::Request { args, .. } = decode(&vectors::messages(), "request_ids_of_64_bits")
    else {
        panic!("not a request");
    };
    assert_eq!(
        args,
        [Boxed::LocalRef(IdPack::new(
            "builtins.dict",
            ClassId(u64::MAX),
            InstanceId(1 << 63)
        ))]
    );
}

#[test]
fn what_python_writes_in_one_byte_may_come_in_its_long_form() {
    let read =
        |payload: &'static [u8]| Message::decode(&payload.into(), Dialect::V6, &limits()).unwrap();
    let request = Message::Request {
        seq: Seq::new(0),
        handler: Handler::Ping,
        args: vec![5.into()],
    };
    assert_eq!(read(b"\x01\x11\x50\x11\x51\x11\x51\x10\x55"), request);
    assert_eq!(
        read(b"\x01\x14\x02\x16\x010\x14\x02\x16\x011\x14\x02\x16\x011\x14\x01\x16\x015"),
        request
    );
    let reply = Message::Reply {
        seq: Seq::new(0),
        result: Boxed::LocalRef(IdPack::new("a", ClassId(7), InstanceId(9))),
    };
    assert_eq!(read(b"\x02\x11\x50\x11\x53\x12\x08\x0aa\x57\x59"), reply);
    assert_eq!(
        read(b"\x02\x14\x02\x16\x010\x14\x02\x16\x013\x14\x03\x08\x0e\x01a\x16\x017\x16\x019"),
        reply
    );
}

#[test]
fn replies_are_read_as_python_meant_them() {
    let rows = vectors::messages();
    let expected = [
        ("reply_none", 0, Value::None.into()),
        ("reply_int", 1, 42.into()),
        (
            "reply_tuple",
            2,
            Value::Tuple(vec![1.into(), "a".into(), b"b".to_vec().into()]).into(),
        ),
        ("reply_ours", 3, ours("builtins.function", 8, 0)),
        (
            "reply_our_class",
            3,
            Boxed::RemoteRef(IdPack::new(
                "builtins.int",
                ClassId(94_000_000_000_003),
                InstanceId(0),
            )),
        ),
        ("reply_theirs", 4, theirs()),
        (
            "reply_mixed_tuple",
            5,
            Boxed::Tuple(vec![
                1.into(),
                ours("builtins.list", 4, 1),
                Boxed::Tuple(vec![theirs(), "x".into()]),
                nothing(),
            ]),
        ),
        ("reply_bytes_5000", 6, vec![0; 5_000].into()),
    ];
    for (name, seq, result) in expected {
        assert_eq!(
            decode(&rows, name),
            Message::Reply {
                seq: Seq::new(seq),
                result
            },
            "{name}"
        );
    }
}

#[test]
fn exceptions_are_read_as_python_meant_them() {
    let rows = vectors::messages();
    let exception = |name| match decode(&rows, name) {
        Message::Exception { exception, .. } => exception,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        exception("exception_stop_iteration"),
        DumpedException::StopIteration
    );
    let DumpedException::Named(named) = exception("exception_custom") else {
        panic!("not a named exception");
    };
    assert_eq!(
        (named.module.as_str(), named.class.as_str()),
        ("vectors", "Custom")
    );
    assert!(named.attrs.contains(&("code".into(), 7.into())));
}

#[test]
fn the_class_itself_has_instance_0() {
    assert!(IdPack::new("builtins.int", ClassId(5), InstanceId(0)).is_class());
    assert!(!IdPack::new("builtins.int", ClassId(5), InstanceId(1)).is_class());
}

#[test]
fn a_boxed_tuple_of_values_is_a_value() {
    assert_eq!(
        Boxed::tuple(vec![1.into(), "x".into()]),
        Value::tuple([1.into(), "x".into()]).into()
    );
    assert_eq!(Boxed::tuple(vec![]), nothing());
    let mixed = vec![1.into(), theirs()];
    assert_eq!(Boxed::tuple(mixed.clone()), Boxed::Tuple(mixed));
}

#[test]
fn handlers_keep_their_numbers() {
    for number in -3..=30 {
        let handler = Handler::from_number(number);
        assert_eq!(handler.number(), number);
        assert_eq!(
            matches!(handler, Handler::Other(_)),
            !(1..=23).contains(&number)
        );
        assert_eq!(handler.name() == "OTHER", !(1..=23).contains(&number));
        assert_eq!(Handler::from_value(&number.into()), Ok(handler));
    }
    assert_eq!(Handler::GetRoot.to_string(), "GETROOT");
    assert_eq!(Handler::Other(99).to_string(), "handler 99");
}

#[test]
fn a_number_that_stands_for_a_handler_is_never_kept_as_unknown() {
    assert_eq!(Handler::from_number(7), Handler::Call);
    assert_eq!(Handler::from_number(23), Handler::Type);
}
