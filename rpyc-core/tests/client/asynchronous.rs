//! Answers that come later.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rpyc_core::*;

use crate::objects::{PATIENCE, client, client_of, eventually, offering};

/// A root whose `hold` answers when it is let go, with its argument; `add` answers at once.
fn holding() -> (Arc<dyn Service>, Sender<()>) {
    let (let_go, held) = channel::<()>();
    let held: Mutex<Receiver<()>> = Mutex::new(held);
    let service = offering(move |_, name, mut args| {
        if name == "hold" {
            let _ = held.lock().expect("no panic").recv_timeout(PATIENCE);
        }
        Ok(args.positional.remove(0))
    });
    (service, let_go)
}

#[test]
fn an_asynchronous_call_gives_its_value_later() -> Result<(), Error> {
    let (service, let_go) = holding();
    let (conn, _) = client_of(service, Config::default(), Config::default());
    let result = conn.root()?.async_call_method("hold", args![5])?;
    assert!(!result.ready() && !result.expired());
    let _ = let_go.send(());
    assert_eq!(result.value()?.extract::<i64>()?, 5);
    assert!(result.ready() && !result.error());
    assert_eq!(
        result.value()?.extract::<i64>()?,
        5,
        "it may be asked for again"
    );
    assert_eq!(conn.pending_requests(), 0);
    Ok(())
}

#[test]
fn an_exception_is_the_value_of_a_failed_call() -> Result<(), Error> {
    let conn = client();
    let result = conn.root()?.async_call_method("fail", args![])?;
    result.wait()?;
    assert!(result.error());
    assert!(
        result
            .value()
            .is_err_and(|error| error.as_remote().is_some())
    );
    Ok(())
}

#[test]
fn an_answer_comes_in_while_nobody_waits() -> Result<(), Error> {
    let conn = client();
    let result = conn.root()?.async_call_method("add", args![1, 2])?;
    eventually("the answer", || result.ready());
    Ok(())
}

#[test]
fn several_threads_may_wait_for_one_answer() -> Result<(), Error> {
    let (service, let_go) = holding();
    let (conn, _) = client_of(service, Config::default(), Config::default());
    let result = Arc::new(conn.root()?.async_call_method("hold", args![5])?);
    let (told, heard) = channel();
    for _ in 0..4 {
        let (result, told) = (result.clone(), told.clone());
        thread::spawn(move || {
            let _ = told.send(result.value().and_then(Any::extract::<i64>));
        });
    }
    let _ = let_go.send(());
    for _ in 0..4 {
        let value = heard.recv_timeout(PATIENCE).expect("each of them is told");
        assert_eq!(value?, 5);
    }
    Ok(())
}

#[test]
fn a_callback_has_the_outcome_also_when_the_result_is_dropped() -> Result<(), Error> {
    let conn = client();
    let (told, heard) = channel();
    for (name, arg) in [("add", 1), ("fail", 0)] {
        let told = told.clone();
        let result = conn.root()?.async_call_method(name, args![arg])?;
        result.add_callback(move |outcome| {
            let _ = told.send(outcome);
        });
    }
    let outcome = heard.recv_timeout(PATIENCE).expect("a callback");
    assert_eq!(outcome?.extract::<i64>()?, 1);
    let outcome = heard.recv_timeout(PATIENCE).expect("a callback");
    assert!(outcome.is_err());
    Ok(())
}

/// Nobody read while the thread that had read ran the callback: the reader of before was that thread.
#[test]
fn a_callback_may_wait_for_what_another_thread_is_answered() -> Result<(), Error> {
    let (service, let_go) = holding();
    let client = Config::new().sync_request_timeout(None);
    let (conn, _) = client_of(service, Config::new().concurrency(2), client);
    let root = conn.root()?;
    let server = conn.clone();
    thread::spawn(move || server.serve_all());
    let (told, heard) = channel();
    let waiting = root.clone();
    thread::spawn(move || {
        let answer = waiting.call_method("hold", args![1]);
        told.send(answer.is_ok()).expect("heard");
    });
    eventually("the call", || conn.pending_requests() == 1);
    let (tell, outcome) = channel();
    let result = root.async_call_method("add", args![2])?;
    result.add_callback(move |_| {
        let _ = let_go.send(());
        let _ = tell.send(heard.recv_timeout(PATIENCE));
    });
    assert_eq!(outcome.recv_timeout(2 * PATIENCE), Ok(Ok(true)));
    Ok(())
}

#[test]
fn the_first_of_several_results_is_awaited() -> Result<(), Error> {
    let (service, let_go) = holding();
    let mut parallel = Config::default();
    parallel.concurrency = 2;
    let (conn, _) = client_of(service, parallel, Config::default());
    let root = conn.root()?;
    let held = root.async_call_method("hold", args![1])?;
    assert_eq!(
        AsyncResult::wait_any([&held], Some(Duration::from_millis(20))),
        None
    );
    let quick = root.async_call_method("quick", args![2])?;
    assert_eq!(
        AsyncResult::wait_any([&held, &quick], Some(PATIENCE)),
        Some(1)
    );
    let none = AsyncResult::wait_all([&quick, &held], Some(Duration::from_millis(20)));
    let error = none.expect_err("one is held");
    assert!(
        error.is_timeout() && error.to_string().contains("CALLATTR"),
        "{error}"
    );
    let _ = let_go.send(());
    AsyncResult::wait_all([&quick, &held], Some(PATIENCE))?;
    Ok(())
}

