//! Closing in a callback, where no limit in time helps: who can still go on is known.

use super::closing::Closes;
use super::*;
use crate::sync::stop_time;

#[track_caller]
fn check_without_limits(scenario: fn()) {
    let _stopped = stop_time();
    check(scenario);
}

/// The threads of the others may have the one that closes nested on them, answered or not.
fn closes_above_other_callbacks(nesting: Nesting) {
    let world = World::new(nesting).watched();
    let root = world.root();
    let others = [(); 2].map(|()| {
        let callback = Any::object(Closes(Some(Gate::default())));
        root.async_call(args!["call", callback]).expect("sent")
    });
    let called = root.call(args!["call", Any::object(Closes(None))]);
    called.expect_err("the callback can't be answered");
    drop((root, others));
    world.end();
}

#[test]
fn a_callback_closes_above_others_on_their_stack() {
    check_without_limits(|| closes_above_other_callbacks(Nesting::Stack));
}

#[test]
fn a_callback_closes_beside_others_in_the_pool() {
    check_without_limits(|| closes_above_other_callbacks(Nesting::Pool));
}
