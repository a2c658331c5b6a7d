//! How connections end, whoever ends them and whatever runs.

use std::time::Duration;

use super::*;

#[test]
fn closing_while_others_call_fails_them_and_ends_everything() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let root = world.root();
        let caller = {
            let root = root.clone();
            thread::spawn(move || {
                for number in 0..3 {
                    let got = root.call(args!["echo", number]);
                    if let Err(error) = got {
                        assert!(error.is_closed(), "not {error}");
                    }
                }
            })
        };
        drop(root);
        world.end();
        caller.join().expect("the caller ends");
    });
}

#[test]
fn both_ends_may_close_at_once() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let server = world.server.clone();
        let closer = thread::spawn(move || drop(server.close()));
        world.end();
        closer.join().expect("the closer ends");
    });
}

#[test]
fn a_side_that_shuts_down_ends_everything_without_the_peers_consent() {
    check(|| {
        let world = World::new(Nesting::Pool).watched();
        let root = world.root();
        let caller = {
            let root = root.clone();
            thread::spawn(move || {
                if let Err(error) = root.call(args!["echo", 1]) {
                    assert!(error.is_closed(), "not {error}");
                }
            })
        };
        drop(root);
        world.server.shut_down(Duration::from_secs(1));
        caller.join().expect("the caller ends");
        world.end();
    });
}

#[test]
fn a_side_that_shuts_down_needs_no_watchdog_where_nothing_is_under_way() {
    check(|| {
        let world = World::new(Nesting::Pool);
        world.client.shut_down(Duration::from_secs(1));
        world.end();
    });
}

/// A callback's answer that will never come is waited for by a request that is ahead of the CLOSE.
#[test]
fn closing_while_callbacks_run_fails_those_who_wait_for_them() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let root = world.root();
        // Where one of them waits for the callback, the other one reads.
        let second = {
            let server = world.server.clone();
            thread::spawn(move || server.serve_all())
        };
        let caller = thread::spawn(move || {
            if let Err(error) = try_bounce(&root, 0) {
                assert!(
                    error.is_closed() || error.as_remote().is_some(),
                    "not {error}"
                );
            }
        });
        world.end();
        second.join().expect("the second serving thread ends");
        caller.join().expect("the caller ends");
    });
}

#[test]
fn a_thread_that_sleeps_because_the_queue_is_full_notices_the_end_while_a_request_runs() {
    check(|| {
        let noticed = Gate::default();
        let serve = || {
            let noticed = noticed.clone();
            move |server: Connection| {
                while server.serve(None).is_ok() {}
                noticed.open();
                server.serve_all()
            }
        };
        let world =
            World::served_by(serve(), Nesting::Pool, |config| config.max_queued = 1).watched();
        let second = {
            let (serve, server) = (serve(), world.server.clone());
            thread::spawn(move || serve(server))
        };
        let root = world.root();
        // One stands before the gate, the other one fills the queue.
        let callers = [(); 2].map(|()| {
            let root = root.clone();
            thread::spawn(move || {
                root.call(args!["pass"])
                    .is_err_and(|error| error.is_closed())
            })
        });
        while world.server.link.lock().scheduler.queued() == 0 {
            thread::yield_now();
        }
        world.server.link.end(CloseReason::Local);
        noticed.pass();
        world.server_gate.open();
        second.join().expect("the second serving thread ends");
        for caller in callers {
            assert!(caller.join().expect("no panic"), "it can't be answered");
        }
        drop(root);
        world.end();
    });
}

/// It waits for all requests to end, and one of them begins to wait for just that. The client reads nothing.
fn shuts_down_beside(what: &'static str) {
    let world = World::new(Nesting::Pool).watched();
    let root = world.root();
    let called = root.async_call(args![what]).expect("sent");
    while world.server.running_requests() == 0 && !world.server.link.has_ended() {
        thread::yield_now();
    }
    world.server.shut_down(Duration::MAX);
    drop((root, called));
    world.end();
}

#[test]
fn a_side_that_shuts_down_does_not_wait_for_a_request_that_serves_until_the_end() {
    check(|| shuts_down_beside("serve all"));
}

#[test]
fn a_side_that_shuts_down_does_not_wait_for_a_request_that_closes() {
    check(|| shuts_down_beside("close"));
}

/// A function of the client's that closes its connection, or opens a gate when another thread may be closing it.
pub(super) struct Closes(pub(super) Option<Gate>);

impl Object for Closes {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.function", self)
    }

    fn call(&self, cx: &Context<'_>, _: Args) -> ObjectResult {
        match &self.0 {
            Some(begun) => begun.open(),
            None => drop(cx.connection().close()),
        }
        Ok(Any::from(1))
    }
}

fn closes_in_a_callback(nesting: Nesting) {
    let world = World::new(nesting);
    let root = world.root();
    // Where one of them waits for the callback, the other one may read.
    let second = {
        let server = world.server.clone();
        thread::spawn(move || server.serve_all())
    };
    // Whether it is answered or told of the end, it isn't left waiting.
    let called = root.call(args!["call", Any::object(Closes(None))]);
    called.expect_err("the callback can't be answered");
    drop(root);
    // The thread that has closed ran a request: the watchdog tells the service.
    world.watched().end();
    second.join().expect("the second serving thread ends");
}

#[test]
fn a_callback_closes_when_it_runs_in_the_pool() {
    check(|| closes_in_a_callback(Nesting::Pool));
}

#[test]
fn a_callback_closes_when_it_runs_on_a_wait() {
    check(|| closes_in_a_callback(Nesting::Waiting));
}

#[test]
fn a_thread_closes_beside_a_callback_that_runs() {
    check(|| {
        let world = World::new(Nesting::Pool);
        let (root, begun) = (world.root(), Gate::default());
        let callback = Any::object(Closes(Some(begun.clone())));
        let caller = thread::spawn(move || {
            if let Err(error) = root.call(args!["call", callback]) {
                assert!(
                    error.is_closed() || error.as_remote().is_some(),
                    "not {error}"
                );
            }
        });
        begun.pass();
        world.end();
        caller.join().expect("the caller ends");
    });
}
