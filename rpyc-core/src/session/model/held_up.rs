//! Threads that read, and go off to something that waits for what another thread is answered: a callback, a look
//! for signals, an executor that blocks, a rest.

use std::cell::RefCell;
use std::io;

use super::*;
use crate::dispatch::background_state::BackgroundState;
use crate::dispatch::waits::ForDismissal;
use crate::executor::{Executor, Job, interruptible};

/// Calls the peer on a thread of its own, and opens the gate when that has been answered.
fn caller(root: &Netref, answered: &Gate) -> JoinHandle<()> {
    let (root, answered) = (root.clone(), answered.clone());
    thread::spawn(move || {
        echo(&root, 1);
        answered.open();
    })
}

#[test]
fn a_callback_waits_for_what_another_thread_is_answered() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let (root, answered, called) = (world.root(), Gate::default(), Gate::default());
        let serving = {
            let client = world.client.clone();
            thread::spawn(move || client.serve_all())
        };
        let result = root.async_call(args!["echo", 2]).expect("sent");
        let caller = caller(&root, &answered);
        result.add_callback({
            let called = called.clone();
            move |_| {
                answered.pass();
                called.open();
            }
        });
        caller.join().expect("it is answered");
        called.pass();
        drop((root, result));
        world.end();
        serving.join().expect("it serves until the end");
    });
}

shuttle::thread_local! {
    static ANSWERED: RefCell<Gate> = RefCell::default();
}

/// A signal's handler that waits for what another thread is answered.
fn handle_signal() -> bool {
    ANSWERED.with(|answered| answered.borrow().clone()).pass();
    false
}

#[test]
fn a_look_for_signals_waits_for_what_another_thread_is_answered() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let (root, answered) = (world.root(), Gate::default());
        // Its answer is nobody's: who reads it looks for signals next.
        let result = root.async_call(args!["echo", 3]).expect("sent");
        let caller = caller(&root, &answered);
        ANSWERED.with(|here| here.replace(answered));
        interruptible(handle_signal, || echo(&root, 2));
        caller.join().expect("it is answered");
        drop((root, result));
        world.end();
    });
}

/// Has no thread for anybody before the gate is open, but for one.
struct Scarce {
    gate: Gate,
    all_but: Arc<Mutex<Option<thread::ThreadId>>>,
}

impl Executor for Scarce {
    fn execute(&self, job: Job) -> io::Result<()> {
        if *self.all_but.lock() != Some(thread::current().id()) {
            self.gate.pass();
        }
        ModelThreads.execute(job)
    }
}

/// Whoever reads a request for which there is no thread yet waits for one; the thread that makes one free is
/// to be answered.
fn waits_for_a_thread(waits: bool) {
    let world = World::new(Nesting::Pool).watched();
    let (root, answered) = (world.root(), Gate::default());
    let all_but = Arc::default();
    let executor = Arc::new(Scarce {
        gate: answered.clone(),
        all_but: Arc::clone(&all_but),
    });
    world
        .client
        .update_config(|config| config.executor = executor.clone());
    let function = Any::object(serving::CallsBack(root.clone()));
    let called = root.async_call(args!["call", function]).expect("sent");
    let caller = {
        let root = root.clone();
        thread::spawn(move || {
            *all_but.lock() = Some(thread::current().id());
            echo(&root, 2);
            answered.open();
        })
    };
    if waits {
        called.wait().expect("an answer");
    }
    caller.join().expect("it is answered");
    called.wait().expect("an answer");
    drop((root, called));
    world.end();
}

#[test]
fn a_thread_that_waits_for_one_to_run_a_request_keeps_nobody_from_reading() {
    check(|| waits_for_a_thread(true));
}

#[test]
fn a_helper_that_waits_for_a_thread_to_run_a_request_keeps_nobody_from_reading() {
    check(|| waits_for_a_thread(false));
}

#[test]
fn a_background_thread_that_rests_leaves_the_reading_to_a_thread_that_sleeps() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let root = world.root();
        let background = {
            let client = world.client.clone();
            thread::spawn(move || {
                let state = BackgroundState::default();
                client.link.wait_for(ForDismissal(&state), None)
            })
        };
        let result = root.async_call(args!["echo", 1]).expect("sent");
        echo(&root, 2);
        drop((root, result));
        world.end();
        assert!(
            background.join().expect("no panic"),
            "the connection has ended"
        );
    });
}
