//! Recursion without end raises, on each kind of thread that runs clients' code.

use rpyc_core::object::Function;
use rpyc_core::{Any, args};

use crate::client::Client;

#[test]
fn recursion_without_end_is_a_recursion_error() {
    let client = Client::connect();
    client.execute(
        "def down(n): return down(n + 1)
class Same:
    def __repr__(self): return repr(self)
    def __getattr__(self, name): return getattr(self, name + 'x')
",
    );
    for text in [
        "down(0)",
        "repr(Same())",
        "Same().x",
        "eval('-' * 20000 + '1')",
    ] {
        let raised = client.raised(text);
        let is_expected = ["RecursionError", "SyntaxError", "MemoryError"]
            .iter()
            .any(|class| raised.is(class));
        assert!(is_expected, "{text}: {raised}");
    }
    assert_is!(client.eval("1 + 1"), 2);
    client.close();
}

#[test]
fn recursion_in_a_thread_of_python_is_a_recursion_error() {
    let client = Client::connect();
    client.execute(
        "import threading
outcome = []
def down(n): return down(n + 1)
def run():
    try: down(0)
    except RecursionError: outcome.append('RecursionError')
thread = threading.Thread(target=run)
thread.start()
thread.join()",
    );
    assert_is!(client.eval("outcome[0]"), "RecursionError");
    client.close();
}

#[test]
fn client_and_server_that_call_each_other_without_end_get_a_recursion_error() {
    let client = Client::connect();
    client.execute("def there(back): return back(there)");
    let there = client.eval("there");
    let back = Function::new("back", |cx, args| {
        let _ = cx;
        let there = args.positional[0].netref()?;
        Ok(there
            .call(args![Any::NONE])
            .or_else(|_| there.call(args![there.clone()]))?)
    });
    let outcome = there
        .netref()
        .expect("a function")
        .call(args![Any::object(back)]);
    assert!(outcome.is_err(), "{outcome:?}");
    assert_is!(client.eval("1 + 1"), 2);
    client.close();
}