#[test]
fn results_of_several_connections_are_awaited_together() -> Result<(), Error> {
    let (service, let_go) = holding();
    let (held_conn, _) = client_of(service, Config::default(), Config::default());
    let other = client();
    let held = held_conn.root()?.async_call_method("hold", args![1])?;
    let quick = other.root()?.async_call_method("add", args![2])?;
    assert_eq!(
        AsyncResult::wait_any([&held, &quick], Some(PATIENCE)),
        Some(1)
    );
    let _ = let_go.send(());
    assert_eq!(AsyncResult::wait_any([&held], Some(PATIENCE)), Some(0));
    Ok(())
}

#[test]
fn late_answers_to_expired_calls_leave_nothing_behind() -> Result<(), Error> {
    let (service, let_go) = holding();
    let mut hasty = Config::default();
    hasty.sync_request_timeout = Some(Duration::from_millis(2));
    let (conn, _) = client_of(service, Config::default(), Config::default());
    let root = conn.root()?;
    conn.update_config(|config| config.sync_request_timeout = hasty.sync_request_timeout);
    for _ in 0..100 {
        let error = root
            .call_method("hold", args![1])
            .map(drop)
            .expect_err("late");
        assert!(error.is_timeout(), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("hold (CALLATTR, seq "), "{text}");
        assert!(text.contains(" wasn't answered within 2ms "), "{text}");
    }
    assert_eq!(conn.pending_requests(), 0);
    let expiring = root.async_call_method("hold", args![1])?;
    expiring.set_expiry(Some(Duration::from_millis(1)));
    let late = expiring.value().expect_err("late").to_string();
    assert!(late.starts_with("hold (CALLATTR, seq "), "{late}");
    assert!(late.contains(" wasn't answered within 1ms "), "{late}");
    // The limit that was given, not the time that it took.
    let waiting = root.async_call_method("hold", args![1])?;
    let late = AsyncResult::wait_all([&waiting], Some(Duration::from_millis(3)));
    let late = late.expect_err("late").to_string();
    assert!(late.contains(" wasn't answered within 3ms "), "{late}");
    drop(waiting);
    assert!(expiring.expired() && !expiring.ready());
    for _ in 0..102 {
        let _ = let_go.send(());
    }
    conn.ping_with("after", Some(PATIENCE))?;
    assert!(
        expiring.value().is_err_and(|error| error.is_timeout()),
        "expired is expired"
    );
    assert_eq!(conn.pending_requests(), 0);
    Ok(())
}

#[test]
fn a_limit_holds_from_the_sending_however_soon_the_answer_comes() -> Result<(), Error> {
    let conn = client();
    let result = conn.async_request_within(
        wire::Handler::Ping,
        vec![Any::from(1)],
        Some(Duration::ZERO),
    )?;
    conn.ping()?;
    assert!(result.expired() && !result.ready());
    assert!(result.value().is_err_and(|error| error.is_timeout()));
    Ok(())
}

#[test]
fn a_timed_call_has_its_own_limit() -> Result<(), Error> {
    let (service, let_go) = holding();
    let (conn, _) = client_of(service, Config::default(), Config::default());
    let root = conn.root()?;
    let timed = root.netref()?.timed(Duration::from_millis(5));
    assert!(
        timed
            .call_method("hold", args![1])
            .is_err_and(|error| error.is_timeout())
    );
    let _ = let_go.send(());
    // The limit was set when the call was out, and the answer could be in.
    let at_once = root.netref()?.timed(Duration::ZERO);
    for _ in 0..200 {
        let outcome = at_once.call_method("quick", args![2]);
        assert!(outcome.is_err_and(|error| error.is_timeout()));
    }
    let patient = root.netref()?.timed(PATIENCE);
    assert_eq!(patient.call_method("quick", args![2])?.extract::<i64>()?, 2);
    Ok(())
}

#[test]
fn results_fail_with_the_reason_when_the_connection_ends() -> Result<(), Error> {
    let (service, let_go) = holding();
    let (conn, _) = client_of(service, Config::default(), Config::default());
    let result = conn.root()?.async_call_method("hold", args![1])?;
    let (told, heard) = channel();
    result.add_callback(move |outcome| {
        let _ = told.send(outcome.is_err_and(|error| error.is_closed()));
    });
    let _ = let_go.send(());
    conn.close()?;
    assert!(heard.recv_timeout(PATIENCE).is_ok());
    assert!(conn.root().is_err_and(|error| error.is_closed()));
    Ok(())
}
