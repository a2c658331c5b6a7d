//! What a program hangs into a connection may panic, and its options may be of any size.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rpyc_core::config::Observer;
use rpyc_core::error::CloseReason;
use rpyc_core::executor::Executor;
use rpyc_core::executor::ThreadPool;
use rpyc_core::object::ObjectRef;
use rpyc_core::service::PeerInfo;
use rpyc_core::transport::{Stream as _, memory_pair};
use rpyc_core::wire::{Handler, Limits};
use rpyc_core::*;

use crate::objects::{PATIENCE, client_of, everything, offering};
use crate::streams::Simple;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Hook {
    Configure,
    Root,
    OnConnect,
    BeforeClosed,
    OnDisconnect,
}

/// Panics in one of its methods.
struct Panicking(Hook, Arc<AtomicUsize>);

impl Panicking {
    fn at(&self, hook: Hook) {
        assert!(self.0 != hook, "as asked");
    }
}

impl Service for Panicking {
    fn root(&self) -> ObjectRef {
        self.at(Hook::Root);
        VoidService.root()
    }

    fn configure(&self, _: &mut Config, _: &mut PeerInfo) {
        self.at(Hook::Configure);
    }

    fn on_connect(&self, _: &Context<'_>) -> Result<(), Exception> {
        self.at(Hook::OnConnect);
        Ok(())
    }

    fn before_closed(&self, _: &Connection) {
        self.at(Hook::BeforeClosed);
    }

    fn on_disconnect(&self, _: &Connection) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.at(Hook::OnDisconnect);
    }
}

#[test]
fn a_service_that_panics_before_it_is_connected_refuses_the_connection() {
    for hook in [Hook::Configure, Hook::Root, Hook::OnConnect] {
        let (here, there) = memory_pair();
        let (here, told) = (Arc::new(here), Arc::new(AtomicUsize::new(0)));
        let service = Arc::new(Panicking(hook, told.clone()));
        let opened = Connection::over(
            here.clone(),
            service,
            Config::default(),
            PeerInfo::default(),
        );
        let error = opened.expect_err("refused");
        let Error::Closed(CloseReason::Refused(exception)) = &error else {
            panic!("{hook:?}: {error}");
        };
        let text = exception.to_string();
        assert!(
            exception.is("RuntimeError") && text.contains("as asked"),
            "{hook:?}: {text}"
        );
        assert_eq!(
            there.read(&mut [0; 8]).ok(),
            Some(0),
            "{hook:?}: the peer is told"
        );
        assert_eq!(told.load(Ordering::SeqCst), 0, "it was never connected");
        assert_eq!(Arc::strong_count(&here), 1, "{hook:?}: nothing is left");
    }
}

#[test]
fn a_panic_while_a_connection_closes_leaves_it_closed() {
    for hook in [Hook::BeforeClosed, Hook::OnDisconnect] {
        let told = Arc::new(AtomicUsize::new(0));
        let service = Arc::new(Panicking(hook, told.clone()));
        let config = Config::default;
        let pair = Connection::pair(service, config(), everything(), config());
        let (here, there) = pair.expect("a pair");
        let serving = thread::spawn(move || there.serve_all());
        assert!(here.close().is_ok());
        assert!(here.is_closed());
        assert!(serving.join().expect("no panic").is_normal());
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }
}

/// The panic brought a second answer to the request.
#[test]
fn an_observer_that_panics_changes_no_answer() {
    struct Panics;
    impl Observer for Panics {
        fn request_ended(&self, _: Handler, _: Duration, _: bool) {
            panic!("as asked");
        }
    }
    let mut server = Config::default();
    server.observer = Some(Arc::new(Panics));
    let (client, _ended) = client_of(everything(), server, Config::default());
    let root = client.root().expect("a root");
    for number in 0..3 {
        let sum = root.call_method("add", args![number, 1]);
        let sum = sum.and_then(Any::extract::<i64>);
        assert_eq!(sum.expect("an answer"), number + 1);
    }
}

