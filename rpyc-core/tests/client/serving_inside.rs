//! Handlers that serve their own connection: callbacks and requests are nested on them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::config::Nesting;
use rpyc_core::error::CloseReason;
use rpyc_core::object::{FromAny, Function};
use rpyc_core::*;

use crate::objects::{PATIENCE, offering};

/// Serves until the flag is set.
fn serve_until(connection: &Connection, done: &AtomicBool) -> Result<(), Error> {
    let end = Instant::now() + PATIENCE;
    while !done.load(Ordering::SeqCst) {
        assert!(Instant::now() < end, "it never comes");
        connection.poll(Duration::from_millis(50))?;
    }
    Ok(())
}

/// A root whose `work` calls one function of the peer's without waiting, another one when that has
/// been answered, and serves meanwhile; `inner` is what the peer calls back.
fn working() -> Arc<dyn Service> {
    offering(|cx, name, mut args| {
        if name == "inner" {
            return Ok(Any::from(1));
        }
        let [later, now] = [args.positional.remove(1), args.positional.remove(0)];
        let (now, later) = (Netref::from_any(now)?, Netref::from_any(later)?);
        let done = Arc::new(AtomicBool::new(false));
        let told = done.clone();
        let result = now.async_call(args![])?;
        result.add_callback(move |outcome| {
            outcome.expect("an answer");
            later.call(args![]).expect("an answer to the callback");
            told.store(true, Ordering::SeqCst);
        });
        serve_until(cx.connection(), &done)?;
        Ok(Any::from(cx.connection().running_requests()))
    })
}

/// The counts of the scheduler were wrong when a callback of a handler that served waited itself.
#[test]
fn a_handler_may_serve_while_its_callbacks_call_the_peer_that_calls_back() {
    for nesting in [Nesting::Pool, Nesting::Stack] {
        let mut server = Config::default();
        server.nesting = nesting;
        let (client, there) =
            Connection::pair(Arc::new(VoidService), Config::default(), working(), server)
                .expect("a pair");
        let serving = {
            let there = there.clone();
            thread::spawn(move || there.serve_all())
        };
        let root = client.root().expect("a root");
        let call_back = || {
            let root = root.clone();
            Any::object(Function::new("call_back", move |_, _| {
                Ok(root.call_method("inner", args![])?)
            }))
        };
        for _ in 0..5 {
            let running = root.call_method("work", args![call_back(), call_back()]);
            let running = running.and_then(Any::extract::<usize>);
            assert_eq!(running.expect("it ends"), 1, "{nesting:?}");
        }
        client.ping_with(1, Some(PATIENCE)).expect("it works on");
        client.close().expect("closed");
        assert!(serving.join().expect("no panic").is_normal());
        assert_eq!(there.running_requests(), 0, "{nesting:?}");
    }
}

/// Serves a pair's second side on a thread of its own.
fn served(
    root: Arc<dyn Service>,
    client: Config,
    nesting: Nesting,
) -> (Connection, thread::JoinHandle<CloseReason>) {
    let server = Config::new().nesting(nesting);
    let pair = Connection::pair(Arc::new(VoidService), client, root, server);
    let (client, there) = pair.expect("a pair");
    (client, thread::spawn(move || there.serve_all()))
}

/// The answer to the CLOSE waited for the handler, which waited for the end of the connection.
#[test]
fn a_close_waits_for_no_handler_that_serves() {
    type Serve = fn(&Connection);
    let ways: [(&str, Serve); 3] = [
        ("serve_all", |connection| drop(connection.serve_all())),
        (
            "serve",
            |connection| while connection.serve(None).is_ok() {},
        ),
        ("poll_all", |connection| {
            drop(connection.poll_all(2 * PATIENCE));
        }),
    ];
    let nestings = [Nesting::Pool, Nesting::Stack];
    for ((way, serve), nesting) in ways
        .into_iter()
        .flat_map(|way| nestings.map(|nesting| (way, nesting)))
    {
        let root = offering(move |cx, _, _| {
            serve(cx.connection());
            Ok(Any::NONE)
        });
        // Less than the time after which a CLOSE is answered in any case.
        let impatient = Config::new().sync_request_timeout(Some(Duration::from_secs(3)));
        let (client, serving) = served(root, impatient, nesting);
        let root = client.root().expect("a root");
        let working = root.async_call_method("work", args![]).expect("sent");
        // Answered by the handler's own thread.
        client.ping_with(1, Some(PATIENCE)).expect("it serves");
        client
            .close()
            .unwrap_or_else(|error| panic!("{way}, {nesting:?}: {error}"));
        assert!(working.value().is_err(), "{way}, {nesting:?}");
        assert!(
            serving.join().expect("no panic").is_normal(),
            "{way}, {nesting:?}"
        );
    }
}

#[test]
fn a_server_that_stops_waits_for_no_handler_that_serves() {
    for serves_before in [true, false] {
        stops_beside_a_handler_that_serves(serves_before);
    }
}

fn stops_beside_a_handler_that_serves(before: bool) {
    let (tell, told) = channel();
    let (go, goes) = channel();
    let goes = Mutex::new(goes);
    let root = offering(move |cx, _, _| {
        tell.send(cx.connection().clone()).expect("the test waits");
        let goes = goes.lock().expect("no panic");
        goes.recv_timeout(PATIENCE).expect("it may go on");
        cx.connection().serve_all();
        Ok(Any::NONE)
    });
    let (client, serving) = served(root, Config::default(), Nesting::Pool);
    let background = client.serve_in_background().expect("a thread");
    let root = client.root().expect("a root");
    let working = root.async_call_method("work", args![]).expect("sent");
    let there = told.recv_timeout(PATIENCE).expect("it was called");
    if before {
        go.send(()).expect("it waits");
        client.ping_with(1, Some(PATIENCE)).expect("it serves");
    }
    let (stopped, has_stopped) = channel();
    thread::spawn(move || {
        there.shut_down(100 * PATIENCE);
        stopped.send(()).expect("the test waits");
    });
    if !before {
        // Most probably it waits by then for the handler to end.
        thread::yield_now();
        go.send(()).expect("it waits");
    }
    drop(background);
    assert!(working.value().is_err());
    has_stopped.recv_timeout(PATIENCE).expect("it has stopped");
    assert!(serving.join().expect("no panic").is_normal());
}

#[test]
fn a_handler_that_shuts_its_own_connection_down_does_not_wait_for_itself() {
    let (tell, told) = channel();
    let root = offering(move |cx, _, _| {
        cx.connection().shut_down(100 * PATIENCE);
        tell.send(()).expect("the test waits");
        Ok(Any::NONE)
    });
    let (client, serving) = served(root, Config::default(), Nesting::Pool);
    let root = client.root().expect("a root");
    let _working = root.async_call_method("work", args![]).expect("sent");
    client.serve_in_background().expect("a thread");
    told.recv_timeout(PATIENCE).expect("it has shut down");
    assert!(serving.join().expect("no panic").is_normal());
}
