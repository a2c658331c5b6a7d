//! CLOSE, and what comes behind it.

use rpyc_core::config::Nesting;
use rpyc_core::error::CloseReason;
use rpyc_core::wire::{Boxed, Handler, Message, Seq};

use crate::memory::bounded;
use crate::peer::{Peer, call_attr, mine, request};
use crate::victim::Victim;

#[test]
fn nothing_behind_a_close_is_executed() {
    let victim = Victim::start();
    for flood in [1, 1000] {
        let mut peer = Peer::known(&victim);
        let root = peer.root();
        let tick = call_attr(&root, "tick", Vec::new());
        let mut bytes = request(1, Handler::CallAttr, &tick);
        bytes.extend(request(2, Handler::Close, &[]));
        bytes.extend(request(3, Handler::CallAttr, &tick).repeat(flood));
        bytes.extend(request(4, Handler::Close, &[]).repeat(flood));
        bytes.extend(b"\xff\xff\xff\xff");
        peer.send(&bytes);
        let ended = peer.closed(&victim);
        assert_eq!(ended.ticks, 1);
        assert!(matches!(
            ended.reason,
            CloseReason::Peer | CloseReason::Frame(_)
        ));
    }
}

#[test]
fn a_flood_of_closes_closes_once() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let flood = request(9, Handler::Close, &[]).repeat(1000);
    bounded(0, || {
        for _ in 0..100 {
            peer.send(&flood);
        }
        assert!(peer.closed(&victim).reason.is_normal());
    });
}

#[test]
fn arguments_of_a_close_do_not_matter() {
    let victim = Victim::start();
    for args in [vec![Boxed::from(1_i64)], vec![mine(1), mine(2)]] {
        let mut peer = Peer::known(&victim);
        peer.request(Handler::Close, &args);
        assert!(peer.closed(&victim).reason.is_normal());
    }
}

#[test]
fn a_close_waits_for_the_requests_ahead_of_it_but_not_for_ever() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let asked = peer.request(Handler::CallAttr, &call_attr(&root, "call", vec![mine(1)]));
    let Message::Request { seq, .. } = peer.message() else {
        panic!("not called back");
    };
    let closing = peer.request(Handler::Close, &[]);
    peer.send(&crate::peer::message(&Message::Reply {
        seq,
        result: Boxed::from(5_i64),
    }));
    let mut answers = Vec::new();
    while answers.len() < 2 {
        match peer.message() {
            Message::Reply { seq, .. } => answers.push(seq.as_u64().unwrap()),
            Message::Request {
                handler: Handler::Del | Handler::Ping,
                ..
            } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers, [asked, closing]);
    assert!(peer.closed(&victim).reason.is_normal());
}

/// It is told what came of them, the latest first, and then that the connection closes.
#[test]
fn a_close_waits_for_no_request_whose_callback_is_passed_over() {
    let victim = Victim::start();
    let mut peer = Peer::known(&victim);
    let root = peer.root();
    let mut call = || peer.request(Handler::CallAttr, &call_attr(&root, "call", vec![mine(1)]));
    let asked = [call(), call()];
    let closing = peer.request(Handler::Close, &[]);
    let mut answers = Vec::new();
    while answers.len() < 3 {
        match peer.message() {
            Message::Request {
                handler: Handler::Ping,
                seq,
                ..
            } => peer.send(&crate::peer::message(&Message::Reply {
                seq,
                result: Boxed::from(5_i64),
            })),
            Message::Request { .. } => {}
            Message::Reply { seq, .. } => answers.push((seq.as_u64().unwrap(), None)),
            Message::Exception { seq, exception } => {
                let class = crate::peer::named(exception).class;
                answers.push((seq.as_u64().unwrap(), Some(class)));
            }
        }
    }
    let failed = |seq| (seq, Some("EOFError".into()));
    assert_eq!(
        answers,
        [failed(asked[1]), failed(asked[0]), (closing, None)]
    );
    assert!(peer.closed(&victim).reason.is_normal());
}

/// Each request is nested on the wait of the one before, whose thread can't go on with its answer before that ends.
#[test]
fn a_close_waits_for_no_answered_callback_beneath_one_that_is_passed_over() {
    let victim = Victim::with(|config| config.nesting = Nesting::Stack);
    for answered in 0..3 {
        let mut peer = Peer::known(&victim);
        let root = peer.root();
        let answer = |peer: &mut Peer, seq| {
            let result = Boxed::from(5_i64);
            peer.send(&crate::peer::message(&Message::Reply { seq, result }));
        };
        let (mut asked, mut callbacks) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let call = call_attr(&root, "call", vec![mine(1)]);
            asked.push(peer.request(Handler::CallAttr, &call));
            callbacks.push(called_back(&mut peer, Handler::Call));
        }
        let closing = peer.request(Handler::Close, &[]);
        let probe = called_back(&mut peer, Handler::Ping);
        answer(&mut peer, callbacks.remove(answered));
        answer(&mut peer, probe);
        let mut answers = Vec::new();
        while answers.len() < 4 {
            match peer.message() {
                Message::Request {
                    handler: Handler::Ping,
                    seq,
                    ..
                } => {
                    answer(&mut peer, seq);
                }
                Message::Request { .. } => {}
                Message::Reply { seq, .. } => answers.push((seq.as_u64().unwrap(), true)),
                Message::Exception { seq, .. } => answers.push((seq.as_u64().unwrap(), false)),
            }
        }
        // Once its time is over, a CLOSE is answered before them.
        let expected = asked.iter().enumerate().rev();
        let expected = expected.map(|(place, seq)| (*seq, place == answered));
        assert_eq!(
            answers,
            expected.chain([(closing, true)]).collect::<Vec<_>>()
        );
        assert!(peer.closed(&victim).reason.is_normal());
    }
}

/// The seq of the next request for this.
fn called_back(peer: &mut Peer, what: Handler) -> Seq {
    loop {
        if let Message::Request { handler, seq, .. } = peer.message()
            && handler == what
        {
            return seq;
        }
    }
}

#[test]
fn the_root_may_be_asked_for_any_number_of_times() {
    let victim = Victim::alone(|_| {});
    let mut peer = Peer::known(&victim);
    let flood = request(9, Handler::GetRoot, &[]).repeat(1000);
    let mut reading = peer.socket.try_clone().unwrap();
    bounded(0, || {
        std::thread::scope(|scope| {
            let done = scope.spawn(move || {
                let mut reader = Peer::around(&mut reading);
                for _ in 0..200_000 {
                    reader.payload().unwrap();
                }
            });
            for _ in 0..200 {
                peer.send(&flood);
            }
            done.join().unwrap();
        });
    });
    peer.ping();
    let root = peer.root();
    let count = Boxed::from(200_001_i64);
    assert!(
        peer.ask(Handler::Del, &[Boxed::LocalRef(root), count])
            .is_ok()
    );
    peer.leave(&victim);
}
