//! The model checker's scenarios: the shipped locks, waits and hand-overs over a stream in memory.
//!
//! Each scenario runs thousands of schedules. A schedule in which every thread waits for
//! another one is a failure, and so is one that doesn't end. Scenarios without a watcher must end by
//! the hand-overs alone: a notification that is missing shows there.

mod closing;
mod held_up;
mod readiness;
mod sending;
mod serving;
mod several;
mod standing;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shuttle::Runner;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};

use super::session::Link;
use super::{AsyncResult, Connection};
use crate::args;
use crate::config::{Config, Nesting};
use crate::dispatch::watchdog::ModelThreads;
use crate::error::{CloseReason, Error};
use crate::object::{Any, Args, Context, IdParts, Netref, Object, ObjectRef, ObjectResult};
use crate::service::{PeerInfo, Service};
use crate::sync::{Condvar, Mutex, wait};
use crate::wire::Value;

/// What the root does when it is called with its name and arguments.
struct Root {
    gate: Gate,
    // On which threads calls ran that ask to be called back there.
    threads: Mutex<Vec<thread::ThreadId>>,
}

impl Root {
    /// Fails unless this is the thread on which the call with this number ran.
    fn check_thread(&self, number: Option<&Any>) {
        let number = number.and_then(Any::as_value).and_then(Value::as_u64);
        if let Some(number) = number {
            let known = self.threads.lock()[number as usize];
            assert_eq!(
                thread::current().id(),
                known,
                "a bound request runs elsewhere"
            );
        }
    }
}

#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut open = self.0.0.lock();
        while !*open {
            open = wait(&self.0.1, open, None);
        }
    }
}

struct Offer(ObjectRef, Arc<AtomicUsize>, Nesting);

impl Service for Offer {
    fn root(&self) -> ObjectRef {
        self.0.clone()
    }

    fn configure(&self, config: &mut Config, _: &mut PeerInfo) {
        config.nesting = self.2;
    }

    fn on_disconnect(&self, _: &Connection) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

impl Object for Root {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("model.Root", self)
    }

    fn call(&self, cx: &Context<'_>, mut args: Args) -> ObjectResult {
        let what = args.positional.remove(0);
        match what.as_str() {
            Some("echo") => Ok(args.positional.remove(0)),
            Some("call") => {
                let function = args.positional.remove(0);
                function.call_in(cx, args)
            }
            Some("pass") => {
                self.gate.pass();
                Ok(Any::NONE)
            }
            Some("open") => {
                self.gate.open();
                Ok(Any::NONE)
            }
            Some("at") => {
                self.check_thread(args.positional.first());
                Ok(Any::NONE)
            }
            Some("serve") => serving::serve(cx, args),
            Some("close") => {
                drop(cx.connection().close());
                Ok(Any::NONE)
            }
            Some("serve all") => {
                cx.connection().serve_all();
                Ok(Any::NONE)
            }
            Some("last") => {
                while !cx.connection().link.has_ended() {
                    thread::yield_now();
                }
                Ok(Any::NONE)
            }
            // Calls a function of the peer's with the number by which this thread is checked.
            Some("bound") => {
                let function = args.positional.remove(0);
                self.check_thread(args.positional.first());
                let number = {
                    let mut threads = self.threads.lock();
                    threads.push(thread::current().id());
                    threads.len() - 1
                };
                function.call_in(cx, args![number])
            }
            other => panic!("the model knows no {other:?}"),
        }
    }
}

