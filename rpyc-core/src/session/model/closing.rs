//! A side that closes while its own requests wait for it.

use super::*;

/// A function of the client's that closes its connection, or opens a gate when another thread may be closing it.
struct Closes(Option<Gate>);

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
    // Whether it is answered or told of the end, it isn't left waiting.
    let called = root.call(args!["call", Any::object(Closes(None))]);
    called.expect_err("the callback can't be answered");
    drop(root);
    // The thread that has closed ran a request: the watchdog tells the service.
    world.watched().end();
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
