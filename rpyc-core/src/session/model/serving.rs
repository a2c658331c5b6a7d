//! Handlers that serve their own connection, and callbacks that run meanwhile and call the peer.

use super::*;

/// Calls the first function of the peer's without waiting, and the second one from the callback;
/// serves until that has been answered.
pub(crate) fn serve(cx: &Context<'_>, mut args: Args) -> ObjectResult {
    let second = args.positional.remove(1);
    let first = args.positional.remove(0);
    let done = Arc::new(AtomicBool::new(false));
    let told = done.clone();
    let result = first.netref()?.async_call(Args::new())?;
    let netref = second.netref()?.clone();
    result.add_callback(move |outcome| {
        outcome.expect("an answer");
        netref.call(Args::new()).expect("an answer");
        told.store(true, Ordering::SeqCst);
        // Its answer is a message: who waits for one without a limit looks again.
        drop(netref.async_call(Args::new()));
    });
    while !done.load(Ordering::SeqCst) {
        cx.connection().serve(None)?;
    }
    Ok(Any::NONE)
}

/// A function of the client's that calls the server before it returns.
pub(super) struct CallsBack(pub(super) Netref);

impl Object for CallsBack {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.function", self)
    }

    fn call(&self, _: &Context<'_>, _: Args) -> ObjectResult {
        echo(&self.0, 1);
        Ok(Any::NONE)
    }
}

fn handlers_serve(nesting: Nesting) {
    let world = World::new(nesting).watched();
    let root = world.root();
    let call_back = || Any::object(CallsBack(root.clone()));
    let called = root.call(args!["serve", call_back(), call_back()]);
    called.expect("the handler ends");
    echo(&root, 2);
    drop(root);
    world.end();
}

#[test]
fn a_handler_serves_while_its_callbacks_call_the_peer_that_calls_back_with_a_pool() {
    check(|| handlers_serve(Nesting::Pool));
}

#[test]
fn a_handler_serves_while_its_callbacks_call_the_peer_that_calls_back_with_a_stack() {
    check(|| handlers_serve(Nesting::Stack));
}
