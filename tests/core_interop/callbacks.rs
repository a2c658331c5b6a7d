//! Functions that cross: Python's called by Rust, Rust's called by Python.

use std::sync::atomic::Ordering;

use rpyc_core::object::{Function, Signature};
use rpyc_core::service::ServiceBuilder;
use rpyc_core::{Any, Args, Context, Exception, Exposed, FromAny};

use crate::serving::run;
use crate::shop::{COUNTER, shop};

#[test]
fn a_python_function_is_called_by_rust() {
    run(
        shop(),
        r#"
        seen = []
        same(root.apply(lambda value: value * 2, 21), 42)
        same(root.apply(seen.append, 1), None)
        same(seen, [1])
        same(root.apply(root.add, 1), 11)
        same(root.apply(len, [1, 2, 3]), 3)
        "#,
    );
}

fn closures() -> Exposed<()> {
    let twice = Signature::method("ToolService.twice").required("function");
    ServiceBuilder::new("tools.ToolService")
        .doc("Made of closures.")
        .method("counter", "A function that counts.", |_, _| {
            let count = |_: &Context<'_>, _: Args| {
                Ok(Any::from(COUNTER.fetch_add(1, Ordering::Relaxed) + 1))
            };
            Ok(Any::object(Function::new("count", count).doc("Counts.")))
        })
        .method("twice", "Calls a function two times.", move |cx, args| {
            let function: Any = twice.bind(args)?.required(0)?;
            let once = function.call_in(cx, Args::new())?;
            let again = function.call_in(cx, Args::new())?;
            let sum = i64::from_any(once)? + i64::from_any(again)?;
            Ok(Any::from(sum))
        })
        .property("peer", |cx| Ok(Any::from(cx.connection().peer_label())))
        .constant("version", "1.2")
        .on_connect(|cx| match cx.connection().config().credentials {
            Some(_) => {
                Err(Exception::builtin("PermissionError").with_arg("no credentials, please"))
            }
            None => Ok(()),
        })
        .build()
}

#[test]
fn a_service_of_closures_works_like_any() {
    run(
        closures(),
        r#"
        same(root.get_service_name(), "TOOL")
        same(root.__doc__, "Made of closures.")
        same(root.version, "1.2")
        assert str(conn._channel.stream.sock.getsockname()[1]) in root.peer, root.peer
        count = root.counter()
        same((count(), count()), (1, 2))
        same(count.__doc__, "Counts.")
        same(type(count).__name__, "builtins.function")
        same(repr(count), "<function count>")
        same(root.twice(lambda: 4), 8)
        same(root.twice(function=count), 7)
        with raises(TypeError, "ToolService.twice() missing 1 required positional argument: 'function'"):
            root.twice()
        with raises(TypeError, "must be int, not str"):
            root.twice(lambda: "x")
        "#,
    );
}
