//! The rows of the config that aren't about attributes or exceptions: each test fails where its
//! option is ignored.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rpyc_core::service::{IntoService, PeerInfo};
use rpyc_core::transport::{Stream, memory_pair};
use rpyc_core::wire::Limits;
use rpyc_core::wire::{DumpedException, FrameBuf, FrameDecoder, Message};
use rpyc_core::*;

use crate::logged::{keep_the_log, logged_by};
use crate::objects::{PATIENCE, Scripted, Side, client_of, everything, offering, pair_of};

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

#[test]
fn the_defaults_are_those_of_stock_rpyc() {
    let config = Config::default();
    assert_eq!(config.sync_request_timeout, Some(Duration::from_secs(30)));
    assert!(!config.allow_pickle && !config.debug && !config.close_catchall);
    assert!(config.log_exceptions && !config.instantiate_oldstyle_exceptions);
    assert!(config.include_local_traceback && config.include_local_version);
    assert!(!config.propagate_system_exit_locally && config.propagate_keyboard_interrupt_locally);
    let peer = PeerInfo::default();
    assert!(peer.credentials.is_none() && peer.connid.is_none() && peer.endpoints.is_none());
}

#[test]
fn sync_request_timeout_bounds_a_wait() -> Result<(), Error> {
    let (let_go, held) = channel::<()>();
    let held = Mutex::new(held);
    let service = offering(move |_, _, _| {
        let _ = held.lock().expect("no panic").recv_timeout(PATIENCE);
        Ok(Any::NONE)
    });
    let hasty = config(|config| config.sync_request_timeout = Some(Duration::from_millis(20)));
    let (conn, _) = client_of(service, Config::default(), hasty);
    // Retried, because a busy machine may be slower than that.
    let root = loop {
        if let Ok(root) = conn.root() {
            break root;
        }
    };
    let error = root
        .call_method("hold", args![])
        .map(drop)
        .expect_err("held");
    assert!(
        error.is_timeout() && error.to_string().contains("20ms"),
        "{error}"
    );
    let _ = let_go.send(());
    // `None` waits for as long as it takes.
    conn.update_config(|config| config.sync_request_timeout = None);
    let _ = let_go.send(());
    root.call_method("hold", args![])?;
    Ok(())
}

#[test]
fn no_change_of_the_config_is_lost_where_two_threads_make_them() {
    let (conn, _) = client_of(everything(), Config::default(), Config::default());
    let (pending, queued) = (conn.config().max_pending, conn.config().max_queued);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2000 {
                conn.update_config(|config| config.max_pending += 1);
            }
        });
        scope.spawn(|| {
            for _ in 0..2000 {
                conn.update_config(|config| config.max_queued += 1);
            }
        });
    });
    assert_eq!(conn.config().max_pending, pending + 2000);
    assert_eq!(conn.config().max_queued, queued + 2000);
}

/// Its method `hold` says whether `let_go` was called meanwhile; any other gives an object.
fn held_by_another_call() -> Arc<dyn Service> {
    let (let_go, held) = channel::<()>();
    let (let_go, held) = (Mutex::new(let_go), Mutex::new(held));
    offering(move |_, name, _| match name {
        "hold" => {
            let let_go = held.lock().expect("no panic").recv_timeout(PATIENCE);
            Ok(Any::from(let_go.is_ok()))
        }
        "let_go" => {
            let _ = let_go.lock().expect("no panic").send(());
            Ok(Any::NONE)
        }
        _ => Ok(Scripted::object("tests.Thing", |_, _, _| Ok(Any::NONE))),
    })
}

#[test]
fn a_full_queue_holds_up_no_request_that_there_is_room_for() -> Result<(), Error> {
    let (void, config) = (Arc::new(VoidService), Config::new().concurrency(2));
    let (service, config) = (held_by_another_call(), config.max_queued(1));
    let (conn, server) = Connection::pair(void, Config::default(), service, config)?;
    let serving = server.clone();
    let root = thread::scope(|scope| {
        scope.spawn(|| serving.serve(Some(PATIENCE)));
        conn.root()
    })?;
    // One read takes both.
    let held = root.async_call_method("hold", args![])?;
    let letting_go = root.async_call_method("let_go", args![])?;
    thread::spawn(move || serving.serve_all());
    held.set_expiry(Some(PATIENCE));
    assert!(held.value()?.extract::<bool>()?);
    letting_go.wait()
}

#[test]
fn a_raised_concurrency_starts_what_is_queued_at_once() -> Result<(), Error> {
    let service = held_by_another_call();
    let void = Arc::new(VoidService);
    let (conn, server) = Connection::pair(void, Config::default(), service, Config::default())?;
    let serving = server.clone();
    thread::spawn(move || serving.serve_all());
    let root = conn.root()?;
    let thing = root.call_method("thing", args![])?;
    let held = root.async_call_method("hold", args![])?;
    let letting_go = root.async_call_method("let_go", args![])?;
    // Its release is applied when it is read: behind the call that is queued then.
    drop(thing);
    while server.exported_objects() > 1 {
        thread::yield_now();
    }
    assert!(!letting_go.ready(), "it waits for its turn");
    server.update_config(|config| config.concurrency = 2);
    held.set_expiry(Some(PATIENCE));
    assert!(held.value()?.extract::<bool>()?);
    letting_go.wait()
}

