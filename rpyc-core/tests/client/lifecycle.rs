//! A connection from its making to its end: serving by hand, pings, the root, weak handles,
//! nesting.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::config::Observer;
use rpyc_core::object::Function;
use rpyc_core::object::ObjectRef;
use rpyc_core::pool::BlockedThreads;
use rpyc_core::service::PeerInfo;
use rpyc_core::transport::{Stream, memory_pair};
use rpyc_core::wire::{Boxed, Dialect, FrameBuf, FrameDecoder, Message};
use rpyc_core::wire::{Handler, Limits};
use rpyc_core::*;

use crate::logged::{keep_the_log, logged_above_debug, logged_by};
use crate::objects::{List, Offering, PATIENCE, Scripted, Side, client, client_of, everything};

/// Two ends that nobody serves.
fn unserved() -> (Connection, Connection) {
    let (one, other) = (Config::default(), Config::default());
    let pair = Connection::pair(Arc::new(VoidService), one, everything(), other);
    pair.expect("neither end refuses")
}

/// Requests that have gone out and wait to be served.
fn ask(conn: &Connection, count: usize) -> Result<Vec<AsyncResult>, Error> {
    let ping = |_| conn.async_request(Handler::Ping, vec![Any::from(1)]);
    let asked = (0..count).map(ping).collect::<Result<Vec<_>, _>>()?;
    // A burst may share a write, until somebody waits.
    let waited = AsyncResult::wait_all(&asked, Some(Duration::ZERO));
    assert!(waited.is_err_and(|error| error.is_timeout()));
    Ok(asked)
}

#[test]
fn serve_answers_one_request_and_leaves_the_next_one() -> Result<(), Error> {
    let (peer, here) = unserved();
    let asked = ask(&peer, 2)?;
    assert!(here.serve(Some(PATIENCE))?);
    assert_eq!(here.requests_served(), 1);
    assert!(here.serve(None)?);
    assert_eq!(here.requests_served(), 2);
    AsyncResult::wait_all(&asked, Some(PATIENCE))?;
    let began = Instant::now();
    assert!(!here.serve(Some(Duration::from_millis(20)))?);
    assert!(began.elapsed() >= Duration::from_millis(20));
    Ok(())
}

#[test]
fn poll_answers_one_request_if_one_is_there_and_does_not_wait_for_one() -> Result<(), Error> {
    let (peer, here) = unserved();
    assert!(!here.poll(Duration::ZERO)?);
    let asked = ask(&peer, 2)?;
    for served in [1, 2] {
        assert!(here.poll(Duration::ZERO)?);
        assert_eq!(here.requests_served(), served);
    }
    assert!(!here.poll(Duration::ZERO)?);
    AsyncResult::wait_all(&asked, Some(PATIENCE))
}

#[test]
fn poll_waits_for_a_request_as_long_as_it_is_told() -> Result<(), Error> {
    let (peer, here) = unserved();
    let asking = thread::spawn(move || peer.ping_with(1, Some(PATIENCE)));
    assert!(here.poll(PATIENCE)?);
    asking.join().expect("no panic")
}

#[test]
fn poll_all_answers_everything_that_comes_in_its_time() -> Result<(), Error> {
    let (peer, here) = unserved();
    assert!(!here.poll_all(Duration::from_millis(1))?);
    let asked = ask(&peer, 5)?;
    assert!(here.poll_all(Duration::from_millis(200))?);
    assert_eq!(here.requests_served(), 5);
    AsyncResult::wait_all(&asked, Some(PATIENCE))
}

#[test]
fn serving_by_hand_fails_once_the_connection_has_ended() -> Result<(), Error> {
    let (peer, here) = unserved();
    peer.shut_down(Duration::ZERO);
    // The peer's farewell is a message, too.
    while here.serve(Some(PATIENCE)).is_ok_and(|served| served) {}
    let error = here.serve(Some(PATIENCE)).expect_err("it has ended");
    assert!(matches!(&error, Error::Closed(reason) if reason.is_normal()));
    assert!(
        here.poll(Duration::ZERO)
            .is_err_and(|error| error.is_closed())
    );
    assert!(
        here.poll_all(PATIENCE)
            .is_err_and(|error| error.is_closed())
    );
    Ok(())
}

