//! Pools of servers, in Rust and in Python, whatever becomes of the servers and of the directory.

mod bench;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::{Config, Connection, Connector, Error, VoidService, args};
use rpyc_registry::service_pool::PoolStatus;
use rpyc_registry::{RegistryClient, RegistryError, ServicePool};
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::registry::Registry;
use rpyc_tests::server::{Server, Signal};

use self::bench::{CallLog, Here, Told, brisk, connected, of, wait_until};

fn count(pool: &ServicePool, number: u64, pause: f64) -> Result<i64, Error> {
    pool.call("count", args![number, pause])?.extract()
}

#[test]
fn a_call_is_done_once_whatever_becomes_of_its_server() {
    let calls = Arc::new(CallLog::new());
    let mut killed = calls.hosted();
    let (stopped, stays) = (calls.stock(), calls.stock());
    let leaves = Here::start(&calls);
    let servers = [
        killed.address(),
        stopped.address(),
        stays.address(),
        leaves.address,
    ];
    let directory = Told::of(&servers);
    let builder = brisk().call_timeout(Duration::from_secs(10));
    let pool = builder.start(&directory, "counter").expect("a pool");
    wait_until(&pool, connected(4));

    let (next, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let (answered, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let at_least = |wanted: usize| {
        let until = Instant::now() + PATIENCE;
        let before = answered.lock().expect("no panic").len();
        while answered.lock().expect("no panic").len() < before + wanted {
            assert!(Instant::now() < until, "{:?}", pool.status());
            thread::sleep(Duration::from_millis(5)); // between two looks
        }
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !enough.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    match count(&pool, number, 0.01) {
                        Ok(_) => answered.lock().expect("no panic").push(number),
                        Err(error) => failed.lock().expect("no panic").push((number, error)),
                    }
                }
            });
        }
        let story = || {
            at_least(40);
            killed.signal(Signal::KILL);
            killed.ended(PATIENCE);
            stopped.signal(Signal::STOP);
            leaves.leave();
            let left_out = [killed.address(), stopped.address(), leaves.address];
            wait_until(&pool, |status| {
                let failed = |server| of(status, server).is_some_and(|known| known.failures > 0);
                left_out.into_iter().all(failed) && connected(1)(status)
            });
            at_least(40);
            // They come back: by themselves, and in another place.
            stopped.signal(Signal::CONT);
            leaves.come_back();
            let anew = calls.stock();
            let mut servers = servers.to_vec();
            servers[0] = anew.address();
            directory.tell(&servers);
            wait_until(&pool, connected(4));
            at_least(40);
            let all_answer = |status: &PoolStatus| {
                let mut known = status.servers.iter();
                known.all(|server| server.failures == 0)
            };
            wait_until(&pool, all_answer);
            anew
        };
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(story));
        enough.store(true, Ordering::SeqCst);
        stopped.signal(Signal::CONT);
        if let Err(panic) = told {
            std::panic::resume_unwind(panic);
        }
    });
    let done = calls.done();
    let twice: Vec<_> = done.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let answered = answered.into_inner().expect("no panic");
    assert!(answered.iter().all(|number| done.contains_key(number)));
    // Those that were under way when their servers ended, or were stopped, and no others.
    let failed = failed.into_inner().expect("no panic");
    assert!(
        !failed.is_empty()
            && failed
                .iter()
                .all(|(_, error)| error.is_closed() || error.is_timeout()),
        "{failed:?}"
    );
}

#[test]
fn a_call_that_may_be_done_twice_is_given_to_another_server() {
    for retried in [false, true] {
        let calls = CallLog::new();
        let servers = [calls.stock(), calls.stock()];
        let directory = Told::of(&[servers[0].address(), servers[1].address()]);
        let pool = brisk().start(&directory, "counter").expect("a pool");
        wait_until(&pool, connected(2));
        let outcome = match retried {
            true => pool.retryable().call("crash_once", args![7]),
            false => pool.call("crash_once", args![7]),
        };
        assert_eq!(calls.done().get(&7), Some(&(1 + usize::from(retried))));
        match (retried, outcome) {
            (true, Ok(_)) => {}
            (false, Err(error)) => assert!(error.is_closed(), "{error}"),
            (_, outcome) => panic!("{outcome:?}"),
        }
    }
}

