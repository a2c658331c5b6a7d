//! Peers that are called back and answer with a trap, or not at all.

use rpyc_core::Config;
use rpyc_core::config::Nesting;
use rpyc_core::wire::{Boxed, DumpedException, Handler, Message, NamedException, Seq, Value};

use crate::memory::bounded;
use crate::peer::{Peer, call_attr, frame, hex, message, mine, raises};
use crate::victim::Victim;

/// Has the service call back; gives the request's number and the callback's.
#[track_caller]
fn called_back(peer: &mut Peer, method: &str) -> (u64, Seq) {
    let root = peer.root();
    let asked = peer.request(Handler::CallAttr, &call_attr(&root, method, vec![mine(1)]));
    loop {
        match peer.message() {
            Message::Request {
                handler: Handler::Del,
                ..
            } => {}
            Message::Request { seq, .. } => return (asked, seq),
            other => panic!("not called back: {other:?}"),
        }
    }
}

#[test]
fn an_exception_is_data_whatever_it_is_called() {
    let victim = Victim::with(|config| {
        config.instantiate_custom_exceptions = true;
        config.import_custom_exceptions = true;
    });
    let mut peer = Peer::known(&victim);
    for (module, class) in [
        ("os", "system"),
        ("builtins", "eval"),
        ("", ""),
        ("a\0b", "\u{202e}"),
    ] {
        let (asked, callback) = called_back(&mut peer, "call");
        let exception = DumpedException::Named(Box::new(NamedException {
            module: module.into(),
            class: class.into(),
            args: vec![Value::from("rm -rf /")],
            attrs: vec![
                ("__class__".into(), Value::None),
                ("args".into(), Value::None),
            ],
            traceback: "a traceback\n".into(),
        }));
        peer.send(&message(&Message::Exception {
            seq: callback,
            exception,
        }));
        let exception = peer.answer(asked).unwrap_err();
        assert_eq!((&*exception.module, &*exception.class), (module, class));
    }
    peer.leave(&victim);
}

#[test]
fn a_huge_exception_is_cut() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let (asked, callback) = called_back(&mut peer, "call");
    let attr = |number: i64| Value::Tuple(vec![Value::from(format!("a{number}")), Value::None]);
    let huge = Value::Tuple(vec![
        Value::Tuple(vec![Value::from("builtins"), Value::from("ValueError")]),
        Value::Tuple(vec![Value::None; 200_000]),
        Value::Tuple((0..100_000).map(attr).collect()),
        Value::from("x".repeat(8 << 20)),
    ]);
    let mut payload = vec![3, 0x11];
    let limits = rpyc_core::wire::Limits::default();
    payload.extend(rpyc_core::wire::encode_to_vec(&callback.to_value(), &limits).unwrap());
    payload.extend(rpyc_core::wire::encode_to_vec(&huge, &limits).unwrap());
    bounded(2 * (16 << 20), || {
        peer.send(&frame(&payload));
        let exception = raises(peer.answer(asked), "ValueError");
        assert_eq!(
            (exception.args.len(), exception.traceback.len() < 2 << 20),
            (1000, true)
        );
    });
    peer.leave(&victim);
}

#[test]
fn a_malformed_answer_fails_the_call_that_waits_for_it() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    for result in [
        "00",
        "11 50 51",
        "11 55 51",
        "11 53 12 080a61 70 71",
        "11 52 51",
    ] {
        let (asked, callback) = called_back(&mut peer, "call");
        let seq = u8::try_from(callback.as_u64().unwrap() + 0x50).unwrap();
        peer.send_payload(&[&[2, 0x11, seq], &hex(result)[..]].concat());
        assert!(peer.answer(asked).is_err(), "{result}");
    }
    peer.leave(&victim);
}

#[test]
fn an_answer_that_is_no_value_closes() {
    let victim = Victim::start();
    for value in [hex("10").repeat(60_000), hex("15 ffffffff"), hex("ff")] {
        let mut peer = Peer::known(&victim);
        let (_, callback) = called_back(&mut peer, "call");
        let seq = u8::try_from(callback.as_u64().unwrap() + 0x50).unwrap();
        peer.send_payload(&[&[2, 0x11, seq, 0x11, 0x51], &value[..]].concat());
        assert!(!peer.closed(&victim).reason.is_normal());
    }
}

