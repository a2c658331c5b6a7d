//! Functions that cross: Python's called by Rust, Rust's called by Python.

use std::sync::atomic::Ordering;

use rpyc_core::object::class::{Class, Method, Property};
use rpyc_core::object::{Function, Signature};
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
    let counter = Method::new("counter", |_, _, _| {
        let count =
            |_: &Context<'_>, _: Args| Ok(Any::from(COUNTER.fetch_add(1, Ordering::Relaxed) + 1));
        Ok(Any::object(Function::new("count", count).doc("Counts.")))
    });
    let twice = Method::new("twice", move |_, cx, args| {
        let function: Any = twice.bind(args)?.required(0)?;
        let once = function.call_in(cx, Args::new())?;
        let again = function.call_in(cx, Args::new())?;
        let sum = i64::from_any(once)? + i64::from_any(again)?;
        Ok(Any::from(sum))
    });
    let peer = |_: &Exposed<()>, cx: &Context<'_>| Ok(Any::from(cx.connection().peer_label()));
    let class = Class::builder("tools", "ToolService")
        .service()
        .doc("Made of closures.")
        .method(counter.doc("A function that counts."))
        .method(twice.doc("Calls a function two times."))
        .property(Property::new("peer").get(peer))
        .constant("version", "1.2")
        .on_connect(|_, cx| match cx.connection().peer().credentials {
            Some(_) => {
                Err(Exception::builtin("PermissionError").with_arg("no credentials, please"))
            }
            None => Ok(()),
        })
        .build();
    Exposed::of_class(class, ())
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
