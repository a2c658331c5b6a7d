//! Clients whose code blocks in the system or computes without end, while the collector of garbage,
//! which stops all threads, wants to run.

use rpyc_tests::Server;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::server::{Evaluator, Signal, only_on};

/// `blocked(code)` is a client whose code has come to where it blocks, and its answer.
const HELPERS: &str = r#"
import fcntl
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
        import sqlite3
        automatic = conn.eval('gc.get_threshold()'), conn.eval('gc.isenabled()')
        database = os.path.abspath('database')
        locking = sqlite3.connect(database, isolation_level=None)
        def read():
            reading = reader()
            return lambda: os.close(reading)
        def unlock():
            locking.execute('commit')
            return lambda: None
        pipe = f"import _io; _io.FileIO({fifo!r}, 'wb').close()"
        table = dedent(f"""
            import sqlite3
            with sqlite3.connect({database!r}, timeout={PATIENCE}) as waiting:
                waiting.execute('create table made (number)')
        """)
        for code, end, others in (
            (pipe, read, others_are_served),
            (pipe, read, much_garbage_is_made),
            (table, unlock, others_are_served),
        ):
            eventually(garbage_is_collected, 'collections go on')
            locking.execute('begin exclusive')
            blocking, answer = blocked(code)
            others()
            assert not answer.ready
            done = end()
            answer.wait()
            assert not answer.error, answer.value
            done()
            if locking.in_transaction:
                locking.execute('rollback')
            same(blocking.eval('1 + 1'), 2)
            blocking.close()
        def as_before():
            return (conn.eval('gc.get_threshold()'), conn.eval('gc.isenabled()')) == automatic
        eventually(as_before, 'collections go on by themselves')
        "#,
    );
}

#[test]
fn what_a_collection_left_that_was_given_up_is_collected_when_the_call_has_ended() {
    check(
        &Server::start(),
        r#"
        blocking, answer = blocked(f"import _io; _io.FileIO({fifo!r}, 'wb').close()")
        conn.execute(dedent("""
            import weakref
            class Kept: pass
            kept = Kept()
            kept.itself, gone = kept, weakref.ref(kept)
            del kept
            gc.collect()
        """))
        reading = reader()
        answer.wait()
        eventually(lambda: conn.eval('gone() is None'), 'nobody asks for it, and no client goes')
        os.close(reading)
        "#,
    );
}

/// Calls that wait for a file, and how each is ended.
#[test]
fn garbage_is_collected_while_a_call_waits_for_a_file() {
    check(
        &Server::start(),
        r#"
        def read_fifo():
            reading = reader()
            ends.append(lambda: os.close(reading))
        def write_fifo():
            writing = os.open(fifo, os.O_WRONLY)
            ends.append(lambda: os.close(writing))
        lock = os.path.abspath('lock')
        locked = open(lock, 'wb')
        def unlock():
            fcntl.lockf(locked, fcntl.LOCK_UN)
            fcntl.flock(locked, fcntl.LOCK_UN)
        source = os.path.abspath('source')
        with open(source, 'wb') as file:
            file.write(bytes(100_000))
        filling = f"""
        import os, socket
        reading, writing = os.pipe()
        with open({source!r}, 'rb') as file:
            string.left = reading
            left = os.fstat(file.fileno()).st_size
            while left:
                left -= os.sendfile(writing, file.fileno(), 100_000 - left, left)
        """
        def empty():
            conn.execute('import os, string')
            left = 100_000
            while left:
                left -= len(conn.eval(f'os.read(string.left, {left})'))
        for code, end in (
            (f"with open({fifo!r}, 'wb'): pass", read_fifo),
            (f"with open({fifo!r}): pass", write_fifo),
            (f"import io; io.open_code({fifo!r}).close()", write_fifo),
            (f"import os; os.close(os.open({fifo!r}, os.O_WRONLY))", read_fifo),
            (f"import os; assert os.system('true > {fifo}') == 0", read_fifo),
            (f"import fcntl\nwith open({lock!r}, 'wb') as file: fcntl.flock(file, fcntl.LOCK_EX)", unlock),
            (f"import fcntl\nwith open({lock!r}, 'wb') as file: fcntl.lockf(file, fcntl.LOCK_EX)", unlock),
            (f"import os\nwith open({lock!r}, 'wb') as file: os.lockf(file.fileno(), os.F_LOCK, 0)", unlock),
            (dedent(filling), empty),
        ):
            fcntl.lockf(locked, fcntl.LOCK_EX)
            fcntl.flock(locked, fcntl.LOCK_EX)
            ends = []
            blocking, answer = blocked(code)
            others_are_served()
            much_garbage_is_made()
            assert garbage_is_collected(), code
            assert not answer.ready, code
            end()
            answer.wait()
            assert not answer.error, (code, answer.value)
            for last in ends:
                last()
            same(blocking.eval('1 + 1'), 2)
            blocking.close()
        "#,
    );
}

#[test]
fn others_are_served_while_a_client_uploads_to_a_pipe_that_nobody_reads() {
    check(
        &Server::start(),
        r#"
        import threading
        from rpyc.utils.classic import upload
        source = os.path.abspath('source')
        with open(source, 'wb') as file:
            file.write(b'text')
        uploading = connect()
        copying = threading.Thread(target=upload, args=(uploading, source, fifo))
        copying.start()
        others_are_served()
        assert garbage_is_collected() and copying.is_alive()
        reading = os.open(fifo, os.O_RDONLY)
        same(os.read(reading, 100), b'text')
        copying.join()
        uploading.close()
        "#,
    );
}

#[test]
fn a_client_that_has_gone_ends_what_it_waits_for() {
    if !only_on(Evaluator::RustPython, "CPython's calls aren't woken") {
        return;
    }
    let mut server = Server::start();
    let script = server.client(&format!(
        "{HELPERS}
stuck = [blocked(f'open({{fifo!r}}, \"wb\")'), blocked(f'import os; os.open({{fifo!r}}, os.O_WRONLY)')]
for client, _ in stuck:
    client.close()
"
    ));
    server.succeed(script.outcome());
    server.wait_for_log("the end of all of them", |lines| {
        let ended = lines.iter().filter(|line| line.contains(": ended: "));
        (ended.count() == 3).then_some(())
    });
    assert!(server.is_running());
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
fn others_are_served_while_calls_of_two_interpreters_compute_without_end() {
    if !only_on(
        Evaluator::RustPython,
        "such a call holds the lock of CPython's interpreter",
    ) {
        return;
    }
    check(
        &Server::start(),
        r#"
        endless = 'import itertools; sum(itertools.repeat(1))'
        apart = f'import _interpreters; _interpreters.exec(_interpreters.create(), {endless!r})'
        stuck = [blocked(endless), blocked(apart)]
        for _ in range(2):
            others_are_served()
            while not conn.eval('gc.get_threshold()')[0]:
                time.sleep(0.05)
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