/// A pair of connections, the server's end served by a thread of its own.
struct World {
    client: Connection,
    server: Connection,
    serving: JoinHandle<CloseReason>,
    server_gate: Gate,
    disconnects: [Arc<AtomicUsize>; 2],
    watcher: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl World {
    fn new(nesting: Nesting) -> World {
        World::with(nesting, |_| ())
    }

    fn with(nesting: Nesting, change: fn(&mut Config)) -> World {
        World::served_by(|server| server.serve_all(), nesting, change)
    }

    fn served_by(
        serve: impl FnOnce(Connection) -> CloseReason + Send + 'static,
        nesting: Nesting,
        change: fn(&mut Config),
    ) -> World {
        let mut config = Config {
            executor: Arc::new(ModelThreads),
            sync_request_timeout: None,
            ..Config::default()
        };
        change(&mut config);
        let disconnects = [Arc::default(), Arc::default()];
        let server_gate = Gate::default();
        let offer = |disconnects: &Arc<AtomicUsize>| -> Arc<dyn Service> {
            let root = Root {
                gate: server_gate.clone(),
                threads: Mutex::default(),
            };
            Arc::new(Offer(Arc::new(root), disconnects.clone(), nesting))
        };
        let (client, server) = Connection::pair(
            offer(&disconnects[0]),
            config.clone(),
            offer(&disconnects[1]),
            config,
        )
        .expect("nothing refuses it");
        let serving = {
            let server = server.clone();
            thread::spawn(move || serve(server))
        };
        World {
            client,
            server,
            serving,
            server_gate,
            disconnects,
            watcher: None,
        }
    }

    fn root(&self) -> Netref {
        root_of(&self.client)
    }

    /// Closes from the client's end; everybody must come to an end, and both services be told once.
    fn end(self) {
        let _ = self.client.close();
        self.serving.join().expect("the serving thread ends");
        assert!(self.server.is_closed());
        for count in self.disconnects {
            // Another thread may be about to say so: waits for it may run out of time.
            while count.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            assert_eq!(count.load(Ordering::SeqCst), 1, "on_disconnect runs once");
        }
        if let Some((stop, watcher)) = self.watcher {
            stop.store(true, Ordering::SeqCst);
            watcher.join().expect("the watcher ends");
        }
    }

    /// Looks after both ends, as the watchdog does, until the world ends.
    fn watched(mut self) -> World {
        let stop = Arc::new(AtomicBool::new(false));
        let ends: Vec<Arc<Link>> = vec![self.client.link.clone(), self.server.link.clone()];
        let flag = stop.clone();
        let watcher = thread::spawn(move || {
            while !flag.load(Ordering::SeqCst) {
                for end in &ends {
                    end.check_health();
                }
                thread::yield_now();
            }
        });
        self.watcher = Some((stop, watcher));
        self
    }
}

fn root_of(end: &Connection) -> Netref {
    match end.root() {
        Ok(Any::Netref(root)) => root,
        other => panic!("no root but {other:?}"),
    }
}

fn echo(root: &Netref, number: i64) {
    let got = root.call(args!["echo", number]).expect("an echo");
    assert_eq!(got.as_value().and_then(Value::as_i64), Some(number));
}

/// A function of the client's that calls the server in turn, `depth` times.
fn try_bounce(root: &Netref, depth: i64) -> Result<(), Error> {
    struct Bounce(Netref, i64);
    impl Object for Bounce {
        fn id_parts(&self) -> IdParts {
            IdParts::instance("builtins.function", self)
        }
        fn call(&self, _: &Context<'_>, _: Args) -> ObjectResult {
            match self.1 {
                0 => Ok(Any::from(0)),
                depth => {
                    let next = Any::object(Bounce(self.0.clone(), depth - 1));
                    let got = self.0.call(args!["call", next])?;
                    let number = got.as_value().and_then(Value::as_i64).unwrap_or(-100);
                    Ok(Any::from(number + 1))
                }
            }
        }
    }
    let got = root.call(args!["call", Any::object(Bounce(root.clone(), depth))])?;
    assert_eq!(got.as_value().and_then(Value::as_i64), Some(depth));
    Ok(())
}

fn bounce(root: &Netref, depth: i64) {
    try_bounce(root, depth).expect("the callbacks return");
}

/// A function that must be called on the thread that made it, and calls back in turn.
struct Bound<F> {
    root: Netref,
    thread: thread::ThreadId,
    act: F,
}

impl<F: Fn(&Netref, Any) -> ObjectResult + Send + Sync + 'static> Object for Bound<F> {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.function", self)
    }

    fn call(&self, _: &Context<'_>, mut args: Args) -> ObjectResult {
        assert_eq!(
            thread::current().id(),
            self.thread,
            "a callback runs elsewhere"
        );
        (self.act)(&self.root, args.positional.remove(0))
    }
}

fn bound<F>(root: &Netref, act: F) -> Any
where
    F: Fn(&Netref, Any) -> ObjectResult + Send + Sync + 'static,
{
    Any::object(Bound {
        root: root.clone(),
        thread: thread::current().id(),
        act,
    })
}

fn spawn_each<const N: usize>(jobs: [Box<dyn FnOnce() + Send>; N]) {
    let threads = jobs.map(thread::spawn);
    for thread in threads {
        thread.join().expect("no thread of the scenario fails");
    }
}

#[track_caller]
fn check(scenario: fn()) {
    let mut config = shuttle::Config::new();
    config.stack_size = 256 << 10;
    // Ten times what a schedule needs that ends.
    config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
    config.failure_persistence = shuttle::FailurePersistence::None;
    let rounds = std::env::var("RPYC_MODEL_ROUNDS").ok();
    let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(600);
    Runner::new(RandomScheduler::new(rounds), config.clone()).run(scenario);
    Runner::new(PctScheduler::new(4, rounds), config).run(scenario);
}

#[test]
fn who_looks_for_the_end_takes_the_reading_from_nobody() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let root = world.root();
        let caller = thread::spawn(move || echo(&root, 1));
        assert!(!world.client.is_closed());
        caller.join().expect("it is answered");
        world.end();
    });
}

#[test]
fn threads_that_share_a_connection_each_get_their_own_answer() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let root = world.root();
        let job = |number: i64| -> Box<dyn FnOnce() + Send> {
            let root = root.clone();
            Box::new(move || {
                echo(&root, number);
                echo(&root, number + 1);
            })
        };
        spawn_each([job(10), job(20), job(30)]);
        drop(root);
        world.end();
    });
}

