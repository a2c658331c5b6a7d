//! Peers that want everything there is: memory, threads, objects.

use std::io::Write;
use std::time::{Duration, Instant};

use rpyc_core::wire::{Boxed, Handler, Message, Value};

use crate::memory::{UNREAD, bounded};
use crate::peer::{
    Peer, call_attr, compressed_request, frame, hex, is_over, mine, raises, request,
};
use crate::victim::Victim;

#[test]
fn a_peer_holds_so_many_objects_and_no_more() {
    let victim = Victim::with(|config| config.max_objects = 1000);
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let make = call_attr(&root, "make", Vec::new());
    let mut last = None;
    // The root is one of them.
    for _ in 0..999 {
        last = peer.ask(Handler::CallAttr, &make).ok();
    }
    raises(peer.ask(Handler::CallAttr, &make), "MemoryError");
    let Some(Boxed::RemoteRef(id_pack)) = last else {
        panic!("nothing made");
    };
    let give_back = [Boxed::LocalRef(id_pack), Boxed::from(1_i64)];
    assert!(peer.ask(Handler::Del, &give_back).is_ok());
    assert!(peer.ask(Handler::CallAttr, &make).is_ok());
    peer.leave(&victim);
}

#[test]
fn an_endless_iterator_gives_a_part_of_what_is_asked_for() {
    let victim = Victim::alone(|config| config.max_objects = 5000);
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let mut iterator = |name: &str| {
        let get = [Boxed::LocalRef(root.clone()), Boxed::from(name)];
        match peer.ask(Handler::GetAttr, &get) {
            Ok(Boxed::RemoteRef(id_pack)) => Boxed::LocalRef(id_pack),
            other => panic!("no iterator: {other:?}"),
        }
    };
    let (numbers, things) = (iterator("numbers"), iterator("things"));
    bounded(0, || {
        let mut take = |iterator: &Boxed, count: i64| {
            peer.ask(Handler::BuffIter, &[iterator.clone(), Boxed::from(count)])
        };
        let items = take(&numbers, 1_000_000_000);
        let Ok(Boxed::Value(Value::Tuple(items))) = items else {
            panic!("no items");
        };
        assert!(items.len() > 1000);
        raises(take(&numbers, -1), "ValueError");
        raises(take(&numbers, i64::MIN), "ValueError");
        assert_eq!(
            take(&numbers, 0),
            Ok(Boxed::Value(Value::Tuple(Vec::new())))
        );
        // More objects than the peer may hold: none of them is kept.
        for _ in 0..5 {
            raises(take(&things, 1_000_000_000), "MemoryError");
        }
        assert!(take(&things, 1000).is_ok());
    });
    peer.leave(&victim);
}

#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    let victim = Victim::alone(|config| config.write_timeout = Some(Duration::from_secs(1)));
    for waiting in [false, true] {
        let mut peer = Peer::known(&victim);
        let root = peer.root();
        if waiting {
            // A handler waits for this peer meanwhile: its requests are read on.
            peer.request(Handler::CallAttr, &call_attr(&root, "call", vec![mine(1)]));
        }
        let ask = call_attr(&root, "bytes", vec![Boxed::from(8_i64 << 20)]);
        let asked = request(7, Handler::CallAttr, &ask).repeat(2000);
        // An answer is written, the next one made; each exists once as the object, once as bytes.
        bounded(4 * (8 << 20), || {
            peer.send(&asked);
            assert!(!peer.unread(&victim).reason.is_normal());
        });
    }
}

#[test]
fn complaints_that_nobody_reads_do_not_pile_up() {
    let victim = Victim::alone(|_| {});
    // A malformed request, a release of nothing, an unknown reference: answered by the reader.
    let floods = [
        frame(&hex("01 11 57 00")),
        request(1, Handler::Del, &[]),
        request(
            1,
            Handler::Repr,
            &[Boxed::LocalRef(rpyc_core::wire::IdPack::new(
                "x".repeat(200),
                rpyc_core::wire::ClassId(77),
                rpyc_core::wire::InstanceId(7777),
            ))],
        ),
    ];
    for flood in floods {
        for waiting in [false, true] {
            let mut peer = Peer::known(&victim);
            let root = peer.root();
            if waiting {
                peer.request(Handler::CallAttr, &call_attr(&root, "call", vec![mine(1)]));
            }
            let flood = flood.repeat(1000);
            bounded(UNREAD, || {
                push(&mut peer, &flood, Duration::from_secs(1));
                drop(peer.socket);
            });
        }
    }
    victim.check_well();
}

#[test]
fn queued_requests_hold_what_the_limits_allow() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    peer.request(Handler::CallAttr, &call_attr(&root, "call", vec![mine(1)]));
    // Small on the wire, forty times that in memory.
    let items = Value::Tuple(vec![Value::None; 50_000]);
    let flood = request(7, Handler::Ping, &[Boxed::Value(items)]);
    bounded(2 * (16 << 20), || {
        push(&mut peer, &flood, Duration::from_secs(2));
    });
    drop(peer.socket);
    victim.check_well();
}