#[test]
fn a_time_that_can_not_be_counted_is_no_limit() -> Result<(), Error> {
    let (conn, server) = Connection::pair(
        Arc::new(VoidService),
        Config::default(),
        everything(),
        Config::default(),
    )?;
    let serving = thread::spawn(move || {
        let served = server.poll_all(Duration::MAX);
        server.shut_down(Duration::MAX);
        served
    });
    conn.ping_with(1, Some(Duration::MAX))?;
    conn.close()?;
    assert!(serving.join().expect("no panic")?);
    Ok(())
}

#[test]
fn connid_names_the_connection_in_its_log() -> Result<(), Error> {
    keep_the_log();
    let named = Side::named("the-connid", Config::new().debug(true));
    let (conn, _) = client_of(everything(), Config::default(), named);
    assert_eq!(conn.connid(), "the-connid");
    conn.ping()?;
    assert!(!logged_by("the-connid ").is_empty());
    let connector = Connector::new().connid("of-the-connector");
    let conn = connector.connect_thread(everything(), Config::new())?;
    assert_eq!(conn.connid(), "of-the-connector");
    let (other, _) = client_of(everything(), Config::default(), Config::default());
    assert!(other.connid().starts_with("conn"));
    Ok(())
}

#[test]
fn debug_logs_every_message_decoded() -> Result<(), Error> {
    keep_the_log();
    for debug in [true, false] {
        let connid = format!("debug-is-{debug}");
        let client = Side::named(&connid, Config::new().debug(debug));
        let (conn, _) = client_of(everything(), Config::default(), client);
        let root = conn.root()?;
        root.call_method("add", args![20, 22])?;
        root.call_method("fail", args![])
            .map(drop)
            .expect_err("as asked");
        let lines: Vec<String> = logged_by(&connid)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        if !debug {
            assert!(lines.is_empty(), "{lines:?}");
            continue;
        }
        let has = |parts: &[&str]| {
            let fits = |line: &String| parts.iter().all(|part| line.contains(part));
            lines.iter().any(fits)
        };
        assert!(has(&["->", "Request", "GetRoot"]), "{lines:#?}");
        assert!(
            has(&["->", "Request", "CallAttr", "add", "20"]),
            "{lines:#?}"
        );
        assert!(has(&["<-", "Reply", "42"]), "{lines:#?}");
        assert!(
            has(&["<-", "Exception", "ValueError", "as asked"]),
            "{lines:#?}"
        );
    }
    Ok(())
}

#[test]
fn logger_is_the_target_of_the_log_and_log_exceptions_logs_what_handlers_raise() -> Result<(), Error>
{
    keep_the_log();
    for logs in [true, false] {
        let connid = format!("log-exceptions-{logs}");
        let server = config(|config| {
            config.logger = "my.own.logger".to_owned();
            config.log_exceptions = logs;
        });
        let server = Side::named(&connid, server);
        let (conn, _) = client_of(everything(), server, Config::default());
        let failed = conn.root()?.call_method("fail", args![]).map(drop);
        assert!(failed.is_err());
        let lines = logged_by(&connid);
        assert!(lines.iter().all(|(target, _)| target == "my.own.logger"));
        let told = lines
            .iter()
            .any(|(_, text)| text.contains("ValueError: as asked"));
        assert_eq!(told, logs, "{lines:?}");
    }
    Ok(())
}

#[test]
fn credentials_and_endpoints_reach_the_service() -> Result<(), Error> {
    let service = offering(|cx, name, _| {
        let connection = cx.connection();
        Ok(match name {
            "who" => connection.peer().credentials.unwrap_or(Any::NONE),
            "become" => {
                connection.set_credentials(Some(Any::from("bob")));
                Any::NONE
            }
            _ => Any::from(
                connection
                    .peer()
                    .endpoints
                    .map(|(_, peer)| peer.to_string()),
            ),
        })
    });
    let address = |text: &str| text.parse().expect("an address");
    let mut peer = PeerInfo::default();
    peer.credentials = Some(Any::from("alice"));
    peer.endpoints = Some((address("10.0.0.1:1"), address("10.0.0.2:2")));
    let (conn, _) = client_of(service, Side(Config::new(), peer), Config::default());
    let root = conn.root()?;
    assert_eq!(root.call_method("who", args![])?.as_str(), Some("alice"));
    assert_eq!(
        root.call_method("whence", args![])?.as_str(),
        Some("10.0.0.2:2")
    );
    root.call_method("become", args![])?;
    assert_eq!(root.call_method("who", args![])?.as_str(), Some("bob"));
    Ok(())
}

/// Counts the connections that answer before they close.
struct Closing(Arc<AtomicUsize>);

