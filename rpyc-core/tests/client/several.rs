//! Answers over several connections, awaited together.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rpyc_core::config::Nesting;
use rpyc_core::object::{FromAny, Function};
use rpyc_core::*;

use crate::objects::{PATIENCE, client_of, everything, offering};

/// A service whose calls are answered when it is let go.
fn holding() -> (Arc<dyn Service>, Sender<()>) {
    let (let_go, held) = channel::<()>();
    let held: Mutex<Receiver<()>> = Mutex::new(held);
    let service = offering(move |_, _, mut args| {
        let _ = held.lock().expect("no panic").recv_timeout(PATIENCE);
        Ok(args.positional.remove(0))
    });
    (service, let_go)
}

/// A wait across connections took no place in the scheduler: a handler that waited so was never called
/// back, and its peer never answered.
#[test]
fn a_handler_that_waits_for_several_connections_is_called_back_meanwhile() {
    type Wait = fn(&[&AsyncResult]) -> bool;
    let waits: [(&str, Wait); 2] = [
        ("any", |results| {
            AsyncResult::wait_any(results.iter().copied(), Some(PATIENCE)) == Some(0)
        }),
        ("all", |results| {
            AsyncResult::wait_all(results.iter().copied().take(1), Some(PATIENCE)).is_ok()
                && AsyncResult::wait_all(results.iter().copied(), Some(Duration::ZERO)).is_err()
        }),
    ];
    for nesting in [Nesting::Pool, Nesting::Stack] {
        for (what, wait) in waits {
            let (held, let_go) = holding();
            let (other, _) = client_of(held, Config::default(), Config::default());
            let there = other.root().expect("a root");
            let service = offering(move |_, name, mut args| {
                if name == "inner" {
                    return Ok(Any::from(1));
                }
                let function = Netref::from_any(args.positional.remove(0))?;
                let later = there.async_call_method("hold", args![1])?;
                let called = function.async_call(args![])?;
                Ok(Any::from(wait(&[&called, &later])))
            });
            let mut server = Config::default();
            server.nesting = nesting;
            let (client, _ended) = client_of(service, server, Config::default());
            let root = client.root().expect("a root");
            let peer = root.clone();
            let function = Function::new("function", move |_, _| {
                Ok(peer.call_method("inner", args![])?)
            });
            let came = root.call_method("work", args![Any::object(function)]);
            let came = came.and_then(Any::extract::<bool>);
            assert!(came.expect("an answer"), "{what} with {nesting:?}");
            let_go.send(()).expect("it waits");
        }
    }
}

/// Each wait left a callback at each result, which kept it pending when it was dropped.
#[test]
fn waits_for_several_connections_leave_nothing_at_the_results() {
    let ((one, let_one), (other, let_other)) = (holding(), holding());
    let (one, _) = client_of(one, Config::default(), Config::default());
    let (other, _) = client_of(other, Config::default(), Config::default());
    let results = [&one, &other].map(|connection| {
        let root = connection.root().expect("a root");
        root.async_call_method("hold", args![1]).expect("sent")
    });
    for _ in 0..1000 {
        assert_eq!(AsyncResult::wait_any(&results, Some(Duration::ZERO)), None);
        let waited = AsyncResult::wait_all(&results, Some(Duration::ZERO));
        assert!(waited.is_err_and(|error| error.is_timeout()));
    }
    drop(results);
    assert_eq!((one.pending_requests(), other.pending_requests()), (0, 0));
    for let_go in [let_one, let_other] {
        let_go.send(()).expect("it waits");
    }
}

#[test]
fn the_first_answer_of_several_connections_ends_the_wait_whichever_it_is() {
    let (held, let_go) = holding();
    let (holding, _) = client_of(held, Config::default(), Config::default());
    let (quick, _) = client_of(everything(), Config::default(), Config::default());
    let (fast, slow) = (
        quick.root().expect("a root"),
        holding.root().expect("a root"),
    );
    let held = slow.async_call_method("hold", args![1]).expect("sent");
    for number in 0..50 {
        let added = fast.async_call_method("add", args![number, 1]);
        let added = added.expect("sent");
        let pair = [&held, &added];
        assert_eq!(AsyncResult::wait_any(pair, Some(PATIENCE)), Some(1));
        assert_eq!(
            added.value().and_then(Any::extract::<i64>).ok(),
            Some(number + 1)
        );
    }
    let never = fast.async_call_method("add", args![1]).expect("sent");
    AsyncResult::wait_all([&never], Some(PATIENCE)).expect("an answer");
    let freed = thread::spawn(move || let_go.send(()).is_ok());
    AsyncResult::wait_all([&held, &never], Some(PATIENCE)).expect("both are in");
    assert!(freed.join().expect("no panic"));
}

#[test]
fn a_connection_that_ends_ends_the_wait_for_its_answer() {
    let (held, _let_go) = holding();
    let (held_too, _let_go_too) = holding();
    let (one, _) = client_of(held, Config::default(), Config::default());
    let (other, _) = client_of(held_too, Config::default(), Config::default());
    let results = [&one, &other].map(|connection| {
        let root = connection.root().expect("a root");
        root.async_call_method("hold", args![1]).expect("sent")
    });
    let ending = other.clone();
    let end = thread::spawn(move || ending.shut_down(Duration::ZERO));
    assert_eq!(AsyncResult::wait_any(&results, Some(PATIENCE)), Some(1));
    assert!(results[1].value().is_err_and(|error| error.is_closed()));
    end.join().expect("no panic");
}
