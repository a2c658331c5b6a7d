//! How a side leaves: by closing, by dropping its last handle, by shutting down; what becomes of what was
//! sent, and what the peer sees.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rpyc_core::error::CloseReason;
use rpyc_core::object::Function;
use rpyc_core::object::ObjectRef;
use rpyc_core::wire::Handler;
use rpyc_core::*;

use crate::objects::{Offering, PATIENCE, Scripted, client_of, eventually, everything, offering};

/// Two ends of a TCP stream.
fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let here = TcpStream::connect(listener.local_addr().expect("an address"));
    let (there, _) = listener.accept().expect("accepted");
    (here.expect("connected"), there)
}

/// Counts the calls, the first of which waits until it is let go.
fn counting(calls: Arc<AtomicUsize>) -> (Arc<dyn Service>, Sender<()>) {
    let (let_go, held) = channel::<()>();
    let held: Mutex<Receiver<()>> = Mutex::new(held);
    let service = offering(move |_, _, mut args| {
        if calls.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = held.lock().expect("no panic").recv_timeout(PATIENCE);
        }
        Ok(args.positional.remove(0))
    });
    (service, let_go)
}

/// Of two hundred requests a handful ran, and the peer met a broken pipe.
#[test]
fn what_was_sent_takes_effect_however_a_side_leaves() {
    type Leave = fn(Connection);
    let ways: [(&str, Leave); 3] = [
        ("closed", |connection| connection.close().expect("closed")),
        ("dropped", drop),
        ("shut down", |connection| {
            connection.shut_down(Duration::from_millis(1));
        }),
    ];
    for (way, leave) in ways {
        let (here, there) = sockets();
        let calls = Arc::new(AtomicUsize::new(0));
        let (service, let_go) = counting(calls.clone());
        let there = Connection::open(there, service, Config::default()).expect("open");
        let serving = thread::spawn(move || there.serve_all());
        let here = Connection::open(here, Arc::new(VoidService), Config::default());
        let here = here.expect("open");
        let root = here.root().expect("a root");
        let results: Vec<_> = (0..200)
            .map(|number| root.async_call_method("call", args![number]))
            .collect::<Result<_, _>>()
            .expect("sent");
        let (told, heard) = channel();
        for result in &results {
            let told = told.clone();
            result.add_callback(move |outcome| told.send(outcome.is_ok()).expect("heard"));
        }
        let weak = here.downgrade();
        let leaving = thread::spawn(move || leave(here));
        // One that closes waits for the answers itself.
        let has_left = || weak.upgrade().is_none_or(|here| here.is_closed());
        eventually(way, || way == "closed" || has_left());
        let_go.send(()).expect("it waits");
        leaving.join().expect("no panic");
        let reason = serving.join().expect("no panic");
        assert!(matches!(reason, CloseReason::Peer), "{way}: {reason}");
        let late = calls.load(Ordering::SeqCst);
        assert!(late >= 200, "{way}: {late} calls ran");
        for number in 0..200 {
            let answered = heard.recv_timeout(PATIENCE).expect("each is called back");
            assert!(answered, "{way}: the {number}th has no answer");
        }
        drop(results);
        assert!(heard.try_recv().is_err(), "{way}: called back twice");
    }
}

struct Telling(Arc<AtomicUsize>);

impl Service for Telling {
    fn root(&self) -> ObjectRef {
        VoidService.root()
    }

    fn on_disconnect(&self, _: &Connection) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The service was never told, nor were results called back.
#[test]
fn the_end_is_told_once_where_the_last_handle_is_dropped_and_nobody_serves() {
    for answers in [true, false] {
        let told = Arc::new(AtomicUsize::new(0));
        let (here, there) = sockets();
        let here = Connection::open(here, Arc::new(Telling(told.clone())), Config::default());
        let here = here.expect("open");
        let result = here.async_request(Handler::Ping, vec![Any::from(1)]);
        let result = result.expect("sent");
        let (tell, heard) = channel();
        result.add_callback(move |outcome| tell.send(outcome.is_ok()).expect("heard"));
        let gone = here.downgrade();
        drop((here, result));
        let serving = answers.then(|| {
            let there = there.try_clone().expect("a descriptor");
            let there = Connection::open(there, everything(), Config::default()).expect("open");
            thread::spawn(move || there.serve_all())
        });
        if !answers {
            // The peer vanishes.
            there.shutdown(std::net::Shutdown::Both).expect("shut");
        }
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(answers));
        eventually("on_disconnect", || told.load(Ordering::SeqCst) > 0);
        eventually("the end", || gone.upgrade().is_none());
        assert!(heard.recv().is_err(), "called back twice");
        assert_eq!(told.load(Ordering::SeqCst), 1);
        if let Some(serving) = serving {
            assert!(serving.join().expect("no panic").is_normal());
        }
    }
}

