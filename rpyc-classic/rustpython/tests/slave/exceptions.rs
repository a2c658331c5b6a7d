//! What is raised in the interpreter, and what a client's callbacks raise.

use rpyc_core::object::{Function, Iter};
use rpyc_core::{Any, Exception, Value};

use crate::client::Client;

#[test]
fn an_exception_keeps_its_class_arguments_and_public_attributes() {
    let client = Client::connect();
    client.execute(
        "class Own(Exception):
    def __init__(self, *args):
        super().__init__(*args)
        self.code = 7
        self.things = [1]
        self._hidden = 1
def own(): raise Own('text', 5, [])",
    );
    let own = client.raised("own()");
    assert_eq!((&**own.module(), &**own.class()), ("builtins", "Own"));
    assert_eq!(
        own.args(),
        [Value::from("text"), Value::from(5), Value::from("[]")]
    );
    assert_eq!(own.attr("code"), Some(&Value::from(7)));
    assert_eq!(own.attr("things"), Some(&Value::from("[1]")));
    assert_eq!(own.attr("_hidden"), None);
    let missing = client.raised("open('/no/such/file')");
    assert!(missing.is("FileNotFoundError"), "{missing}");
    assert_eq!(missing.attr("errno"), Some(&Value::from(2)));
    assert_eq!(
        missing.attr("filename"),
        Some(&Value::from("/no/such/file"))
    );
    client.close();
}

#[test]
fn the_traceback_shows_the_lines_of_executed_text() {
    let client = Client::connect();
    client.execute(
        "def outer():\n    return inner()\n\ndef inner():\n    raise KeyError('k')  # here\n",
    );
    let raised = client.raised("outer()");
    let traceback = raised.traceback().expect("a traceback");
    for part in [
        "Traceback (most recent call last):",
        "File \"<string>\", line 1, in <module>",
        "    outer()",
        "File \"<string>\", line 5, in inner",
        "raise KeyError('k')  # here",
        "KeyError: 'k'",
    ] {
        assert!(traceback.contains(part), "{part} in {traceback}");
    }
    client.close();
}

#[test]
fn leaving_exceptions_end_nothing_but_the_request() {
    let client = Client::connect();
    let left = client.raised("__import__('sys').exit(3)");
    assert!(left.is("SystemExit"), "{left}");
    assert_eq!(left.args(), [Value::from(3)]);
    assert_is!(client.eval("1 + 1"), 2);
    client.close();
}

#[test]
fn a_client_exception_is_caught_by_its_builtin_class_and_shows_where_it_came_from() {
    let client = Client::connect();
    let failing = Function::new("failing", |_, _| {
        Err(Exception::value_error("of the client")
            .with_attr("code", 7)
            .with_traceback("Traceback of the client\n"))
    });
    client.execute(
        "def caught(f):
    try:
        f()
    except ValueError as error:
        return type(error).__name__, error.args, error.code, str(error), error._remote_tb",
    );
    let caught = client
        .call("caught", Any::object(failing))
        .into_items()
        .expect("a tuple");
    assert_is!(caught[0], "ValueError");
    assert_is!(caught[2], 7);
    let text = caught[3].as_str().expect("text");
    assert!(
        text.starts_with("of the client\n\n========= Remote Traceback (1) =========\n"),
        "{text}"
    );
    client.close();
}

#[test]
fn a_peer_does_not_have_a_module_imported_by_naming_it() {
    let client = Client::connect();
    let failing = Function::new("failing", |_, _| {
        Err(Exception::new("this", "Zen").with_arg("x"))
    });
    client.execute(
        "import sys
def caught(f):
    try:
        f()
    except Exception as error:
        return type(error).__name__, 'this' in sys.modules",
    );
    let caught = client
        .call("caught", Any::object(failing))
        .into_items()
        .expect("a tuple");
    assert_is!(caught[0], "this.Zen");
    assert_is!(caught[1], false);
    // Nor is anything taken for an exception class because it goes by the name.
    let system = Function::new("failing", |_, _| {
        Err(Exception::new("os", "system").with_arg("x"))
    });
    let caught = client
        .call("caught", Any::object(system))
        .into_items()
        .expect("a tuple");
    assert_is!(caught[0], "os.system");
    client.close();
}

#[test]
fn an_iterator_of_the_client_ends_a_loop_here() {
    let client = Client::connect();
    client.execute("def loop(items): return sum(items), next(items, 'at its end')");
    let outcome = client.call("loop", Any::object(Iter::new([1, 2, 3])));
    let outcome = outcome.into_items().expect("a tuple");
    assert_is!(outcome[0], 6);
    assert_is!(outcome[1], "at its end");
    client.close();
}

#[test]
fn the_last_traceback_is_there_for_a_debugger() {
    let client = Client::connect();
    client.raised("1 / 0");
    client.execute("def lines(conn):\n    import traceback\n    return len(traceback.extract_tb(conn._last_traceback))");
    let conn = client
        .root()
        .call_method("getconn", rpyc_core::args![])
        .expect("a connection");
    assert_is!(client.call("lines", conn), 1);
    client.close();
}
