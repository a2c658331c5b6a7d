//! A server's end that no thread of its own serves: its stream is watched, and a worker comes when
//! there is something to do, as in a server with a pool of threads.

use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::AtomicBool;

use super::*;
use crate::pool::{self, ReadinessObserver};

/// What is known of the connection by who watches it.
#[derive(Default)]
struct WatchedConnection {
    /// The next thing to come is reported, once.
    armed: AtomicBool,
    /// A worker has it.
    busy: AtomicBool,
    ended: Mutex<Option<CloseReason>>,
}

impl ReadinessObserver for WatchedConnection {
    fn on_unread(&self, _: Option<Duration>) {
        self.armed.store(true, Ordering::SeqCst);
    }
}

/// Watches the connection until it has ended.
pub(super) fn observe(server: Connection) -> CloseReason {
    let watched = Arc::new(WatchedConnection::default());
    pool::observe_readiness(&server, watched.clone());
    loop {
        if let Some(reason) = watched.ended.lock().clone() {
            return reason;
        }
        // Reports when nothing has come do no harm. While workers are few, it only takes in.
        if watched.armed.swap(false, Ordering::SeqCst) {
            let crowded = thread_rng().r#gen::<bool>();
            if !(crowded || watched.busy.load(Ordering::SeqCst)) || pool::take_in(&server) {
                enqueue(&watched, &server);
            }
        }
        thread::yield_now();
    }
}

/// Has a worker serve it, unless one does.
fn enqueue(watched: &Arc<WatchedConnection>, server: &Connection) {
    if watched.busy.swap(true, Ordering::SeqCst) {
        return;
    }
    let (watched, server) = (watched.clone(), server.clone());
    thread::spawn(move || {
        if pool::serve_ready(&server).is_some() {
            *watched.ended.lock() = Some(server.serve_all());
            return;
        }
        watched.busy.store(false, Ordering::SeqCst);
        if pool::wants_thread(&server) {
            enqueue(&watched, &server);
        }
    });
}

#[test]
fn an_observed_end_answers_calls_and_callbacks_and_sees_its_end() {
    check(|| {
        let world = World::served_by(observe, Nesting::Pool, |_| ()).watched();
        let root = world.root();
        let job = |depth: i64| -> Box<dyn FnOnce() + Send> {
            let root = root.clone();
            Box::new(move || bounce(&root, depth))
        };
        spawn_each([job(1), job(0)]);
        drop(root);
        world.end();
    });
}

#[test]
fn an_observed_end_sees_that_another_thread_ends_it() {
    check(|| {
        let world = World::served_by(observe, Nesting::Pool, |_| ()).watched();
        let server = world.server.clone();
        let closer = thread::spawn(move || server.shut_down(Duration::from_secs(1)));
        world.end();
        closer.join().expect("the closer ends");
    });
}

/// The reading was this thread's: nothing tells the observer of the end but the end itself.
#[test]
fn an_observed_end_sees_its_end_where_a_call_of_the_program_s_own_has_read_it() {
    check(|| {
        let world = World::served_by(observe, Nesting::Pool, |_| ());
        let server = world.server.clone();
        let caller = thread::spawn(move || {
            if let Err(error) = server.ping_with(1, None) {
                assert!(error.is_closed(), "not {error}");
            }
        });
        world.end();
        caller.join().expect("the caller ends");
    });
}

#[test]
fn an_observed_end_reads_on_where_its_queue_was_full_when_more_may_run() {
    check(|| {
        let few = |config: &mut Config| config.max_queued = 1;
        let world = World::served_by(observe, Nesting::Pool, few);
        let root = world.root();
        let call = |what: &'static str| {
            let root = root.clone();
            thread::spawn(move || drop(root.call(args![what]).expect("an answer")))
        };
        let passing = [call("pass"), call("pass")];
        while world.server.link.lock().scheduler.queued() == 0 {
            thread::yield_now();
        }
        let opening = call("open");
        world.server.update_config(|config| config.concurrency = 3);
        for caller in passing.into_iter().chain([opening]) {
            caller.join().expect("it is answered");
        }
        drop(root);
        world.end();
    });
}

#[test]
fn an_observed_end_sees_its_end_while_requests_run_that_had_filled_its_queue() {
    check(|| {
        let few = |config: &mut Config| (config.max_queued, config.concurrency) = (1, 2);
        let world = World::served_by(observe, Nesting::Pool, few).watched();
        let root = world.root();
        let until = |running: usize, queued: usize| {
            let now = || {
                let scheduler = &world.server.link.lock().scheduler;
                (scheduler.tasks(), scheduler.queued())
            };
            while now() != (running, queued) {
                thread::yield_now();
            }
        };
        until(0, 0);
        // The first runs on the worker; another thread runs the second one, and the third when that has ended.
        let mut callers = Vec::new();
        for (what, running, queued) in [("last", 1, 0), ("pass", 2, 0), ("last", 2, 1)] {
            let root = root.clone();
            callers.push(thread::spawn(move || drop(root.call(args![what]))));
            until(running, queued);
        }
        world.server_gate.open();
        world.client.link.end(CloseReason::Local);
        for caller in callers {
            caller.join().expect("it ends");
        }
        drop(root);
        world.end();
    });
}
