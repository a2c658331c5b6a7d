//! Clients whose code blocks in the system or computes without end, while the collector of garbage,
//! which stops all threads, wants to run.

use rpyc_tests::Server;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::server::{Evaluator, Signal, only_on};

/// `blocked(code)` is a client whose code has come to where it blocks, and its answer.
const HELPERS: &str = r#"
import fcntl, socket
fifo = os.path.abspath('fifo')
os.mkfifo(fifo)
conn.execute('import gc, string')
def blocked(code):
    blocking = connect()
    blocking.execute('import string, threading; string.reached = threading.Event()')
    answer = rpyc.async_(blocking.root.execute)('string.reached.set()\n' + code)
    assert conn.eval(f'string.reached.wait({PATIENCE})')
    return blocking, answer
def others_are_served():
    for _ in range(3):
        with connect() as other:
            same(other.eval('[1].copy()[0]'), 1)
            other.execute('import gc')
            other.eval('gc.collect()')
            same(other.eval('1 + 1'), 2)
def much_garbage_is_made():
    for _ in range(3):
        with connect() as other:
            other.execute('for _ in range(10_000): x = []; x.append(x)')
            same(other.eval('1 + 1'), 2)
def garbage_is_collected():
    conn.execute('x = []; x.append(x); del x')
    return conn.eval('gc.collect()') > 0
def reader():
    return os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
"#;

fn check(server: &Server, code: &str) {
    let code = rpyc_tests::python::dedent(code);
    let script = server.client(&format!("{HELPERS}{code}"));
    server.succeed(script.deadline(4 * PATIENCE).outcome());
}

#[test]
fn others_are_served_while_a_call_blocks_that_the_collector_knows_nothing_of() {
    check(
        &Server::start(),
        r#"
        code = f"import _io; _io.FileIO({fifo!r}, 'wb').close()"
        for others in others_are_served, much_garbage_is_made:
            blocking, answer = blocked(code)
            others()
            assert not answer.ready
            reading = reader()
            answer.wait()
            assert not answer.error, answer.value
            os.close(reading)
            same(blocking.eval('1 + 1'), 2)
            blocking.close()
        eventually(garbage_is_collected, 'collections go on')
        "#,
    );
}

#[test]
fn others_are_served_while_a_call_computes_without_end() {
    if !only_on(
        Evaluator::RustPython,
        "such a call holds the lock of CPython's interpreter",
    ) {
        return;
    }
    check(
        &Server::start(),
        r#"
        stuck = blocked('import itertools; sum(itertools.repeat(1))')
        others_are_served()
        much_garbage_is_made()
        conn.execute('import sys')
        conn.eval('len(sys._current_frames())')
        others_are_served()
        "#,
    );
}

#[test]
fn a_server_ends_while_a_call_blocks_and_a_collection_has_been_given_up() {
    let mut server = Server::with_options(&["--grace", "0"]);
    check(
        &server,
        r#"
        codes = f"import _io; _io.FileIO({fifo!r}, 'wb')", f"open({fifo!r}, 'wb')"
        stuck = [blocked(code) for code in codes]
        others_are_served()
        "#,
    );
    let status = server.stop(Signal::TERM, PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", server.log());
}
