//! The rules of who reads and who runs, under load. Limits in time only find hangs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::object::Function;
use rpyc_core::*;

use crate::objects::{PATIENCE, client_of, everything, offering};

/// Fails instead of hanging.
fn within(work: impl FnOnce() -> Result<(), Error> + Send + 'static) {
    let (told, done) = channel();
    thread::spawn(move || {
        let _ = told.send(work());
    });
    // Thousands of rounds take their time on a busy machine.
    let outcome = done.recv_timeout(3 * PATIENCE);
    let outcome = outcome.expect("it hangs, or panicked");
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

fn function(act: impl Fn(Args) -> Result<Any, Exception> + Send + Sync + 'static) -> Any {
    Any::object(Function::new("function", move |_, args| act(args)))
}

#[test]
fn eight_threads_with_nested_callbacks_share_one_connection() {
    within(|| {
        let (conn, _) = client_of(everything(), Config::default(), Config::default());
        let slowest = Arc::new(Mutex::new(Duration::ZERO));
        let workers: Vec<_> = (0..8_i64)
            .map(|number| {
                let (conn, slowest) = (conn.clone(), slowest.clone());
                thread::spawn(move || -> Result<(), Error> {
                    let root = conn.root()?;
                    let inner = root.clone();
                    let callback = function(move |args| {
                        let sum = Args::from(args.positional).arg(1);
                        Ok(inner.call_method("add", sum)?)
                    });
                    for round in 0..1000 {
                        let began = Instant::now();
                        let args = args![callback.clone(), number, round];
                        let sum = root.call_method("apply", args)?.extract::<i64>()?;
                        assert_eq!(sum, number + round + 1);
                        let mut slowest = slowest.lock().expect("no panic");
                        *slowest = began.elapsed().max(*slowest);
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("no panic")?;
        }
        // A round takes milliseconds; the stalls that users report last 30 s.
        let slowest = *slowest.lock().expect("no panic");
        println!("the slowest of 8,000 rounds took {slowest:?}");
        assert!(slowest < Duration::from_secs(15), "{slowest:?}");
        conn.close()
    });
}

/// Four threads with a thousand nested callbacks each; how long they took.
fn four_thousand_nested_callbacks() -> Result<Duration, Error> {
    let (conn, _) = client_of(everything(), Config::default(), Config::default());
    let began = Instant::now();
    let workers = [0, 1, 2, 3].map(|number: i64| {
        let conn = conn.clone();
        thread::spawn(move || -> Result<(), Error> {
            let root = conn.root()?;
            let inner = root.clone();
            let callback = function(move |args| {
                let sum = Args::from(args.positional).arg(1);
                Ok(inner.call_method("add", sum)?)
            });
            for round in 0..1000 {
                let args = args![callback.clone(), number, round];
                let sum = root.call_method("apply", args)?.extract::<i64>()?;
                assert_eq!(sum, number + round + 1);
            }
            Ok(())
        })
    });
    for worker in workers {
        worker.join().expect("no panic")?;
    }
    let took = began.elapsed();
    conn.close()?;
    Ok(took)
}

#[test]
fn four_threads_with_a_thousand_nested_callbacks_each_are_answered() {
    within(|| {
        let took = four_thousand_nested_callbacks()?;
        println!("4,000 nested callbacks took {took:?}");
        Ok(())
    });
}

#[test]
fn a_hundred_thousand_netrefs_are_dropped_within_callbacks() {
    within(|| {
        let held = Arc::new(());
        let mine = held.clone();
        let service = offering(move |cx, name, mut args| match name {
            "apply" => args.positional.remove(0).call_in(cx, args),
            _ => {
                let kept = mine.clone();
                let one = move || {
                    let kept = kept.clone();
                    function(move |_| {
                        let _ = &kept;
                        Ok(Any::NONE)
                    })
                };
                Ok(Any::tuple((0..125).map(|_| one())))
            }
        });
        let (conn, _) = client_of(service, Config::default(), Config::default());
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let conn = conn.clone();
                thread::spawn(move || -> Result<(), Error> {
                    let root = conn.root()?;
                    let fetching = root.clone();
                    let callback = function(move |_| {
                        let things = fetching.call_method("things", args![])?;
                        drop(things);
                        Ok(Any::NONE)
                    });
                    for _ in 0..100 {
                        root.call_method("apply", args![callback.clone()])?;
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("no panic")?;
        }
        // Each round trip carries releases that were queued; then the last of them is home.
        while Arc::strong_count(&held) > 2 {
            conn.ping_with(1, Some(PATIENCE))?;
        }
        assert_eq!(conn.live_netrefs(), 1, "the root alone");
        conn.close()
    });
}

#[test]
fn asynchronous_calls_run_in_the_order_sent() {
    within(|| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let service = offering(move |_, _, args| {
            let number = args.positional[0].as_value().and_then(Value::as_i64);
            noted.lock().expect("no panic").extend(number);
            Ok(Any::NONE)
        });
        let (conn, _) = client_of(service, Config::default(), Config::default());
        let root = conn.root()?;
        let results: Vec<AsyncResult> = (0..1000)
            .map(|number| root.async_call_method("note", args![number]))
            .collect::<Result<_, _>>()?;
        AsyncResult::wait_all(&results, Some(PATIENCE))?;
        assert_eq!(
            *seen.lock().expect("no panic"),
            (0..1000).collect::<Vec<i64>>()
        );
        conn.close()
    });
}

#[test]
fn a_callback_may_wait_for_the_call_that_was_sent_after_its_own() {
    within(|| {
        let (conn, _) = client_of(everything(), Config::default(), Config::default());
        let root = conn.root()?;
        let (hand_over, handed) = channel::<AsyncResult>();
        let handed = Mutex::new(handed);
        let callback = function(move |_| {
            let second = handed.lock().expect("no panic").recv_timeout(PATIENCE);
            let second = second.map_err(|_| Exception::runtime_error("nothing came"))?;
            Ok(second.value()?)
        });
        let first = root.async_call_method("apply", args![callback])?;
        let second = root.async_call_method("add", args![20, 22])?;
        let _ = hand_over.send(second);
        first.set_expiry(Some(PATIENCE));
        assert_eq!(first.value()?.extract::<i64>()?, 42);
        conn.close()
    });
}

#[test]
fn the_stream_is_drained_while_a_handler_is_busy() {
    within(|| {
        let (let_go, held) = channel::<()>();
        let (held, waiting) = (Mutex::new(held), Arc::new(AtomicBool::new(false)));
        let busy = waiting.clone();
        let service = offering(move |_, name, _| {
            if name == "hold" {
                busy.store(true, Ordering::SeqCst);
                let _ = held.lock().expect("no panic").recv_timeout(PATIENCE);
                busy.store(false, Ordering::SeqCst);
            }
            Ok(Any::NONE)
        });
        let (conn, _) = client_of(service, Config::default(), Config::default());
        let root = conn.root()?;
        let held = root.async_call_method("hold", args![])?;
        // Sixteen times what the stream holds: it goes through because somebody reads.
        let large = "x".repeat(1 << 20);
        let sent = root.async_call_method("take", args![large])?;
        assert!(!sent.ready(), "it waits for its turn");
        let written = Instant::now();
        while !waiting.load(Ordering::SeqCst) && written.elapsed() < PATIENCE {
            thread::yield_now();
        }
        let _ = let_go.send(());
        AsyncResult::wait_all([&held, &sent], Some(PATIENCE))?;
        conn.close()
    });
}

#[test]
fn a_call_that_waits_for_the_effect_of_another_one_s_callback_ends() {
    // R1 calls back and waits; R2 meanwhile blocks on an effect of that callback's completion.
    within(|| {
        let (effect, awaited) = channel::<()>();
        let (effect, awaited) = (Mutex::new(effect), Mutex::new(awaited));
        let started = Arc::new(AtomicUsize::new(0));
        let starts = started.clone();
        let service = offering(move |cx, name, mut args| {
            starts.fetch_add(1, Ordering::SeqCst);
            if name == "first" {
                args.positional.remove(0).call_in(cx, args![])?;
                let _ = effect.lock().expect("no panic").send(());
                return Ok(Any::from(1));
            }
            let got = awaited.lock().expect("no panic").recv_timeout(PATIENCE);
            Ok(Any::from(got.is_ok()))
        });
        let (conn, _) = client_of(service, Config::default(), Config::default());
        let root = conn.root()?;
        let seen = started.clone();
        let callback = function(move |_| {
            // Ends once the second request runs.
            let until = Instant::now() + PATIENCE;
            while seen.load(Ordering::SeqCst) < 2 && Instant::now() < until {
                thread::yield_now();
            }
            Ok(Any::NONE)
        });
        let first = root.async_call_method("first", args![callback])?;
        let second = root.async_call_method("second", args![])?;
        AsyncResult::wait_all([&first, &second], Some(PATIENCE))?;
        assert!(second.value()?.extract::<bool>()?);
        conn.close()
    });
}
