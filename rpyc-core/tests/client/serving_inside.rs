//! Handlers that serve their own connection: callbacks and requests are nested on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::config::Nesting;
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
