//! Requests that are nested on any wait, and waits that are interrupted.

use shuttle::rand::{Rng, thread_rng};

use super::*;
use crate::executor::interruptible;

/// A signal may have come whenever somebody asks.
fn perhaps() -> bool {
    thread_rng().r#gen()
}

#[test]
fn callbacks_of_several_threads_return_when_they_run_on_any_wait() {
    check(|| callbacks(Nesting::Waiting));
}

/// A function of the client's that asks the server, and fails where it runs on an interrupted wait.
struct Asks(Netref);

impl Object for Asks {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.function", self)
    }

    fn call(&self, _: &Context<'_>, _: Args) -> ObjectResult {
        Ok(self.0.call(args!["echo", 1])?)
    }
}

#[test]
fn an_interrupted_wait_ends_and_every_other_one_is_answered() {
    check(|| {
        let world = World::new(Nesting::Waiting).watched();
        let root = world.root();
        let interrupted = {
            let root = root.clone();
            thread::spawn(move || {
                let call = || root.call(args!["call", Any::object(Asks(root.clone()))]);
                let (called, is_interrupted) = interruptible(perhaps, call);
                // Its callback may have run on the other thread.
                if called.is_err_and(|error| error.is_timeout()) {
                    assert!(is_interrupted, "its time was not over");
                }
            })
        };
        let called = root.call(args!["call", Any::object(Asks(root.clone()))]);
        if let Err(error) = called {
            assert!(error.as_remote().is_some(), "not {error}");
        }
        interrupted.join().expect("no panic");
        drop(root);
        world.end();
    });
}
