//! What may happen while a connection ends, and what is left of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::config::Nesting;
use rpyc_core::object::{FromAny, Function};
use rpyc_core::service::PeerInfo;
use rpyc_core::session::WeakConnection;
use rpyc_core::transport::{MemoryStream, Stream as _, memory_pair};
use rpyc_core::*;

use crate::objects::{PATIENCE, client_of, eventually, everything, offering};
use crate::streams::Simple;

/// A TLS stream's shutdown, which locks and writes, ran under the connection's lock.
#[test]
fn the_stream_is_shut_down_outside_of_the_connection_s_lock() {
    type Ending = fn(&Connection, MemoryStream);
    let endings: [(&str, Ending); 3] = [
        ("by this side", |connection, there| {
            drop(there);
            let _ = connection.close();
        }),
        ("by the peer", |connection, there| {
            there.shutdown();
            connection.serve_all();
        }),
        ("by its last handle", |_, there| drop(there)),
    ];
    for (what, end) in endings {
        let (here, there) = memory_pair();
        let (told, shut_down) = channel();
        let its_own = Arc::new(OnceLock::new());
        let known = its_own.clone();
        // It uses its connection, as a stream may that writes something at its end.
        let stream = Simple::new(here).before_shutdown(move || {
            let connection = known.get().and_then(WeakConnection::upgrade);
            let closed = connection.is_some_and(|connection| connection.is_closed());
            let _ = told.send(closed);
        });
        let connection = Connection::open(stream, Arc::new(VoidService), Config::default());
        let connection = connection.expect("open");
        let _ = its_own.set(connection.downgrade());
        thread::spawn(move || end(&connection, there));
        let closed = shut_down.recv_timeout(PATIENCE);
        assert_eq!(closed, Ok(true), "{what}");
    }
}

/// What a client leaves unanswered when its connection is reset is not kept for it.
#[test]
fn a_peer_that_is_gone_in_the_midst_of_callbacks_leaves_nothing_in_memory() {
    let held = Arc::new(());
    let waiting = Arc::new(AtomicUsize::new(0));
    for round in 0..20 {
        let (mine, calls) = (held.clone(), waiting.clone());
        let service = offering(move |cx, _, mut args| {
            let callback = args.positional.remove(0);
            let kept = mine.clone();
            let object = Any::object(Function::new("kept", move |_, _| {
                let _ = &kept;
                Ok(Any::NONE)
            }));
            let netref = Netref::from_any(callback.clone())?;
            let unanswered = netref.async_call(args![object.clone()])?;
            calls.fetch_add(1, Ordering::SeqCst);
            let answer = callback.call_in(cx, args![object]);
            drop(unanswered);
            answer
        });
        let (here, there) = memory_pair();
        let here = Arc::new(here);
        let server = Connection::open(there, service, Config::default()).expect("open");
        let (told, ended) = channel();
        let gone = server.downgrade();
        thread::spawn(move || {
            let reason = server.serve_all();
            drop(server);
            let _ = told.send(reason);
        });
        let client = Connection::over(
            here.clone(),
            VoidService,
            Config::default(),
            PeerInfo::default(),
        );
        let client = client.expect("open");
        let root = client.root().expect("a root");
        // Nobody serves the client, so that nobody answers the callbacks.
        let callback = Any::object(Function::new("callback", |_, _| Ok(Any::NONE)));
        let call = root
            .async_call_method("call", args![callback])
            .expect("sent");
        let until = Instant::now() + PATIENCE;
        while waiting.load(Ordering::SeqCst) <= round {
            assert!(Instant::now() < until, "it isn't called");
            thread::yield_now();
        }
        here.shutdown();
        ended.recv_timeout(PATIENCE).expect("it ends");
        drop((call, root, client));
        while gone.upgrade().is_some() || Arc::strong_count(&held) > 1 {
            assert!(Instant::now() < until, "round {round} is kept in memory");
            thread::yield_now();
        }
    }
}

const NESTINGS: [Nesting; 3] = [Nesting::Pool, Nesting::Stack, Nesting::Waiting];