#[test]
fn what_a_server_raises_is_its_answer() {
    let calls = CallLog::new();
    let server = calls.stock();
    let directory = Told::of(&[server.address()]);
    let pool = brisk().start(&directory, "counter").expect("a pool");
    for _ in 0..3 {
        let raised = pool.retryable().call("refuse", args![]);
        let error = raised.expect_err("it raises");
        let is_it = error
            .as_remote()
            .is_some_and(|raised| raised.is("ValueError"));
        assert!(is_it, "{error}");
    }
    let status = pool.status();
    let server = of(&status, server.address()).expect("it is known");
    assert_eq!((server.failures, server.unanswered), (0, 0));
}

#[test]
fn calls_and_leases_go_where_the_fewest_are() {
    let calls = Arc::new(CallLog::new());
    let servers = [Here::start(&calls), Here::start(&calls)];
    let directory = Told::of(&[servers[0].address, servers[1].address]);
    let pool = brisk().start(&directory, "counter").expect("a pool");
    wait_until(&pool, connected(2));
    let leases = [pool.lease().expect("one"), pool.lease().expect("another")];
    let unanswered = |pool: &ServicePool| {
        let status = pool.status();
        servers
            .each_ref()
            .map(|server| of(&status, server.address).map(|known| known.unanswered))
    };
    assert_eq!(unanswered(&pool), [Some(1), Some(1)]);
    let [first, second] = leases;
    let first_is_at = first.peer_label().to_owned();
    drop(first);
    let again = pool.lease().expect("one");
    assert_eq!(again.peer_label().to_owned(), first_is_at);
    drop((again, second));
    assert_eq!(unanswered(&pool), [Some(0), Some(0)]);
    count(&pool, 1, 0.0).expect("it is done");
    // With the last handle all connections end.
    let clone = pool.clone();
    drop(pool);
    count(&clone, 2, 0.0).expect("it is done");
    drop(clone);
    let until = Instant::now() + PATIENCE;
    while servers.iter().any(|server| server.open_connections() > 0) {
        assert!(Instant::now() < until, "they are open");
        thread::sleep(Duration::from_millis(5)); // between two looks
    }
}

#[test]
fn without_a_server_a_call_says_why_and_doesnt_wait_for_ever() {
    let refused = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = refused.local_addr().expect("an address");
    drop(refused);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let away = Told::default();
    away.be_away();
    let listed = Told::of(&[nobody]);
    let empty = Told::of(&[]);
    let hung = Told::of(&[silent.local_addr().expect("an address")]);
    let call = |directory: &Told, timeout: f64, is_known: fn(&PoolStatus) -> bool| {
        let builder = brisk().server_timeout(Duration::from_secs_f64(timeout));
        let pool = builder.start(directory, "counter").expect("a pool");
        wait_until(&pool, is_known);
        let error = within(PATIENCE, "the call", move || {
            let called = pool.retryable().call("count", args![1, 0.0]);
            called.expect_err("there is no server")
        });
        RegistryError::of(&error)
            .cloned()
            .ok_or_else(|| error.to_string())
    };
    let error = call(&empty, 5.0, |_| true).expect("the directory's");
    assert_eq!(error.to_string(), "no server offers COUNTER");
    let error = call(&away, 0.1, |status| status.directory_error.is_some());
    let error = error.expect("the directory's");
    assert!(matches!(error, RegistryError::NoAnswer { .. }), "{error}");
    let error = call(&listed, 0.1, |status| {
        status.servers.iter().any(|server| server.failures > 0)
    });
    let error = error.expect("the directory's");
    assert!(
        matches!(error, RegistryError::AllDown { servers: 1, .. }),
        "{error}"
    );
    // Connecting may take longer than the call waits.
    let error = call(&hung, 0.1, |status| status.servers.len() == 1);
    let error = error.expect_err("it may still answer");
    assert!(
        error.starts_with("connecting to a server of COUNTER wasn't answered"),
        "{error}"
    );
    let error = brisk().start(&RegistryClient::broadcast(), "").map(drop);
    assert!(matches!(error, Err(error) if RegistryError::of(&error).is_some()));
}