/// It worked in eight of twenty runs.
#[test]
fn a_netref_does_not_keep_its_connection_open_and_says_so() {
    for _ in 0..20 {
        let root = client_of(everything(), Config::default(), Config::default())
            .0
            .root()
            .expect("a root");
        let error = root.call_method("add", args![1]).expect_err("it is closed");
        let dropped = matches!(&error, Error::Closed(CloseReason::Dropped));
        assert!(dropped, "{error}");
        assert!(error.to_string().contains("was dropped"), "{error}");
    }
}

/// Callbacks of what was sent before still run, and may call the peer.
#[test]
fn a_callback_that_comes_after_the_last_handle_was_dropped_is_run() {
    let (ran, has_run) = channel();
    let (service, let_go) = {
        let (let_go, held) = channel::<()>();
        let held = Mutex::new(held);
        let service = offering(move |cx, name, mut args| match name {
            "apply" => {
                let _ = held.lock().expect("no panic").recv_timeout(PATIENCE);
                args.positional.remove(0).call_in(cx, args)
            }
            _ => Ok(Any::from(3)),
        });
        (service, let_go)
    };
    let (here, _ended) = client_of(service, Config::default(), Config::default());
    let root = here.root().expect("a root");
    let peer = root.clone();
    let callback = Function::new("callback", move |_, _| {
        let answer = peer.call_method("inner", args![])?;
        ran.send(answer.extract::<i64>()?).expect("heard");
        Ok(Any::NONE)
    });
    let call = root.async_call_method("apply", args![Any::object(callback)]);
    let call = call.expect("sent");
    drop(here);
    let_go.send(()).expect("it waits");
    assert_eq!(has_run.recv_timeout(PATIENCE), Ok(3));
    call.value().expect("an answer");
}

#[test]
fn a_client_finds_out_that_its_server_has_stopped_without_a_call() {
    type Stop = fn(Connection);
    let ways: [(&str, Stop); 3] = [
        ("shut down", |server| server.shut_down(Duration::ZERO)),
        ("closed", |server| drop(server.close())),
        ("dropped", drop),
    ];
    for (way, stop) in ways {
        let (here, there) = sockets();
        let there = Connection::open(there, everything(), Config::default()).expect("open");
        let here = Connection::open(here, Arc::new(VoidService), Config::default());
        let here = here.expect("open");
        assert!(!here.is_closed() && here.close_reason().is_none());
        let stopping = thread::spawn(move || stop(there));
        eventually(way, || here.is_closed());
        stopping.join().expect("no panic");
        let error = here.ping().expect_err("nobody is there");
        assert!(error.is_closed(), "{way}: {error}");
    }
}

/// Looking takes in what has come and runs nothing.
#[test]
fn asking_whether_a_connection_is_closed_serves_nobody() {
    let (one, other) = (Config::default(), Config::default());
    let (here, there) =
        Connection::pair(Arc::new(VoidService), one, everything(), other).expect("a pair");
    let ping = here.async_request(Handler::Ping, vec![Any::from(1)]);
    let ping = ping.expect("sent");
    for _ in 0..10 {
        assert!(!there.is_closed());
    }
    assert_eq!(there.requests_served(), 0);
    assert!(there.poll(PATIENCE).expect("open"));
    ping.wait().expect("an answer");
}

/// A peer that doesn't answer a CLOSE may not have done what it was sent.
#[test]
fn closing_says_that_the_peer_has_not_answered() {
    let mut hasty = Config::default();
    hasty.sync_request_timeout = Some(Duration::from_millis(20));
    let open = |catchall: bool| {
        let mut config = hasty.clone();
        config.close_catchall = catchall;
        let (here, there) = sockets();
        let here = Connection::open(here, Arc::new(VoidService), config).expect("open");
        (here, there)
    };
    let (here, _there) = open(false);
    let error = here.close().expect_err("nobody serves");
    assert!(error.is_timeout(), "{error}");
    assert!(here.is_closed());
    let (here, _there) = open(true);
    assert!(here.close().is_ok());
}

/// Nothing of these is needed after all.
#[test]
fn a_connection_whose_handle_is_dropped_leaves_nothing_in_memory() {
    let held = Arc::new(());
    let mine = held.clone();
    let Any::Local(root) = Scripted::object("tests.Root", move |_, _, _| {
        let _ = &mine;
        Ok(Any::NONE)
    }) else {
        unreachable!("an object is local");
    };
    let (here, there) = sockets();
    let here = Connection::open(here, Arc::new(Offering(root)), Config::default());
    drop(here.expect("open"));
    drop(there);
    eventually("the memory", || Arc::strong_count(&held) == 1);
}

/// A server has many clients that are idle and don't answer.
#[test]
fn a_side_that_shuts_down_does_not_wait_for_a_peer_that_owes_it_nothing() {
    let ends: Vec<_> = (0..200)
        .map(|_| {
            let (here, there) = sockets();
            let here = Connection::open(here, everything(), Config::default());
            (here.expect("open"), there)
        })
        .collect();
    let (told, heard) = channel();
    thread::spawn(move || {
        for (here, _) in &ends {
            here.shut_down(Duration::from_secs(1));
        }
        told.send(()).expect("heard");
    });
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(()));
}