#[service]
impl Closing {
    #[before_closed]
    fn ask(&self, conn: &Connection) {
        let answered = conn.ping_with("still there?", Some(PATIENCE));
        self.0
            .fetch_add(usize::from(answered.is_ok()), Ordering::SeqCst);
    }
}

#[test]
fn before_closed_runs_once_while_the_connection_still_works() -> Result<(), Error> {
    let works = Arc::new(AtomicUsize::new(0));
    let closing = Closing(works.clone()).into_service();
    let (conn, _) = pair_of(closing, Config::new(), everything(), Config::new());
    conn.ping()?;
    assert_eq!(works.load(Ordering::SeqCst), 0);
    conn.close()?;
    conn.close()?;
    assert_eq!(works.load(Ordering::SeqCst), 1);
    Ok(())
}

/// A peer that answers the first request, whatever it is, with an exception.
fn objecting_peer(stream: impl Stream + 'static) {
    thread::spawn(move || -> Option<()> {
        let limits = Limits::default();
        let mut decoder = FrameDecoder::new(limits.clone());
        let payload = loop {
            if let Some(payload) = decoder.next_frame().ok()? {
                break payload;
            }
            let count = stream
                .read(decoder.space())
                .ok()
                .filter(|count| *count > 0)?;
            decoder.advance(count);
        };
        let dialect = wire::Dialect::V6;
        let Ok(Message::Request { seq, .. }) = Message::decode(&payload, dialect, &limits) else {
            return None;
        };
        let mut frames = FrameBuf::new();
        let objection = DumpedException::Text("I object".into());
        Message::Exception {
            seq,
            exception: objection,
        }
        .encode(&mut frames, dialect, &limits, false)
        .ok()?;
        for chunk in frames.slices() {
            stream
                .write_vectored(&[std::io::IoSlice::new(chunk)])
                .ok()?;
        }
        // Keeps the stream until the other side ends it.
        stream.read(&mut [0; 16]).ok().map(drop)
    });
}

#[test]
fn close_catchall_ignores_what_closing_fails_with() -> Result<(), Error> {
    for catchall in [false, true] {
        let (here, there) = memory_pair();
        objecting_peer(there);
        let client = config(|config| config.close_catchall = catchall);
        let conn = Connection::open(here, Arc::new(VoidService), client)?;
        let closed = conn.close();
        assert_eq!(closed.is_ok(), catchall, "{closed:?}");
        assert!(conn.is_closed());
    }
    Ok(())
}

#[test]
fn bind_threads_has_callbacks_run_on_the_thread_that_waits_for_them() -> Result<(), Error> {
    for bound in [true, false] {
        let binds = || config(|config| config.bind_threads = bound);
        let (conn, _) = client_of(everything(), binds(), binds());
        let me = thread::current().id();
        let callback = Scripted::object("builtins.function", move |_, _, _| {
            Ok(Any::from(thread::current().id() == me))
        });
        let answer = conn.root()?.call_method("apply", args![callback])?;
        assert_eq!(answer.extract::<bool>()?, bound);
        conn.close()?;
    }
    Ok(())
}

#[test]
fn bind_threads_is_on_where_the_environment_says_so() {
    const NAME: &str = "RPYC_BIND_THREADS";
    if std::env::var_os(NAME).is_some() {
        // In the child, or in an environment of the user's.
        let on = std::env::var(NAME).is_ok_and(|value| value == "true");
        assert_eq!(Config::default().bind_threads, on);
        return;
    }
    assert!(!Config::default().bind_threads);
    for value in ["true", "1"] {
        let this = std::env::current_exe().expect("this test");
        let child = std::process::Command::new(this)
            .args([
                "--exact",
                "config::bind_threads_is_on_where_the_environment_says_so",
            ])
            .env(NAME, value)
            .output()
            .expect("a child");
        assert!(child.status.success(), "{child:?}");
    }
}

#[test]
fn a_peer_that_does_not_bind_threads_ends_a_connection_that_does_and_is_told_why()
-> Result<(), Error> {
    let (here, there) = memory_pair();
    thread::spawn(move || -> Option<()> {
        there.read(&mut [0; 256]).ok()?;
        // A reply to the first request, as a peer writes it that has the option off.
        let mut frames = FrameBuf::new();
        let objection = DumpedException::Text("what are these numbers?".into());
        let (dialect, seq) = (wire::Dialect::V6, wire::Seq::new(0));
        let limits = Limits::default();
        Message::Exception {
            seq,
            exception: objection,
        }
        .encode(&mut frames, dialect, &limits, false)
        .ok()?;
        for chunk in frames.slices() {
            there.write_vectored(&[std::io::IoSlice::new(chunk)]).ok()?;
        }
        there.read(&mut [0; 16]).ok().map(drop)
    });
    let binding = config(|config| config.bind_threads = true);
    let conn = Connection::open(here, Arc::new(VoidService), binding)?;
    let error = conn
        .ping_with(1, Some(PATIENCE))
        .expect_err("they disagree");
    assert!(
        error
            .to_string()
            .contains("it has bind_threads off, and this side on"),
        "{error}"
    );
    Ok(())
}