#[test]
fn a_name_that_no_thread_can_have_is_a_connection_s_all_the_same() {
    struct Nameless(Arc<dyn Service>);
    impl Service for Nameless {
        fn root(&self) -> ObjectRef {
            self.0.root()
        }
        fn configure(&self, _: &mut Config, peer: &mut PeerInfo) {
            peer.connid = Some("a\0b".to_owned());
        }
    }
    let service = Arc::new(Nameless(everything()));
    let client = Connector::new()
        .connect_thread(service.clone(), Config::new())
        .expect("connected");
    client.ping().expect("served");
    let pair = Connection::pair(service, Config::new(), everything(), Config::new());
    let (here, there) = pair.expect("a pair");
    let background = there.serve_in_background().expect("served");
    let serving = thread::spawn(move || here.serve_threaded(2));
    there.ping().expect("served");
    background.stop();
    there.close().expect("closed");
    assert!(serving.join().expect("no panic").is_normal());
    let pool = ThreadPool::new("a\0b", 64 << 10, 1);
    let (told, heard) = channel();
    let job = Box::new(move || told.send(()).expect("heard"));
    pool.execute(job).expect("a thread");
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(()));
}

#[test]
fn options_may_be_as_large_as_their_type() {
    let mut config = Config::default();
    config.concurrency = usize::MAX;
    config.max_nested = usize::MAX;
    config.max_pending = usize::MAX;
    config.max_queued = usize::MAX;
    config.max_first_frame = usize::MAX;
    for limit in [
        &mut config.sync_request_timeout,
        &mut config.handshake_timeout,
        &mut config.frame_timeout,
        &mut config.idle_timeout,
        &mut config.write_timeout,
    ] {
        *limit = Some(Duration::MAX);
    }
    config.limits = Limits::default()
        .max_frame(usize::MAX)
        .max_inflated(usize::MAX);
    let (client, ended) = client_of(everything(), config.clone(), config);
    let root = client.root().expect("a root");
    let sums: Vec<_> = (0..5)
        .map(|number| root.async_call_method("add", args![number, 1]))
        .collect::<Result<_, _>>()
        .expect("sent");
    AsyncResult::wait_all(&sums, Some(Duration::MAX)).expect("answers");
    let callback = object::Function::new("callback", |_, _| Ok(Any::from(7)));
    let answer = root.call_method("apply", args![Any::object(callback)]);
    assert_eq!(answer.and_then(Any::extract::<i64>).expect("an answer"), 7);
    client.ping_with(1, Some(Duration::MAX)).expect("an echo");
    client.shut_down(Duration::MAX);
    let reason = ended.recv_timeout(PATIENCE).expect("it ends");
    assert!(reason.is_normal(), "{reason}");
}

/// It waited for the peer's answer for as long as any call does.
#[test]
fn a_context_that_is_dropped_waits_for_nobody_and_is_left_in_its_turn() {
    for panics in [false, true] {
        let (entered, left) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (on_enter, on_exit) = (entered.clone(), left.clone());
        let service = offering(move |cx, name, mut args| {
            if name == "__exit__" {
                on_exit.store(true, Ordering::SeqCst);
                let exc = args.positional.remove(1);
                let raised = exc.as_netref().map(|exc| exc.repr()).transpose()?;
                assert_eq!(raised.is_some(), panics, "{raised:?}");
                return Err(Exception::value_error("nobody hears this"));
            }
            let _ = cx;
            on_enter.store(name == "__enter__", Ordering::SeqCst);
            Ok(Any::NONE)
        });
        let mut endless = Config::default();
        endless.sync_request_timeout = None;
        let (here, there) = memory_pair();
        let stuck = Arc::new(AtomicBool::new(false));
        // The peer may stop reading.
        let is_stuck = stuck.clone();
        let here = Simple::new(here).before_write(move || {
            while is_stuck.load(Ordering::SeqCst) {
                thread::yield_now();
            }
        });
        let here = Connection::open(here, Arc::new(VoidService), endless.clone()).expect("open");
        let there = Connection::open(there, service, endless).expect("open");
        let serving = {
            let there = there.clone();
            thread::spawn(move || {
                while !entered.load(Ordering::SeqCst) {
                    there.serve(None).expect("it is open");
                }
            })
        };
        let root = here.root().expect("a root");
        let guard = root.netref().expect("a netref").enter().expect("entered");
        serving.join().expect("no panic");
        // From now on nobody reads at the other side.
        stuck.store(true, Ordering::SeqCst);
        let (told, heard) = channel();
        thread::spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(move || {
                let _guard = guard;
                assert!(!panics, "as asked");
            }));
            told.send(outcome.is_err()).expect("heard");
        });
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(panics));
        assert!(!left.load(Ordering::SeqCst));
        stuck.store(false, Ordering::SeqCst);
        while !left.load(Ordering::SeqCst) {
            assert!(there.serve(Some(PATIENCE)).expect("it is open"));
        }
        here.serve_in_background().expect("a thread").stop();
    }
}
