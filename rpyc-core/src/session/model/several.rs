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
