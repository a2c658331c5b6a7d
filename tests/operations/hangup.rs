//! SIGHUP: from logrotate, from an operator, from a terminal that was closed.

use rpyc_tests::python::Script;
use rpyc_tests::registry::Registry;
use rpyc_tests::server::{Signal, binary, is_stock};
use rpyc_tests::{Server, better_than_stock};

#[test]
fn with_nothing_to_read_anew_it_says_so_and_goes_on() {
    if better_than_stock("it ends") {
        return;
    }
    let server = Server::start();
    server.signal(Signal::HUP);
    server.wait_for_log("that nothing is read anew", |lines| {
        let said = |line: &&String| line.contains("SIGHUP: neither TLS nor a log file");
        lines.iter().find(said).map(|_| ())
    });
    server.check("same(conn.eval('6 * 7'), 42)");
    let registry = Registry::start(&["--host", "127.0.0.1"]);
    registry.signal(Signal::HUP);
    registry.wait_for("SIGHUP: neither TLS nor a log file");
    assert_eq!(registry.stop(), Some(0));
}

/// Runs it with its log in a file, and nothing to say to its standard error.
const LOGGING: &str = r#"
import signal, subprocess
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
server = subprocess.Popen(
    [os.environ['SERVER'], '--classic', '--port', '0', '--logfile', 'log', '--mode', sys.argv[1]],
    stderr=subprocess.PIPE, text=True)
def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ''
def wait_for(path, text):
    while text not in read(path):
        assert server.poll() is None
        time.sleep(0.01)
wait_for('log', 'listening on ')
port = int(read('log').split('listening on 127.0.0.1:')[1].split()[0])
"#;

fn with_log_file(code: &str) {
    with_log_file_in("threaded", code);
}

fn with_log_file_in(mode: &str, code: &str) {
    if is_stock() {
        return;
    }
    let code = rpyc_tests::python::dedent(code);
    let script = Script::new(&format!("{LOGGING}{code}"));
    let script = script.variable("SERVER", binary().to_string_lossy());
    script
        .argument(mode)
        .in_own_network()
        .outcome()
        .unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn the_log_file_is_opened_anew_when_it_was_moved_away() {
    with_log_file(
        r#"
        first = rpyc.classic.connect('127.0.0.1', port)
        wait_for('log', 'conn1 from')
        os.rename('log', 'log.1')
        server.send_signal(signal.SIGHUP)
        wait_for('log', 'SIGHUP: the log file is opened anew')
        second = rpyc.classic.connect('127.0.0.1', port)
        wait_for('log', 'conn2 from')
        assert 'conn1' in read('log.1') and 'conn2' not in read('log.1')
        assert 'conn1' not in read('log')
        # Where there can be none, the old one goes on.
        os.rename('log', 'log.2')
        os.mkdir('log')
        server.send_signal(signal.SIGHUP)
        wait_for('log.2', 'ERROR SIGHUP: the log goes on as it was: --logfile log: ')
        same(first.eval('6 * 7'), 42)
        server.terminate()
        same(server.communicate(timeout=PATIENCE)[1], '')
        same(server.returncode, 0)
        "#,
    );
}

/// Runs the server at a terminal, and closes that.
const TERMINAL: &str = r#"
import pty
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
while not os.path.exists(sys.argv[-1]) or 'listening' not in open(sys.argv[-1]).read():
    time.sleep(0.01)
os.close(terminal)
same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
assert 'SIGHUP: stopping' in open(sys.argv[-1]).read()
"#;

#[test]
fn a_server_whose_terminal_is_closed_stops_in_order() {
    if is_stock() {
        return;
    }
    let script = Script::new(TERMINAL).argument(binary().to_string_lossy());
    let options = ["--classic", "--port", "0", "--logfile", "log"];
    let script = options
        .into_iter()
        .fold(script, |script, option| script.argument(option));
    script.outcome().unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn the_processes_of_clients_open_the_log_file_anew_too() {
    with_log_file_in(
        "process",
        r#"
        conn = rpyc.classic.connect('127.0.0.1', port)
        process = conn.modules.os.getpid()
        os.rename('log', 'log.1')
        server.send_signal(signal.SIGHUP)
        def files():
            names = []
            for fd in os.listdir(f'/proc/{process}/fd'):
                # It may be closed by now.
                with contextlib.suppress(FileNotFoundError):
                    names.append(os.path.basename(os.readlink(f'/proc/{process}/fd/{fd}')))
            return names
        eventually(lambda: 'log' in files() and 'log.1' not in files(), 'its log is the new one')
        same(conn.eval('6 * 7'), 42)
        server.terminate()
        same(server.wait(PATIENCE), 0)
        "#,
    );
}
