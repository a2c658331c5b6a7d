//! `--mode process`: what ends the process of one client doesn't touch the others.

use std::time::Duration;

use rpyc_tests::Server;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::server::{Evaluator, Signal, better_than_stock, only_on};

/// Runs code that ends its process, and sees that its client alone notices, and what the log says.
#[track_caller]
fn ends_that_client_alone(options: &[&str], code: &str, logged: &str) {
    ends_that_client_alone_after("", options, code, logged);
}

/// The same, of a client that does something else before the other one comes.
#[track_caller]
fn ends_that_client_alone_after(first: &str, options: &[&str], code: &str, logged: &str) {
    if better_than_stock("its clients share a process") {
        return;
    }
    let options = [&["--mode", "process"], options].concat();
    let mut server = Server::with_options(&options);
    let script = server.client(&format!(
        "{first}
other = connect()
other.execute('mine = [1]')
with raises(EOFError):
    conn.execute({code:?})
same(other.eval('mine[0]'), 1)
with connect() as third:
    same(third.eval('1 + 1'), 2)
other.close()
conn = connect()
"
    ));
    server.succeed(script.deadline(Duration::from_secs(120)).outcome());
    server.wait_for_log(logged, |lines| {
        lines.iter().any(|line| line.contains(logged)).then_some(())
    });
    assert!(server.is_running());
    assert_eq!(server.stop(Signal::TERM, PATIENCE).code(), Some(0));
}

#[test]
fn an_exit_of_the_process() {
    ends_that_client_alone(&[], "import os; os._exit(7)", "exit code 7");
}

#[test]
fn an_abort() {
    ends_that_client_alone(
        &[],
        "import ctypes; ctypes.CDLL(None).abort()",
        "killed by signal 6 (abort",
    );
}

#[test]
fn a_fault() {
    ends_that_client_alone(
        &[],
        "import ctypes; ctypes.string_at(1)",
        "killed by signal 11 (a fault)",
    );
}

#[test]
fn memory_beyond_the_limit() {
    if !only_on(Evaluator::RustPython, "CPython raises a MemoryError") {
        return;
    }
    ends_that_client_alone(
        &["--max-memory", "256MiB"],
        "
kept = []
while True: kept.append(['x' * 10_000, len(kept)])
",
        "killed by signal 6 (abort",
    );
}

#[test]
fn computing_beyond_the_limit() {
    ends_that_client_alone(
        &["--max-cpu", "2"],
        "while True: pass",
        "killed by signal 24 (the limit on processor time)",
    );
}

#[test]
fn staying_beyond_the_limit() {
    // The other one has seconds to live when this one's time is over.
    ends_that_client_alone_after(
        "
began = time.monotonic()
while time.monotonic() < began + 3:
    same(conn.eval('1 + 1'), 2)
",
        &["--max-lifetime", "6"],
        "
import threading
threading.Lock().acquire() and threading.Event().wait()
",
        "killed by signal 14 (the limit on its lifetime)",
    );
}

#[test]
fn containers_nested_too_deeply_for_the_stack() {
    if !only_on(Evaluator::RustPython, "CPython frees them") {
        return;
    }
    ends_that_client_alone(
        &[],
        "
def g(x): yield x
x = None
for _ in range(300_000): x = g(x)
del x
",
        "killed by signal 6",
    );
}

#[test]
fn clients_share_no_modules_and_leave_no_processes() {
    if better_than_stock("its clients share a process") {
        return;
    }
    let server = Server::with_options(&["--mode", "forking"]);
    let script = format!(
        "{}\nSERVER = {}\n{}",
        include_str!("endurance.py"),
        server.process_id(),
        r#"
def children():
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                fields = process_fields(name)
            except OSError:
                continue
            if int(fields[PARENT]) == SERVER:
                found.append(name)
    return found
with connect() as one, connect() as other:
    one.execute('import string, builtins; string.mine = 1; builtins.print = None')
    assert not other.eval("hasattr(__import__('string'), 'mine')")
    assert other.eval('callable(print)')
    assert one.modules.os.getpid() != other.modules.os.getpid()
    same(len(children()), 2)
    one.execute('import threading; threading.Thread(target=threading.Event().wait).start()')
for k in range(20):
    conn = connect()
    conn.eval('1')
    vanish(conn)
eventually(lambda: children() == [], 'all processes have ended, threads or not')
started = time.monotonic()
with connect() as conn:
    conn.eval('1')
print(f'from connecting to the first answer: {time.monotonic() - started:.3f} s')
"#
    );
    let told = server.succeed(server.program(&script).outcome());
    rpyc_tests::python::progress(&told);
}

#[test]
fn limits_without_processes_are_a_usage_error() {
    if better_than_stock("it has no such limits") {
        return;
    }
    let refused = std::panic::catch_unwind(|| Server::with_options(&["--max-cpu", "5"]));
    let reason = refused
        .err()
        .and_then(|panic| panic.downcast::<String>().ok());
    let reason = reason.expect("the server refuses to start");
    assert!(reason.contains("--mode process"), "{reason}");
}

#[test]
fn the_server_and_the_process_of_a_client_call_it_by_the_same_name() {
    if better_than_stock("its log names no connections") {
        return;
    }
    let server = Server::with_options(&["--mode", "process"]);
    server.check("connect().close()");
    let names = server.wait_for_log("both clients' ends", |lines| {
        let named = |what: &str| -> Vec<String> {
            let lines = lines.iter().filter(|line| line.contains(what));
            let name = |line: &String| line.split_whitespace().nth(2).map(str::to_owned);
            let mut names: Vec<String> = lines.filter_map(name).collect();
            names.sort();
            names
        };
        let (server, process) = (named(" serves it"), named(": connected"));
        (server.len() == 2 && process.len() == 2).then_some((server, process))
    });
    assert_eq!(names.0, names.1);
    assert_ne!(names.0[0], names.0[1]);
}