#[test]
fn queued_references_count_as_what_they_take_in_memory() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    peer.request(Handler::CallAttr, &call_attr(&root, "call", vec![mine(1)]));
    // Each is some thirty bytes on the wire, and a netref with its place in a table here.
    let frames = (0..40_u64).map(|frame| {
        let references = (0..20_000).map(|number| mine(2 + frame * 20_000 + number));
        request(7, Handler::Ping, &[Boxed::tuple(references.collect())])
    });
    let flood: Vec<u8> = frames.collect::<Vec<_>>().concat();
    // The queue's frame, and the one that is taken in. What is refused is released, and the peer reads
    // none of it.
    bounded(4 * (16 << 20) + UNREAD, || {
        push(&mut peer, &flood, Duration::from_secs(2));
    });
    drop(peer.socket);
    victim.check_well();
}

/// So many messages at once.
const FLOOD: usize = 40;

#[test]
fn whatever_is_queued_counts_as_what_it_takes_in_memory() {
    let nothing = || Value::Slice(Box::new([Value::None, Value::None, Value::None]));
    let deep = Value::Slice(Box::new([nothing(), nothing(), nothing()]));
    let rows = [
        ("slices", nothing(), 240_000),
        ("nested slices", deep, 60_000),
        ("keyword arguments", nothing(), 240_000),
        ("single bytes", Value::from(vec![7]), 500_000),
        ("long ints", Value::from(u64::MAX), 200_000),
        ("texts", Value::from("x".repeat(25)), 200_000),
        ("tuples of one", Value::tuple([Value::None]), 400_000),
        (
            "frozensets of one",
            Value::FrozenSet(vec![Value::None]),
            400_000,
        ),
    ];
    for (what, value, count) in rows {
        let victim = Victim::alone(|_| {});
        let mut peer = Peer::known(&victim);
        let root = peer.root();
        peer.request(Handler::CallAttr, &call_attr(&root, "call", vec![mine(1)]));
        let called = peer.message();
        assert!(
            matches!(
                called,
                Message::Request {
                    handler: Handler::Call,
                    ..
                }
            ),
            "{called:?}"
        );
        let items = Value::Tuple(vec![value; count]);
        let (handler, args) = if what == "keyword arguments" {
            let mut call = call_attr(&root, "names", Vec::new());
            call[3] = Boxed::Value(Value::tuple([Value::tuple([Value::from("name"), items])]));
            (Handler::CallAttr, call)
        } else {
            (Handler::Ping, vec![Boxed::Value(items)])
        };
        let flood = compressed_request(7, handler, &args);
        assert!(flood.len() < 200_000, "{what}: {} bytes", flood.len());
        // The queue's frame, one more message that it takes, and one that is being read.
        bounded((16 << 20) + 2 * (40 << 20), || {
            for _ in 0..FLOOD {
                peer.send(&flood);
            }
            // Each is answered, if only by a refusal; what it is echoed as takes memory here, too.
            for _ in 0..FLOOD {
                peer.payload().unwrap();
            }
        });
        peer.leave(&victim);
    }
}

#[test]
fn requests_that_run_count_as_those_that_are_queued() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    // Each waits for this peer, so that the next one starts.
    let ballast = Boxed::Value(Value::Bytes(vec![0; 4 << 20].into()));
    let call = call_attr(&root, "call", vec![mine(1), ballast]);
    let flood = compressed_request(7, Handler::CallAttr, &call);
    // Twice the queue's frame, and what goes out again to be called back with.
    bounded(4 * (16 << 20) + (64 << 20), || {
        for _ in 0..100 {
            peer.send(&flood);
        }
        peer.idle(Duration::from_secs(1));
    });
    drop(peer.socket);
    victim.check_well();
}

#[test]
fn a_flood_of_releases_is_answered_one_by_one() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let unknown = rpyc_core::wire::IdPack::new(
        "x",
        rpyc_core::wire::ClassId(77),
        rpyc_core::wire::InstanceId(7777),
    );
    let del = [Boxed::LocalRef(unknown), Boxed::from(1_i64)];
    let flood = request(1, Handler::Del, &del).repeat(1000);
    let mut reading = peer.socket.try_clone().unwrap();
    bounded(0, || {
        std::thread::scope(|scope| {
            let done = scope.spawn(move || {
                let mut reader = Peer::around(&mut reading);
                for _ in 0..100_000 {
                    reader.payload().unwrap();
                }
            });
            for _ in 0..100 {
                peer.send(&flood);
            }
            done.join().unwrap();
        });
    });
    peer.leave(&victim);
}

#[test]
fn objects_of_the_peers_that_are_kept_do_not_keep_their_frames() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let ballast = Boxed::Value(Value::Bytes(vec![0; 1 << 20].into()));
    bounded(0, || {
        for number in 0..200 {
            let args = vec![mine(number), ballast.clone()];
            let kept = peer.ask(Handler::CallAttr, &call_attr(&root, "keep", args));
            assert_eq!(kept, Ok(Boxed::Value(Value::None)));
        }
    });
    peer.leave(&victim);
}

/// Sends the bytes over and over, for so long, or until it is 64 MiB.
fn push(peer: &mut Peer, bytes: &[u8], time: Duration) {
    let end = Instant::now() + time;
    peer.socket.set_write_timeout(Some(time / 4)).unwrap();
    let mut sent = 0;
    while Instant::now() < end && sent < 64 << 20 {
        match peer.socket.write(&bytes[sent % bytes.len()..]) {
            Ok(count) => sent += count,
            Err(error) if is_over(&error) => return,
            // It takes no more for now.
            Err(_) => {}
        }
    }
}
