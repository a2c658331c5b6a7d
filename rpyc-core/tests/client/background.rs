//! Serving while the program does something else.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::error::CloseReason;
use rpyc_core::executor::interruptible;
use rpyc_core::wire::Handler;
use rpyc_core::*;

use crate::objects::{PATIENCE, Scripted, client, client_of, offering};

/// A root that keeps a callback, and calls it from a thread of its own when told to.
fn ringing() -> Arc<dyn Service> {
    let kept: Mutex<Option<Netref>> = Mutex::new(None);
    offering(move |_, name, mut args| {
        let mut kept = kept.lock().expect("no panic");
        match name {
            "register" => *kept = args.positional.remove(0).as_netref().cloned(),
            "ring_soon" => {
                if let Some(callback) = kept.clone() {
                    thread::spawn(move || callback.call(args![]));
                }
            }
            _ => {}
        }
        Ok(Any::NONE)
    })
}

#[test]
fn a_callback_runs_while_the_program_only_sleeps() -> Result<(), Error> {
    let (conn, _) = client_of(ringing(), Config::default(), Config::default());
    let background = conn.serve_in_background()?;
    let (told, heard) = channel();
    let told = Mutex::new(told);
    let callback = Scripted::object("builtins.function", move |_, _, _| {
        let _ = told.lock().expect("no panic").send(Instant::now());
        Ok(Any::NONE)
    });
    conn.root()?.call_method("register", args![callback])?;
    let mut delays: Vec<Duration> = Vec::new();
    for _ in 0..10 {
        let asked = Instant::now();
        conn.root()?.call_method("ring_soon", args![])?;
        let rang = heard.recv_timeout(PATIENCE).expect("the callback runs");
        delays.push(rang - asked);
    }
    // The best one: a busy machine may pause before nearly all of them.
    let best = delays.iter().min().expect("ten of them");
    assert!(*best < Duration::from_millis(100), "{delays:?}");
    background.stop();
    Ok(())
}

#[test]
fn calls_stay_about_as_fast_with_a_background_thread() -> Result<(), Error> {
    let conn = client();
    let root = conn.root()?;
    let calls = || -> Result<Duration, Error> {
        let began = Instant::now();
        for _ in 0..1000 {
            root.call_method("add", args![1])?;
        }
        Ok(began.elapsed())
    };
    calls()?;
    // The best of each, in turns: the machine may be busy with something else.
    let (mut alone, mut served) = (Duration::MAX, Duration::MAX);
    let end = Instant::now() + PATIENCE;
    loop {
        alone = alone.min(calls()?);
        let background = conn.serve_in_background()?;
        served = served.min(calls()?);
        background.stop();
        if served < alone * 3 {
            return Ok(());
        }
        assert!(Instant::now() < end, "{served:?} with, {alone:?} without");
    }
}

#[test]
fn it_stops_when_it_is_dropped_and_the_connection_works_on() -> Result<(), Error> {
    let conn = client();
    let background = conn.serve_in_background()?;
    conn.ping_with(1, Some(PATIENCE))?;
    drop(background);
    conn.ping_with(2, Some(PATIENCE))?;
    let again = conn.serve_in_background()?;
    again.stop();
    conn.ping_with(3, Some(PATIENCE))?;
    conn.close()
}

#[test]
fn it_keeps_neither_the_connection_open_nor_itself_running() -> Result<(), Error> {
    let (conn, ended) = client_of(
        offering(|_, _, _| Ok(Any::NONE)),
        Config::default(),
        Config::default(),
    );
    let background = conn.serve_in_background()?;
    drop(conn);
    assert!(
        ended
            .recv_timeout(PATIENCE)
            .is_ok_and(|reason| reason.is_normal())
    );
    background.stop();
    Ok(())
}

#[test]
fn several_threads_serve_at_the_same_time() -> Result<(), Error> {
    // Each call ends only when three of them run together.
    let together = Barrier::new(3);
    let service = offering(move |_, _, _| {
        together.wait();
        Ok(Any::NONE)
    });
    let pair = Connection::pair(
        Arc::new(VoidService),
        Config::default(),
        service,
        Config::default(),
    )?;
    let (conn, there) = pair;
    let serving = thread::spawn(move || there.serve_threaded(3));
    let root = conn.root()?;
    let results: Vec<AsyncResult> = (0..3)
        .map(|_| root.async_call_method("meet", args![]))
        .collect::<Result<_, _>>()?;
    AsyncResult::wait_all(&results, Some(PATIENCE))?;
    conn.close()?;
    assert!(serving.join().is_ok_and(|reason| reason.is_normal()));
    Ok(())
}

/// They went on for ever: the waits within ended, and were begun again.
#[test]
fn whatever_waits_without_a_limit_ends_when_it_is_interrupted() {
    type Waits = Box<dyn FnOnce() + Send>;
    // Nobody serves the peers.
    let pairs = [(); 2].map(|()| {
        let service = || Arc::new(VoidService);
        let config = Config::default;
        Connection::pair(service(), config(), service(), config()).expect("a pair")
    });
    let results = pairs.clone().map(|(conn, _)| {
        let sent = conn.async_request(Handler::Ping, vec![Any::from(1)]);
        sent.expect("sent")
    });
    let (one, _) = &pairs[0];
    let [all, threaded] = [(); 2].map(|()| one.clone());
    let waits: [(&str, Waits); 3] = [
        (
            "serve_all",
            Box::new(move || assert_interrupted(&all.serve_all())),
        ),
        (
            "serve_threaded",
            Box::new(move || assert_interrupted(&threaded.serve_threaded(2))),
        ),
        (
            "wait_any over two connections",
            Box::new(move || {
                let found = AsyncResult::wait_any(&results, None);
                assert_eq!(found, None);
            }),
        ),
    ];
    for (what, wait) in waits {
        let (tell, told) = channel();
        let waiting = thread::spawn(move || {
            let ((), was_interrupted) = interruptible(|| true, wait);
            tell.send(was_interrupted).expect("heard");
        });
        assert_eq!(told.recv_timeout(PATIENCE), Ok(true), "{what}");
        waiting.join().expect("no panic");
        assert!(!one.is_closed(), "{what}");
    }
}

fn assert_interrupted(reason: &CloseReason) {
    assert!(matches!(reason, CloseReason::Interrupted), "{reason}");
}