/// What one serving thread leaves, another one that sleeps is to take.
#[test]
fn a_thread_that_serves_once_leaves_the_rest_to_one_that_goes_on() -> Result<(), Error> {
    let (peer, here) = unserved();
    let others = here.clone();
    let serving = thread::spawn(move || others.serve_all());
    for _ in 0..200 {
        let ping = |_| peer.async_request(Handler::Ping, vec![Any::from(1)]);
        let asked = (0..3).map(ping).collect::<Result<Vec<_>, _>>()?;
        here.serve(Some(Duration::from_millis(1)))?;
        AsyncResult::wait_all(&asked, Some(PATIENCE))?;
    }
    peer.close()?;
    assert!(serving.join().expect("no panic").is_normal());
    Ok(())
}

/// A peer that answers every request with 42, whatever it is, until the stream ends.
fn lying_peer(stream: impl Stream + 'static) {
    thread::spawn(move || -> Option<()> {
        let (dialect, limits) = (Dialect::V6, Limits::default());
        let mut decoder = FrameDecoder::new(limits.clone());
        loop {
            let Some(payload) = decoder.next_frame().ok()? else {
                let count = stream.read(decoder.space()).ok()?;
                if count == 0 {
                    return None;
                }
                decoder.advance(count);
                continue;
            };
            let Ok(Message::Request { seq, .. }) = Message::decode(&payload, dialect, &limits)
            else {
                return None;
            };
            let mut frames = FrameBuf::new();
            let lie = Boxed::Value(Value::from(42));
            Message::Reply { seq, result: lie }
                .encode(&mut frames, dialect, &limits, false)
                .ok()?;
            for chunk in frames.slices() {
                stream.write_vectored(&[IoSlice::new(chunk)]).ok()?;
            }
        }
    });
}

#[test]
fn a_ping_that_is_echoed_wrongly_is_an_error_of_its_own() -> Result<(), Error> {
    let (here, there) = memory_pair();
    lying_peer(there);
    let conn = Connection::open(here, Arc::new(VoidService), Config::default())?;
    assert!(matches!(conn.ping(), Err(Error::Ping)));
    assert!(matches!(
        conn.ping_with("x", Some(PATIENCE)),
        Err(Error::Ping)
    ));
    conn.ping_with(42, Some(PATIENCE))
}

#[test]
fn a_ping_that_is_not_answered_runs_out_of_time() {
    let (peer, _here) = unserved();
    let error = peer.ping_with(1, Some(Duration::from_millis(5)));
    let error = error.expect_err("nobody serves");
    assert!(
        error.is_timeout() && error.to_string().contains("PING"),
        "{error}"
    );
}

/// Counts how often the root is asked for.
#[derive(Default)]
struct RootsAskedFor(AtomicUsize);

impl Observer for RootsAskedFor {
    fn request_ended(&self, handler: Handler, _: Duration, _: bool) {
        let one = usize::from(handler == Handler::GetRoot);
        self.0.fetch_add(one, Ordering::SeqCst);
    }
}

#[test]
fn the_root_is_asked_for_once_in_a_connection() -> Result<(), Error> {
    let asked = Arc::new(RootsAskedFor::default());
    let mut server = Config::default();
    server.observer = Some(asked.clone());
    for connections in [1, 2] {
        let (conn, ended) = client_of(everything(), server.clone(), Config::default());
        let root = conn.root()?;
        assert_eq!(conn.clone().root()?.netref()?, root.netref()?);
        conn.root()?.call_method("add", args![1])?;
        conn.close()?;
        // What the server does is told by then.
        assert!(ended.recv_timeout(PATIENCE).is_ok());
        assert_eq!(asked.0.load(Ordering::SeqCst), connections);
    }
    Ok(())
}

