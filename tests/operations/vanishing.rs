//! Clients that are gone without a word: their machine lost its power, or a router its memory.

use std::thread;

use rpyc_tests::python::Script;
use rpyc_tests::server::{binary, is_stock};

/// Starts the server in a network of its own, and takes the network away.
const NETWORK: &str = r#"
import subprocess
def network(state):
    subprocess.run(['ip', 'link', 'set', 'lo', state], check=True)
network('up')
with open('init.py', 'w') as init:
    # It leaves a mark when its session is let go of.
    init.write(dedent('''
        import os, time
        class Session:
            def __init__(self):
                self.mark = os.open('marks', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            def __del__(self):
                os.write(self.mark, b'x')
    '''))
server = subprocess.Popen(
    [os.environ['SERVER'], '--classic', '--port', '0', '--logfile', 'log', '--init', 'init.py',
     *sys.argv[1:]])
def log():
    with open('log') as file:
        return file.read()
def threads():
    return len(os.listdir(f'/proc/{server.pid}/task'))
while 'listening on ' not in (log() if os.path.exists('log') else ''):
    assert server.poll() is None
    time.sleep(0.01)
port = int(log().split('listening on 127.0.0.1:')[1].split()[0])
def begin():
    conn = rpyc.classic.connect('127.0.0.1', port)
    conn.execute('session = Session()')
    return conn
def ends():
    return [line for line in log().splitlines() if ': ended: ' in line]
def wait_for(condition):
    while not condition():
        assert server.poll() is None, log()
        time.sleep(0.01)
"#;

/// Runs the code of clients of a server with these options, in every mode that has one process for
/// all clients.
fn in_each_mode(code: &str, options: &[&str]) {
    if is_stock() {
        return;
    }
    let code = format!("{NETWORK}{}", rpyc_tests::python::dedent(code));
    let outcome = |mode: &str| {
        let options = [&["--mode", mode], options].concat();
        let script = options.iter().fold(Script::new(&code), |script, option| {
            script.argument(*option)
        });
        let script = script
            .variable("SERVER", binary().to_string_lossy())
            .in_own_network();
        script
            .outcome()
            .unwrap_or_else(|reason| panic!("{mode}: {reason}"));
    };
    thread::scope(|scope| {
        scope.spawn(|| outcome("threaded"));
        scope.spawn(|| outcome("pool"));
    });
}

#[test]
fn a_client_whose_packets_are_lost_is_freed_whether_it_was_idle_or_waited_for_an_answer() {
    in_each_mode(
        r#"
        first = begin()
        before = threads()
        idle, waiting = begin(), begin()
        answer = rpyc.async_(waiting.eval)("""[
            open('answering', 'w').close(),
            *(time.sleep(0.01) for _ in iter(lambda: os.path.exists('down'), True))]""")
        wait_for(lambda: os.path.exists('answering'))
        network('down')
        open('down', 'w').close()
        wait_for(lambda: len(ends()) == 3)
        for line in ends():
            assert 'timed out' in line, line
        wait_for(lambda: os.path.getsize('marks') == 3)
        network('up')
        again = begin()
        same(again.eval('6 * 7'), 42)
        wait_for(lambda: threads() <= before)
        "#,
        &["--keepalive", "1", "--write-timeout", "4"],
    );
}

#[test]
fn a_client_that_does_nothing_is_closed_where_the_operator_wants_it() {
    in_each_mode(
        r#"
        conn = begin()
        with raises(EOFError):
            while True:
                conn.serve(PATIENCE)
        wait_for(lambda: ends() and os.path.getsize('marks') == 1)
        assert 'idle' in ends()[0], ends()
        "#,
        &["--idle-timeout", "2"],
    );
}

/// A client in a process of its own, which does what the code says with its connection.
const STOPPED: &str = r#"
import signal
def client(code):
    child = os.fork()
    if not child:
        conn = begin()
        exec(code)
        while True:
            conn.serve(PATIENCE)
    return child
def stop(child):
    os.kill(child, signal.SIGSTOP)
    os.waitpid(child, os.WUNTRACED)
other = begin()
def freed():
    same(other.eval('6 * 7'), 42)
    return len(ends()) == 1 and os.path.getsize('marks') == 1
"#;

#[test]
fn a_stopped_client_that_leaves_its_answer_unread_is_freed() {
    in_each_mode(
        &format!(
            "{STOPPED}{}",
            r#"
asks = client("""rpyc.async_(conn.eval)(
    "[open('asked', 'w').close(), *(time.sleep(0.01) for _ in iter(lambda: os.path.exists('stopped'), True))] and b'x' * 100_000_000")""")
wait_for(lambda: os.path.exists('asked'))
stop(asks)
open('stopped', 'w').close()
wait_for(freed)
assert "didn't read" in ends()[0], ends()
os.kill(asks, signal.SIGKILL)
"#
        ),
        &["--write-timeout", "1"],
    );
}

#[test]
fn a_stopped_client_that_does_nothing_is_freed_where_the_operator_wants_it() {
    in_each_mode(
        &format!(
            "{STOPPED}{}",
            r#"
idle = client("open('connected', 'w').close()")
# The other client isn't to be idle meanwhile.
wait_for(lambda: other.eval('True') and os.path.exists('connected'))
stop(idle)
wait_for(freed)
assert 'idle' in ends()[0], ends()
os.kill(idle, signal.SIGKILL)
"#
        ),
        &["--idle-timeout", "2"],
    );
}