#[test]
fn a_registry_that_goes_away_takes_no_server_with_it() {
    let calls = CallLog::new();
    let registry = Registry::start(&["--host", "127.0.0.1"]);
    let port = registry.address().port();
    let register = |server: &Server| {
        let directory = RegistryClient::udp("127.0.0.1").port(port);
        let offer = rpyc_registry::Offer::new(["counter"], server.address().port());
        let told = rpyc_registry::Directory::register(&directory, &offer.expect("good"));
        told.expect("the registry takes it");
    };
    let mut killed = calls.stock();
    let stays = calls.stock();
    register(&killed);
    let directory = RegistryClient::udp("127.0.0.1")
        .port(port)
        .timeout(Duration::from_millis(500))
        .poll_interval(Duration::from_millis(100));
    let pool = brisk().start(&directory, "counter").expect("a pool");
    wait_until(&pool, connected(1));
    register(&stays);
    wait_until(&pool, connected(2));
    drop(registry);
    wait_until(&pool, |status| status.directory_error.is_some());
    killed.signal(Signal::KILL);
    killed.ended(PATIENCE);
    wait_until(&pool, connected(1));
    for number in 0..4 {
        count(&pool, number, 0.0).expect("the other one is there");
    }
    assert_eq!(calls.done().len(), 4);
}

#[test]
fn an_idle_server_that_stands_still_is_noticed_without_a_call() {
    let calls = CallLog::new();
    let server = calls.stock();
    let directory = Told::of(&[server.address()]);
    let builder = brisk().check_interval(Duration::from_millis(100));
    let pool = builder.start(&directory, "counter").expect("a pool");
    wait_until(&pool, connected(1));
    server.signal(Signal::STOP);
    wait_until(&pool, |status| {
        of(status, server.address()).is_some_and(|known| known.failures > 0)
    });
    server.signal(Signal::CONT);
    count(&pool, 1, 0.0).expect("it is back");
    assert_eq!(wait_until(&pool, connected(1)).servers[0].failures, 0);
}

#[test]
fn a_server_that_takes_calls_and_answers_none_is_left_out() {
    let calls = Arc::new(CallLog::new());
    let (answers, never) = (Here::start(&calls), bench::black_hole());
    let directory = Told::of(&[never, answers.address]);
    let builder = brisk().call_timeout(Duration::from_secs(2));
    let pool = builder.start(&directory, "counter").expect("a pool");
    wait_until(&pool, connected(2));
    // Among equals the one that is listed first begins.
    let error = count(&pool, 0, 0.0).expect_err("nobody answers");
    assert!(error.is_timeout(), "{error}");
    for number in 1..20 {
        let done = pool.retryable().call("count", args![number, 0.0]);
        done.expect("the other one answers");
    }
    let status = wait_until(&pool, |status| {
        of(status, never).is_some_and(|server| server.failures > 0)
    });
    let server = of(&status, never).expect("it is known");
    assert!(server.last_error.is_some(), "{server:?}");
    let done = calls.done();
    assert!(
        (1..20).all(|number| done.get(&number) == Some(&1)),
        "{done:?}"
    );
}

/// A call waited for ever where the program's own way to connect set no limit.
#[test]
fn no_call_waits_for_ever_whatever_the_connections_config_says() {
    let endless = || Config::new().sync_request_timeout(None);
    let by_connector = brisk().connector(Connector::new().config(endless()));
    let by_function = brisk().connect_with(move |server| {
        let stream = TcpStream::connect((&*server.host, server.port));
        let stream = stream.expect("somebody listens");
        let config = Config::new().sync_request_timeout(None);
        Connection::open(stream, VoidService, config)
    });
    // A connector asks for the root itself.
    for (builder, servers) in [
        (by_connector, vec![bench::black_hole()]),
        (by_function, vec![bench::black_hole(), bench::silent()]),
    ] {
        for server in servers {
            let pool = builder.clone().call_timeout(Duration::from_secs(1));
            let pool = pool.server_timeout(Duration::from_secs(2));
            let pool = pool.start(&Told::of(&[server]), "counter").expect("a pool");
            wait_until(&pool, connected(1));
            // More than is sent to who reads nothing.
            let much = vec![0_u8; 16 << 20];
            let error = within(PATIENCE, "a call", {
                let pool = pool.clone();
                move || pool.call("count", args![much]).expect_err("nobody answers")
            });
            assert!(error.is_timeout() || error.is_closed(), "{error}");
            wait_until(&pool, connected(1));
            let lease = pool.lease().expect("it is connected");
            let error = within(PATIENCE, "a lease's call", move || {
                // One of them answers that, and nothing else.
                let root = lease.root();
                root.and_then(|_| lease.ping()).expect_err("nobody answers")
            });
            assert!(error.is_timeout() || error.is_closed(), "{error}");
        }
    }
}
