//! Hangs are found: what a wait waited for, and who did what meanwhile.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use rpyc_core::*;

use crate::logged::{keep_the_log, logged_by};
use crate::objects::{PATIENCE, Side, client_of, eventually, offering};

/// A connection to a service whose method `hold` ends when it is let go, and `call` calls.
fn holding(client: impl Into<Side>, server: impl Into<Side>) -> (Connection, Sender<()>) {
    let (let_go, held) = channel::<()>();
    let held = Mutex::new(held);
    let service = offering(move |cx, name, mut args| match name {
        "hold" => {
            let _ = held.lock().expect("no panic").recv_timeout(PATIENCE);
            Ok(Any::NONE)
        }
        "call" => args.positional.remove(0).call_in(cx, args),
        _ => Ok(Any::NONE),
    });
    (client_of(service, server, client).0, let_go)
}

#[test]
fn a_wait_that_stalls_says_what_it_waited_for_who_read_and_what_is_unanswered() -> Result<(), Error>
{
    let client = Side::named("the-stalled", Config::new());
    let (conn, let_go) = holding(client, Config::default());
    let root = conn.root()?;
    let holding = {
        let root = root.clone();
        thread::spawn(move || root.call_method("hold", args![]).map(drop))
    };
    eventually("it", || conn.pending_requests() == 1);
    let late = root
        .as_netref()
        .expect("a netref")
        .timed(Duration::from_millis(20));
    let mut text = String::new();
    // Until it is the other thread that reads.
    eventually("it", || {
        let error = late.call_method("other", args![]).map(drop);
        text = error.expect_err("the server is held").to_string();
        text.contains("the thread that waits for hold (CALLATTR, seq 1) was reading")
    });
    for part in [
        "other (CALLATTR, seq ",
        " wasn't answered within 20ms (the-stalled: ",
        "no requests of the peer ran here, no requests were queued",
        "unanswered of ours: 2, hold (CALLATTR, seq 1) for ",
    ] {
        assert!(text.contains(part), "{part:?} isn't in {text:?}");
    }
    let _ = let_go.send(());
    holding.join().expect("no panic")?;
    conn.close()
}

#[test]
fn debug_logs_who_is_handed_the_reading_and_the_requests() -> Result<(), Error> {
    keep_the_log();
    let named = |connid: &str| Side::named(connid, Config::new().debug(true));
    let (conn, let_go) = holding(named("hands-over-reading"), named("hands-over-requests"));
    let root = conn.root()?;
    let logged = |connid: &str, part: &str| {
        let lines = logged_by(connid);
        lines.iter().any(|(_, text)| text.contains(part))
    };
    // A callback's own call runs beside the one that called back.
    let inner = root.clone();
    let callback = object::Function::new("callback", move |_, _| {
        Ok(inner.call_method("other", args![])?)
    });
    root.call_method("call", args![Any::object(callback)])?;
    let handed = "CALLATTR is handed to a thread of the pool";
    eventually("it", || logged("hands-over-requests", handed));
    // A thread that has its answer leaves the reading to one that hasn't, where it was the reader.
    let handed = "the reading goes to the thread that waits for hold (CALLATTR";
    eventually("it", || {
        let hold = |already: usize| {
            let root = root.clone();
            let holding = thread::spawn(move || root.call_method("hold", args![]).map(drop));
            eventually("it", || conn.pending_requests() > already);
            holding
        };
        let held = [hold(0), hold(1)];
        for one in held {
            let _ = let_go.send(());
            one.join().expect("no panic").expect("let go");
        }
        logged("hands-over-reading", handed)
    });
    // While the server was held, a helper has read.
    let helped = || logged("hands-over-requests", "a helper reads");
    if !helped() {
        let root = root.clone();
        let holding = thread::spawn(move || root.call_method("hold", args![]).map(drop));
        eventually("it", helped);
        let _ = let_go.send(());
        holding.join().expect("no panic")?;
    }
    conn.close()
}