#[test]
fn a_weak_handle_gives_the_connection_and_does_not_keep_it_open() -> Result<(), Error> {
    let (conn, ended) = client_of(everything(), Config::default(), Config::default());
    let weak = conn.downgrade();
    let upgraded = weak.upgrade().expect("it is in use");
    assert_eq!(upgraded, conn);
    upgraded.ping_with(1, Some(PATIENCE))?;
    drop(upgraded);
    conn.ping_with(2, Some(PATIENCE))?;
    let held = weak.upgrade().expect("it is in use");
    drop(conn);
    let reason = ended
        .recv_timeout(PATIENCE)
        .expect("the last handle is gone");
    assert!(reason.is_normal(), "{reason}");
    assert!(
        held.ping_with(3, Some(PATIENCE))
            .is_err_and(|error| error.is_closed())
    );
    drop(held);
    let until = Instant::now() + PATIENCE;
    while weak.upgrade().is_some() {
        assert!(Instant::now() < until, "it stays in memory");
        thread::yield_now();
    }
    Ok(())
}

#[test]
fn a_weak_handle_of_a_closed_connection_gives_nothing_that_works() -> Result<(), Error> {
    let conn = client();
    let weak = conn.downgrade();
    conn.close()?;
    let closed = weak.upgrade().is_none_or(|conn| conn.is_closed());
    assert!(closed);
    drop(conn);
    let until = Instant::now() + PATIENCE;
    while weak.upgrade().is_some() {
        assert!(Instant::now() < until, "it stays in memory");
        thread::yield_now();
    }
    Ok(())
}

/// Calls the peer's `apply` with a function that does the same, until `depth` is used up.
fn descend(root: &Any, depth: usize) -> Result<i64, Error> {
    let inner = root.clone();
    let function = Function::new("descend", move |_, _| match depth {
        1 => Ok(Any::from(0)),
        _ => Ok(Any::from(descend(&inner, depth - 1)? + 1)),
    });
    root.call_method("apply", args![Any::object(function)])?
        .extract()
}

#[test]
fn callbacks_nest_as_deep_as_max_nested_says_in_both_directions() -> Result<(), Error> {
    let (one, other) = (Config::default(), Config::default());
    let (here, there) = Connection::pair(everything(), one, everything(), other)?;
    let ends = [here, there];
    let serving = ends
        .clone()
        .map(|end| thread::spawn(move || end.serve_all()));
    for end in &ends {
        let root = end.root()?;
        // Each level is a request of this side and one of the other's.
        assert_eq!(descend(&root, 200)?, 199);
        let error = descend(&root, 202).expect_err("too deep");
        let raised = error.as_remote().expect("the peer's refusal");
        assert!(raised.is("RecursionError"), "{raised}");
        assert!(raised.to_string().contains("max_nested"), "{raised}");
        assert_eq!(descend(&root, 3)?, 2, "it works on");
    }
    ends[0].close()?;
    for end in serving {
        assert!(end.join().expect("no panic").is_normal());
    }
    Ok(())
}

/// Lets its peers read public names, and gives its connections a name.
struct Own(Offering);

impl Service for Own {
    fn root(&self) -> ObjectRef {
        self.0.root()
    }

    fn configure(&self, config: &mut Config, peer: &mut PeerInfo) {
        config.allow_public_attrs = true;
        peer.connid = Some("own".to_owned());
    }
}

