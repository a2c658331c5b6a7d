//! A thread that waits for answers over several connections.

use super::serving::CallsBack;
use super::*;

fn several(nesting: Nesting) {
    let worlds = [World::new(nesting), World::new(nesting)];
    let waits = worlds.each_ref().map(|world| {
        let root = world.root();
        let function = Any::object(CallsBack(root.clone()));
        let called = root.async_call(args!["call", function]).expect("sent");
        (root, called)
    });
    let results = waits.each_ref().map(|(_, called)| called);
    let first = AsyncResult::wait_any(results, None).expect("one comes");
    results[first].value().expect("an answer");
    AsyncResult::wait_all(results, None).expect("all come");
    drop(waits);
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
