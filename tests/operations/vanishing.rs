//! Clients that are gone without a word: their machine lost its power, or a router its memory.

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

fn in_own_network(code: &str, options: &[&str]) {
    if is_stock() {
        return;
    }
    let code = rpyc_tests::python::dedent(code);
    let script = Script::new(&format!("{NETWORK}{code}"));
    let script = options
        .iter()
        .fold(script, |script, option| script.argument(*option));
    let script = script
        .variable("SERVER", binary().to_string_lossy())
        .in_own_network();
    script.outcome().unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn a_client_whose_packets_are_lost_is_freed_whether_it_was_idle_or_waited_for_an_answer() {
    in_own_network(
        r#"
        first = begin()
        before = threads()
        idle, waiting = begin(), begin()
        answer = rpyc.async_(waiting.eval)("open('answering', 'w').close() or time.sleep(0.5)")
        wait_for(lambda: os.path.exists('answering'))
        network('down')
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
    in_own_network(
        r#"
        conn = begin()
        with raises(EOFError):
            while True:
                conn.serve(PATIENCE)
        wait_for(lambda: ends() and os.path.getsize('marks') == 1)
        assert 'idle' in ends()[0], ends()
        "#,
        &["--idle-timeout", "0.5"],
    );
}
