//! Netrefs of one connection that were handed on to the peer of another: what they keep open.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rpyc_core::error::CloseReason;
use rpyc_core::session::WeakConnection;
use rpyc_core::*;

use crate::objects::{PATIENCE, client_of, offering};

/// Keeps what it is given, and adds by what it was given first.
fn keeping() -> Arc<dyn Service> {
    let kept = Mutex::new(Vec::new());
    offering(move |_, name, mut args| match name {
        "keep" => {
            kept.lock().expect("no panic").append(&mut args.positional);
            Ok(Any::NONE)
        }
        "forget" => {
            let old = std::mem::take(&mut *kept.lock().expect("no panic"));
            drop(old);
            Ok(Any::NONE)
        }
        "ask" => {
            let first = kept.lock().expect("no panic").first().cloned();
            let first = first.ok_or_else(|| Exception::key_error("nothing is kept"))?;
            Ok(first.call_method("answer", args![])?)
        }
        "pry" => {
            let first = kept.lock().expect("no panic").first().cloned();
            let first = first.ok_or_else(|| Exception::key_error("nothing is kept"))?;
            first.netref()?.del_attr("answer")?;
            Ok(Any::NONE)
        }
        _ => Ok(Any::from(42)),
    })
}

fn gone(connection: &WeakConnection) {
    let end = Instant::now() + PATIENCE;
    while connection.upgrade().is_some() {
        assert!(Instant::now() < end, "it is still in memory");
        thread::yield_now();
    }
}

#[test]
fn a_refusal_of_a_gateway_says_that_it_is_the_gateways() {
    let open = || client_of(keeping(), Config::default(), Config::default());
    let ((asked, _asked_ended), (asking, _asking_ended)) = (open(), open());
    let root = asking.root().expect("a root");
    let handed_on = asked.root().expect("a root");
    root.call_method("keep", args![handed_on]).expect("kept");
    let refused = root.call_method("pry", args![]).expect_err("refused");
    let text = refused.to_string();
    assert!(text.contains("policy of the gateway"), "{text}");
}

#[test]
fn a_connection_stays_open_for_the_peer_of_another_until_that_gives_the_netref_back() {
    let open = || client_of(keeping(), Config::default(), Config::default());
    let ((asked, asked_ended), (asking, _asking_ended)) = (open(), open());
    let root = asking.root().expect("a root");
    let handed_on = asked.root().expect("a root");
    root.call_method("keep", args![handed_on]).expect("kept");
    let asked_before = asked.downgrade();
    drop(asked);
    let answer = root.call_method("ask", args![]).expect("an answer");
    assert_eq!(answer.as_value(), Some(&Value::from(42)));
    root.call_method("forget", args![]).expect("forgotten");
    // The release comes with one of the next messages.
    let end = Instant::now() + PATIENCE;
    while asked_ended.try_recv().is_err() {
        assert!(Instant::now() < end, "it stays open for nobody");
        asking.ping_with(1, Some(PATIENCE)).expect("a ping");
    }
    gone(&asked_before);
    asking.close().expect("closed");
}

/// Each kept the other open for ever: the peer of each held a netref that came over the other.
#[test]
fn connections_that_only_hold_each_other_s_netrefs_close_with_their_last_handles() {
    let open = || client_of(keeping(), Config::default(), Config::default());
    let ((one, one_ended), (other, other_ended)) = (open(), open());
    let keep = |on: &Connection, of: &Connection| {
        let (root, handed_on) = (on.root().expect("a root"), of.root().expect("a root"));
        root.call_method("keep", args![handed_on]).expect("kept");
    };
    keep(&one, &other);
    keep(&other, &one);
    let (one_before, other_before) = (one.downgrade(), other.downgrade());
    drop(one);
    let root = other.root().expect("a root");
    let answer = root.call_method("ask", args![]).expect("an answer");
    assert_eq!(answer.as_value(), Some(&Value::from(42)));
    drop((root, other));
    for ended in [one_ended, other_ended] {
        let reason = ended.recv_timeout(PATIENCE).expect("it closes");
        assert!(matches!(reason, CloseReason::Peer), "{reason}");
    }
    gone(&one_before);
    gone(&other_before);
}
