//! What a client answers when it is asked for the methods of an object of its.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use rpyc_core::object::{IdParts, MethodInfo, ObjectResult};
use rpyc_core::wire::Str;
use rpyc_core::{Any, Args, Context, Object, args};

use crate::client::Client;

/// An object with a length of 7, whose methods are what a test says.
struct Odd {
    methods: Vec<String>,
    // The methods aren't told before something comes here.
    held_back: Option<Mutex<Receiver<()>>>,
}

impl Object for Odd {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("tests.Odd", self)
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        Ok(Any::from(format!("the client's {name}")))
    }

    fn call_method(&self, _: &Context<'_>, name: &str, _: Args) -> ObjectResult {
        assert_eq!(name, "__len__");
        Ok(Any::from(7))
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        if let Some(held_back) = &self.held_back {
            // An error: the test is over.
            let _ = held_back.lock().expect("not poisoned").recv();
        }
        let methods = self.methods.iter();
        Ok(methods
            .map(|name| (Str::from(name.as_str()), None))
            .collect())
    }
}

fn odd(methods: impl IntoIterator<Item = impl Into<String>>) -> Any {
    Any::object(Odd {
        methods: methods.into_iter().map(Into::into).collect(),
        held_back: None,
    })
}

#[test]
fn names_that_a_proxy_has_itself_or_that_make_a_class_are_left_out() {
    let client = Client::connect();
    client.execute(
        "def look(x):
    return len(x), type(x).__name__, type(x).__mro__[1].__name__, x.anything, isinstance(x, type), hasattr(type(x), 'own')",
    );
    let names = [
        "__abstractmethods__",
        "__array__",
        "__bases__",
        "__buffer__",
        "__class__",
        "__classcell__",
        "__del__",
        "__dict__",
        "__getattr__",
        "__getattribute__",
        "__getstate__",
        "__init__",
        "__init_subclass__",
        "__instancecheck__",
        "__mro__",
        "__mro_entries__",
        "__new__",
        "__qualname__",
        "__reduce__",
        "__reduce_ex__",
        "__setattr__",
        "__setstate__",
        "__slots__",
        "__subclasscheck__",
        "__weakref__",
        "",
        "with space",
        "__len__",
        "own",
    ];
    let seen = client
        .call("look", odd(names))
        .into_items()
        .expect("a tuple");
    assert_is!(seen[0], 7);
    assert_is!(seen[1], "tests.Odd");
    assert_is!(seen[2], "BaseNetref");
    assert_is!(seen[3], "the client's anything");
    assert_is!(seen[4], false);
    assert_is!(seen[5], true);
    client.close();
}

#[test]
fn too_many_methods_are_an_error_of_that_request() {
    let client = Client::connect();
    client.execute("def look(x): return len(x)");
    let look = client.eval("look");
    let many = odd((0..200_000).map(|number| format!("method_{number}")));
    let refused = look.netref().expect("a function").call(args![many]);
    let refused = refused.expect_err("an error").to_string();
    assert!(refused.contains("200000 methods"), "{refused}");
    assert_is!(client.call("look", odd(["__len__"])), 7);
    client.close();
}

#[test]
fn methods_that_are_never_told_are_a_timeout_of_that_request() {
    let client = Client::connect();
    client.execute("def look(x): return len(x)");
    let server = client
        .root()
        .call_method("getconn", args![])
        .expect("a connection");
    let config = server.attr("_config").expect("a config");
    let shorter = config.call_method("__setitem__", args!["sync_request_timeout", 0.2]);
    shorter.expect("an option");
    let (tell, held_back) = channel();
    let silent = Any::object(Odd {
        methods: vec!["__len__".to_owned()],
        held_back: Some(Mutex::new(held_back)),
    });
    // Another thread: this one answers nothing before the end.
    let look = client.eval("look");
    let look = look.netref().expect("a function").clone();
    let asking = look
        .async_request(
            rpyc_core::wire::Handler::Call,
            [Any::tuple([silent]), Any::tuple([])],
        )
        .expect("a request");
    let refused = asking.value().expect_err("an error").to_string();
    assert!(refused.contains("INSPECT"), "{refused}");
    drop(tell);
    assert_is!(client.eval("1 + 1"), 2);
    client.close();
}