#[test]
fn an_inspection_may_be_answered_with_anything() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let method = |name: &str| Value::Tuple(vec![Value::from(name), Value::None]);
    let traps = ["__class__", "____conn__", "__del__", "__reduce__", ""];
    for (result, fits) in [
        (
            Value::Tuple((0..200_000).map(|_| method("m")).collect()),
            true,
        ),
        (Value::Tuple(traps.into_iter().map(method).collect()), true),
        (Value::None, false),
        (Value::Tuple(vec![Value::None]), false),
        (
            Value::Tuple(vec![Value::Tuple(vec![Value::None, Value::None])]),
            false,
        ),
    ] {
        let (asked, seq) = called_back(&mut peer, "inspect");
        peer.send(&message(&Message::Reply {
            seq,
            result: Boxed::Value(result),
        }));
        assert_eq!(peer.answer(asked).is_ok(), fits);
    }
    peer.leave(&victim);
}

#[test]
fn an_inspection_answered_with_a_million_methods_closes() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let (_, seq) = called_back(&mut peer, "inspect");
    // A pair, a name and nothing for its text: more items than a message may have.
    let methods = b"\x11\x0c\x6d\x00".repeat(1_000_000);
    let seq = u8::try_from(seq.as_u64().unwrap() + 0x50).unwrap();
    let count = 1_000_000_u32.to_be_bytes();
    let payload = [&[2, 0x11, seq, 0x11, 0x51, 0x15][..], &count, &methods].concat();
    bounded(payload.len() + (160 << 20), || {
        peer.send_payload(&payload);
        assert!(!peer.closed(&victim).reason.is_normal());
    });
}

#[test]
fn a_callback_that_is_never_answered_ends_at_the_deadline() {
    let victim = Victim::with(|config| {
        config.sync_request_timeout = Some(std::time::Duration::from_millis(100));
    });
    let mut peer = Peer::known(&victim);
    for method in ["call", "inspect"] {
        let (asked, late) = called_back(&mut peer, method);
        raises(peer.answer(asked), "TimeoutError");
        let result = mine(2);
        peer.send(&message(&Message::Reply { seq: late, result }));
    }
    let ended = peer.leave(&victim);
    assert!(ended.reason.is_normal());
}

#[test]
fn a_peer_that_vanishes_while_it_is_called_back_is_freed_at_once() {
    let victim = Victim::start();
    for _ in 0..10 {
        let mut peer = Peer::known(&victim);
        called_back(&mut peer, "call");
        peer.leave(&victim);
    }
}

#[test]
fn callbacks_of_callbacks_end_in_a_recursion_error() {
    let stacked = |config: &mut Config| config.nesting = Nesting::Stack;
    for change in [(|_: &mut Config| {}) as fn(&mut Config), stacked] {
        let victim = Victim::with(change);
        let mut peer = Peer::known(&victim);
        let root = peer.root();
        let mut open = Vec::new();
        let refused = loop {
            let args = call_attr(&root, "call", vec![mine(1)]);
            let asked = peer.request(Handler::CallAttr, &args);
            match peer.message() {
                Message::Request {
                    handler: Handler::Call,
                    seq,
                    ..
                } => open.push((asked, seq)),
                Message::Exception { exception, .. } => break crate::peer::named(exception),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(&*refused.class, "RecursionError");
        assert_eq!(open.len(), 200);
        for (asked, seq) in open.into_iter().rev() {
            peer.send(&message(&Message::Reply {
                seq,
                result: Boxed::from(1_i64),
            }));
            assert_eq!(peer.answer(asked), Ok(Boxed::from(1_i64)));
        }
        peer.leave(&victim);
    }
}

#[test]
fn a_flood_of_answers_while_a_handler_waits_takes_no_memory() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let (asked, callback) = called_back(&mut peer, "call");
    let reply = |result: Boxed| {
        message(&Message::Reply {
            seq: Seq::new(1 << 40),
            result,
        })
    };
    let values = reply(Boxed::Value(Value::Bytes(vec![0; 4000].into()))).repeat(16);
    bounded(0, || {
        for _ in 0..2000 {
            peer.send(&values);
        }
        // References: each has to be given back.
        let mut reading = peer.socket.try_clone().unwrap();
        std::thread::scope(|scope| {
            let done = scope.spawn(move || {
                // The last thing that comes is the answer to the call.
                let mut releases = 0;
                let mut reader = Peer::around(&mut reading);
                loop {
                    match reader.message() {
                        Message::Request {
                            handler: Handler::Del,
                            ..
                        } => releases += 1,
                        Message::Reply { seq, .. } if seq.as_u64() == Some(asked) => {
                            return releases;
                        }
                        other => panic!("{other:?}"),
                    }
                }
            });
            for number in 0..100_000 {
                peer.send(&reply(mine(10 + number)));
            }
            peer.send(&message(&Message::Reply {
                seq: callback,
                result: Boxed::from(1_i64),
            }));
            done.join().unwrap();
        });
    });
    peer.leave(&victim);
}
