//! eval, execute, the namespace, and the names of the root.

use rpyc_classic::SlaveOptions;
use rpyc_core::{Any, args};

use crate::client::{Client, doubling};

#[test]
fn values_of_exact_types_come_by_value_and_the_rest_by_reference() {
    let client = Client::connect();
    for by_value in [
        "None",
        "True",
        "1",
        "10**30",
        "-1.5",
        "2j",
        "'text'",
        "b'bytes'",
        "(1, ('x',))",
        "...",
        "NotImplemented",
        "slice(1, None)",
        "frozenset([1])",
        "10**4299",
    ] {
        assert!(client.eval(by_value).as_value().is_some(), "{by_value}");
    }
    for (by_reference, name) in [
        ("[]", "builtins.list"),
        ("{}", "builtins.dict"),
        ("10**4300", "builtins.int"),
        (r"'\ud800'", "builtins.str"),
        ("type('I', (int,), {})(1)", "builtins.I"),
        ("len", "builtins.builtin_function_or_method"),
        ("lambda: 0", "builtins.function"),
        ("int", "builtins.int"),
        ("__import__('os').path", "posixpath"),
        ("(i for i in ())", "builtins.generator"),
        ("slice([])", "builtins.slice"),
    ] {
        assert_eq!(
            client.eval(by_reference).type_name(),
            *name,
            "{by_reference}"
        );
    }
    assert!(matches!(client.eval("(1, [])"), Any::Tuple(items) if items.len() == 2));
    client.close();
}

#[test]
fn tuples_nested_deeper_than_a_frame_may_be_come_by_reference_in_their_depths() {
    let client = Client::connect();
    client.execute("deep = ()\nfor _ in range(5000): deep = (deep,)");
    assert!(matches!(client.eval("deep"), Any::Tuple(_)));
    assert_is!(client.eval("1 + 1"), 2);
    client.close();
}

#[test]
fn each_connection_has_a_namespace_of_its_own() {
    let (one, two) = (Client::connect(), Client::connect());
    one.execute("x = 1");
    two.execute("x = 2");
    assert_is!(one.eval("x"), 1);
    assert_is!(two.eval("x"), 2);
    let namespace = one.root().attr("namespace").expect("the namespace");
    namespace
        .call_method("__setitem__", args!["x", 3])
        .expect("set");
    assert_is!(one.eval("x"), 3);
    assert_is!(two.eval("x"), 2);
    one.close();
    two.close();
}

#[test]
fn the_root_answers_to_the_names_of_old() {
    let client = Client::connect();
    let root = client.root();
    assert_is!(
        root.call_method("exposed_eval", args!["6 * 7"])
            .expect("eval"),
        42
    );
    assert_is!(
        root.call_method("get_service_name", args![])
            .expect("a name"),
        "SLAVE"
    );
    let module = root.call_method("getmodule", args![Any::tuple(["xml".into(), "dom".into()])]);
    assert_eq!(module.expect("a module").type_name(), *"xml.dom");
    let module = root.call_method("exposed_getmodule", args!["__builtin__"]);
    assert_eq!(module.expect("a module").type_name(), *"builtins");
    assert!(root.set_attr("eval", 1).is_err());
    client.close();
}

#[test]
fn objects_come_back_as_themselves() {
    let client = Client::connect();
    client.execute("thing = object()\ndef same(x): return x is thing");
    let thing = client.eval("thing");
    assert_is!(client.call("same", thing), true);
    client.execute("def keep(f):\n    global kept\n    again = 'kept' in globals() and kept is f\n    kept = f\n    return again");
    let callback = doubling();
    assert_is!(client.call("keep", callback.clone()), false);
    assert_is!(client.call("keep", callback), true);
    client.close();
}

#[test]
fn pickling_is_refused_where_the_options_say_so() {
    let client = Client::connect();
    assert_eq!(
        client
            .eval("[1, {'a': 2.5}]")
            .obtain::<(i64, std::collections::HashMap<String, f64>)>()
            .expect("a copy")
            .0,
        1
    );
    client.close();
    let mut options = SlaveOptions::default();
    options.allow_pickle = false;
    let client = Client::with(options);
    let refused = client
        .eval("[]")
        .obtain::<Vec<i64>>()
        .expect_err("no pickle");
    assert!(
        refused.to_string().contains("pickling is disabled"),
        "{refused}"
    );
    client.close();
}

#[test]
fn rpyc_hooks_of_evaluated_classes_decide_over_access() {
    let client = Client::connect();
    client.execute(
        "class Foo:
    def __init__(self): self.values = {}
    def _rpyc_getattr(self, name):
        if name.startswith('safe_'): return ('got', name)
        raise AttributeError(name)
    def _rpyc_setattr(self, name, value):
        if not name.startswith('safe_'): raise AttributeError(name)
        self.values[name] = value
    def _rpyc_delattr(self, name): raise AttributeError(name)
foo = Foo()",
    );
    let foo = client.eval("foo");
    let got = foo
        .attr("safe_x")
        .expect("safe")
        .into_items()
        .expect("a tuple");
    assert_is!(got[1], "safe_x");
    assert!(foo.attr("values").is_err());
    assert!(foo.set_attr("values", 1).is_err());
    foo.set_attr("safe_y", 5).expect("safe");
    assert_is!(client.eval("foo.values == {'safe_y': 5}"), true);
    assert!(foo.netref().expect("a netref").del_attr("safe_y").is_err());
    client.close();
}