fn callbacks(nesting: Nesting) {
    let world = World::new(nesting);
    let root = world.root();
    let job = |depth: i64| -> Box<dyn FnOnce() + Send> {
        let root = root.clone();
        Box::new(move || bounce(&root, depth))
    };
    spawn_each([job(2), job(1)]);
    drop(root);
    world.end();
}

#[test]
fn callbacks_of_several_threads_return_when_they_run_in_the_pool() {
    check(|| callbacks(Nesting::Pool));
}

#[test]
fn callbacks_of_several_threads_return_when_they_run_on_the_waiting_stack() {
    check(|| callbacks(Nesting::Stack));
}

#[test]
fn a_busy_request_holds_up_neither_the_reading_nor_requests_that_may_run() {
    check(|| {
        let world = World::with(Nesting::Pool, |config| config.concurrency = 2).watched();
        let root = world.root();
        let passing = root.async_call(args!["pass"]).expect("sent");
        root.call(args!["open"])
            .expect("it runs beside the one that waits for it");
        passing.value().expect("the gate is open");
        drop((root, passing));
        world.end();
    });
}

#[test]
fn references_dropped_by_several_threads_are_given_back_exactly() {
    check(|| {
        let world = World::new(Nesting::Pool).watched();
        let root = world.root();
        let client = world.client.clone();
        let job = || -> Box<dyn FnOnce() + Send> {
            let root = root.clone();
            // Our own object goes there and comes back; the peer's reference dies there.
            Box::new(move || {
                struct Thing(#[allow(dead_code)] u8); // of a size, so that addresses differ
                impl Object for Thing {
                    fn id_parts(&self) -> IdParts {
                        IdParts::instance("model.Thing", self)
                    }
                }
                let thing: ObjectRef = Arc::new(Thing(0));
                let back = root
                    .call(args!["echo", thing.clone()])
                    .expect("it comes back");
                assert!(matches!(back, Any::Local(back) if Arc::ptr_eq(&back, &thing)));
            })
        };
        spawn_each([job(), job()]);
        // The root stays; the things leave when the releases have come.
        while client.exported_objects() > 1 {
            thread::yield_now();
            let _ = client.ping_with(1, None);
        }
        drop(root);
        world.end();
    });
}

#[test]
fn a_request_that_runs_out_of_time_leaves_nothing_behind() {
    check(|| {
        let world = World::new(Nesting::Pool).watched();
        let root = world.root();
        world.client.update_config(|config| {
            config.sync_request_timeout = Some(std::time::Duration::from_secs(1));
        });
        for number in 0..2 {
            match root.call(args!["echo", number]) {
                Ok(_) => {}
                Err(error) => assert!(error.is_timeout(), "not {error}"),
            }
        }
        world
            .client
            .update_config(|config| config.sync_request_timeout = None);
        assert_eq!(world.client.pending_requests(), 0);
        world
            .client
            .ping_with(2, None)
            .expect("the connection works on");
        drop(root);
        world.end();
    });
}

fn bound_callbacks(nesting: Nesting) {
    let world = World::with(nesting, |config| config.bind_threads = true);
    let root = world.root();
    let job = |deeper: bool| -> Box<dyn FnOnce() + Send> {
        let root = root.clone();
        Box::new(move || {
            let function = bound(&root, move |root, number| {
                root.call(args!["at", number.clone()])?;
                if deeper {
                    let inner = bound(root, |root, number| Ok(root.call(args!["at", number])?));
                    root.call(args!["bound", inner, number.clone()])?;
                }
                Ok(root.call(args!["at", number])?)
            });
            root.call(args!["bound", function])
                .expect("the callbacks return");
        })
    };
    spawn_each([job(true), job(false)]);
    drop(root);
    world.end();
}

#[test]
fn bound_callbacks_run_on_the_threads_that_wait_for_them_with_a_pool() {
    check(|| bound_callbacks(Nesting::Pool));
}

#[test]
fn bound_callbacks_run_on_the_threads_that_wait_for_them_with_a_stack() {
    check(|| bound_callbacks(Nesting::Stack));
}

#[test]
fn a_bound_request_is_held_up_by_no_other_thread_s() {
    check(|| {
        let world = World::with(Nesting::Pool, |config| config.bind_threads = true);
        let root = world.root();
        let function = bound(&root, move |root, number| {
            // Another thread's request stands before the gate, which only this one opens.
            let other = root.clone();
            let pass = thread::spawn(move || other.async_call(args!["pass"]).expect("sent"));
            let passing = pass.join().expect("no panic");
            root.call(args!["at", number])?;
            root.call(args!["open"])?;
            passing.wait()?;
            Ok(Any::NONE)
        });
        root.call(args!["bound", function]).expect("it returns");
        drop(root);
        world.end();
    });
}