#[test]
fn a_service_changes_the_config_of_its_connections() -> Result<(), Error> {
    let own: fn(ObjectRef) -> Arc<dyn Service> = |root| Arc::new(Own(Offering(root)));
    let plain: fn(ObjectRef) -> Arc<dyn Service> = |root| Arc::new(Offering(root));
    for (service, allowed) in [(own, true), (plain, false)] {
        let Any::Local(root) = Scripted::object("tests.Root", |cx, _, _| {
            Ok(Any::from(cx.connection().connid()))
        }) else {
            unreachable!("an object is local");
        };
        let (conn, _) = client_of(service(root), Config::default(), Config::default());
        let connid = conn.root()?.netref()?.attr("public");
        let connid = connid.ok().map(Any::extract::<String>).transpose()?;
        assert_eq!(connid.as_deref() == Some("own"), allowed, "{connid:?}");
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn fileno_is_the_descriptor_of_the_stream() -> Result<(), Box<dyn std::error::Error>> {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let (descriptor, also) = (stream.as_raw_fd(), stream.try_clone()?);
    let conn = Connection::open(stream, Arc::new(VoidService), Config::default())?;
    assert_eq!(conn.fileno(), Some(descriptor));
    // The same open socket as before: the system knows it by its inode.
    let link = |number: i32| std::fs::read_link(format!("/proc/self/fd/{number}"));
    if cfg!(target_os = "linux") {
        assert_eq!(link(descriptor)?, link(also.as_raw_fd())?);
    }
    assert_eq!(client().fileno(), None, "memory has none");
    Ok(())
}

#[test]
fn nothing_is_logged_above_debug_in_normal_use() -> Result<(), Error> {
    keep_the_log();
    let named = |connid: &str| Side::named(connid, Config::new());
    let (client, server) = (named("quiet-client"), named("quiet-server"));
    let (conn, ended) = client_of(everything(), server, client);
    let background = conn.serve_in_background()?;
    let root = conn.root()?;
    assert_eq!(
        root.call_method("add", args![20, 22])?.extract::<i64>()?,
        42
    );
    assert_eq!(root.call_method("numbers", args![])?.iter()?.count(), 3000);
    root.call_method("echo", args![List::of([1])])?;
    assert_eq!(descend(&root, 3)?, 2);
    assert!(root.call_method("fail", args![]).is_err());
    assert!(root.attr("refused").is_err());
    root.async_call_method("add", args![1])?.wait()?;
    conn.ping()?;
    background.stop();
    conn.close()?;
    assert!(ended.recv_timeout(PATIENCE).is_ok());
    for connid in ["quiet-client", "quiet-server"] {
        let lines = logged_above_debug(connid);
        assert!(lines.is_empty(), "{lines:#?}");
    }
    // A line of that kind would have been seen.
    log::info!("quiet-client: a line");
    assert_eq!(logged_above_debug("quiet-client").len(), 1);
    Ok(())
}

#[test]
fn whatever_its_depth_a_message_is_logged_or_refused() -> Result<(), Error> {
    keep_the_log();
    let logging = |connid: &str| Side::named(connid, Config::new().debug(true));
    let (conn, _ended) = client_of(everything(), logging("deep-server"), logging("deep-client"));
    let root = conn.root()?;
    for levels in [50, 20_000] {
        let deep = (0..levels).fold(Value::None, |value, _| Value::Tuple(vec![value]));
        let echoed = root.call_method("echo", args![deep]);
        assert_eq!(echoed.is_ok(), levels == 50, "{levels}");
    }
    conn.ping()?;
    assert!(!logged_by("deep-client").is_empty());
    Ok(())
}

#[test]
fn a_thread_that_runs_a_callback_nested_on_its_wait_does_not_count_as_waiting() {
    let mut bound = Config::default();
    bound.bind_threads = true;
    let (connection, _ended) = client_of(everything(), bound.clone(), bound);
    let blocked = BlockedThreads::new();
    let _registered = blocked.register();
    let (caller, counted) = (thread::current().id(), blocked.clone());
    let callback = Function::new("callback", move |_, _| {
        assert_eq!(thread::current().id(), caller);
        Ok(Any::from(i64::try_from(counted.count()).expect("few")))
    });
    let root = connection.root().expect("a root");
    let count = root.call_method("apply", args![Any::object(callback)]);
    assert_eq!(count.expect("an answer").as_value(), Some(&Value::from(0)));
    assert_eq!(blocked.count(), 0);
}