/// The answer to the CLOSE waited for the request, that for the callback, and that for the answer to the CLOSE.
#[test]
fn a_callback_may_close_the_connection_whose_request_waits_for_it() {
    for (nesting, bind_threads) in NESTINGS
        .into_iter()
        .flat_map(|nesting| [false, true].map(|bound| (nesting, bound)))
    {
        let server = Config::new().bind_threads(bind_threads);
        // Less than the time after which a CLOSE is answered in any case.
        let impatient = Config::new()
            .sync_request_timeout(Some(Duration::from_secs(3)))
            .nesting(nesting)
            .bind_threads(bind_threads);
        let (client, ended) = client_of(everything(), server, impatient);
        let (tell, told) = channel();
        let close = Function::new("close", move |cx, _| {
            let closed = cx.connection().close();
            tell.send(closed).expect("heard");
            Ok(Any::NONE)
        });
        let root = client.root().expect("a root");
        let called = root.call_method("apply", args![Any::object(close)]);
        called.expect_err("the callback has no answer");
        let closed = told.recv_timeout(PATIENCE).expect("called");
        closed.unwrap_or_else(|error| panic!("{nesting:?}, {bind_threads}: {error}"));
        assert!(ended.recv_timeout(PATIENCE).expect("ended").is_normal());
    }
}

/// Its thread has one more wait, which is answered, but can't go on before the callback ends.
#[test]
fn a_callback_may_close_beneath_which_a_wait_of_its_thread_is_answered() {
    for nesting in NESTINGS {
        let (begun, begins) = channel();
        let begins = Mutex::new(begins);
        // "start" returns when the callback has begun, the other one when that has ended.
        let service = offering(move |cx, name, mut args| {
            let function = args.positional.remove(0);
            if name != "start" {
                return function.call_in(cx, args);
            }
            let Any::Netref(function) = function else {
                unreachable!("a function of the client's");
            };
            drop(function.async_call(args![]));
            let begins = begins.lock().expect("no panic");
            begins.recv_timeout(PATIENCE).expect("it begins");
            Ok(Any::NONE)
        });
        // Less than the time after which a CLOSE is answered in any case.
        let impatient = Config::new()
            .sync_request_timeout(Some(Duration::from_secs(3)))
            .nesting(nesting);
        let (client, ended) = client_of(service, Config::new(), impatient);
        let (tell, told) = channel();
        let close = Function::new("close", move |cx, _| {
            begun.send(()).expect("heard");
            // What is sent first is answered first.
            cx.connection().ping()?;
            tell.send(cx.connection().close()).expect("heard");
            Ok(Any::NONE)
        });
        let root = client.root().expect("a root");
        let (starting, close) = (root.clone(), Any::object(close));
        let start = Function::new("start", move |_, _| {
            Ok(starting.call_method("start", args![close.clone()])?)
        });
        let called = root.call_method("apply", args![Any::object(start)]);
        drop(called);
        let closed = told.recv_timeout(PATIENCE).expect("called");
        closed.unwrap_or_else(|error| panic!("{nesting:?}: {error}"));
        assert!(ended.recv_timeout(PATIENCE).expect("ended").is_normal());
    }
}

/// The peer has asked whether the callback's answer will come, and knows by the order of the answers.
#[test]
fn a_callback_that_runs_when_another_thread_closes_is_waited_for() {
    for nesting in NESTINGS {
        let (begun, begins) = channel();
        let (go, goes) = channel::<()>();
        let goes = Mutex::new(goes);
        let service = offering(move |cx, _, mut args| {
            begun.send(cx.connection().clone()).expect("heard");
            args.positional.remove(0).call_in(cx, args)
        });
        let client = Config::new().nesting(nesting);
        let (client, ended) = client_of(service, Config::default(), client);
        let root = client.root().expect("a root");
        let callback = Function::new("callback", move |_, _| {
            let goes = goes.lock().expect("no panic");
            goes.recv_timeout(PATIENCE).expect("told");
            Ok(Any::from(5))
        });
        thread::scope(|scope| {
            let call = || root.call_method("work", args![Any::object(callback)]);
            let calling = scope.spawn(call);
            let there = begins.recv_timeout(PATIENCE).expect("called");
            let closing = scope.spawn(|| client.close());
            // The callback, and what the peer asks about it.
            eventually("what it asks", || there.pending_requests() == 2);
            go.send(()).expect("heard");
            let answer = calling.join().expect("no panic").expect("an answer");
            assert_eq!(answer.extract::<i64>().expect("a number"), 5, "{nesting:?}");
            closing.join().expect("no panic").expect("closed");
        });
        assert!(ended.recv_timeout(PATIENCE).expect("ended").is_normal());
    }
}
