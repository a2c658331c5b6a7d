//! Threads that wait for answers over several connections.

use super::serving::CallsBack;
use super::*;

fn several(nesting: Nesting) {
    let worlds = [World::new(nesting), World::new(nesting)];
    let roots = worlds.each_ref().map(World::root);
    let wait = |roots: [Netref; 2]| {
        let called = roots.each_ref().map(|root| {
            let function = Any::object(CallsBack(root.clone()));
            root.async_call(args!["call", function]).expect("sent")
        });
        let results = called.each_ref();
        let first = AsyncResult::wait_any(results, None).expect("one comes");
        results[first].value().expect("an answer");
        AsyncResult::wait_all(results, None).expect("all come");
    };
    let other = {
        let roots = roots.clone();
        thread::spawn(move || wait(roots))
    };
    wait(roots);
    other.join().expect("all come there, too");
    for world in worlds {
        world.end();
    }
}

#[test]
fn answers_of_several_connections_come_while_callbacks_of_each_are_run_with_a_pool() {
    check(|| several(Nesting::Pool));
}

#[test]
fn answers_of_several_connections_come_while_callbacks_of_each_are_run_with_a_stack() {
    check(|| several(Nesting::Stack));
}

/// The reading stopped at a full queue, and begins again with the wait.
#[test]
fn an_answer_comes_over_an_observed_connection_whose_queue_was_full() {
    check(|| {
        let few = |config: &mut Config| config.max_queued = 1;
        let observed = World::served_by(readiness::observe, Nesting::Pool, few);
        let other = World::new(Nesting::Pool);
        let serving = {
            let client = observed.client.clone();
            thread::spawn(move || client.serve_all())
        };
        let roots = [root_of(&observed.server), other.root()];
        let root = observed.root();
        let callers = [(); 2].map(|()| {
            let root = root.clone();
            thread::spawn(move || drop(root.call(args!["pass"]).expect("an answer")))
        });
        while observed.server.link.lock().scheduler.queued() == 0 {
            thread::yield_now();
        }
        let results = roots
            .each_ref()
            .map(|root| root.async_call(args!["echo", 1]).expect("sent"));
        AsyncResult::wait_all(&results, None).expect("all come");
        observed.server_gate.open();
        for caller in callers {
            caller.join().expect("it is answered");
        }
        drop((root, roots, results));
        observed.end();
        other.end();
        serving.join().expect("it serves until the end");
    });
}
