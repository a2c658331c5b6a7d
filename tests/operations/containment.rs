//! A process for each client: what it has started ends with it, however it ends.

use std::thread;

use rpyc_tests::python::{Script, dedent};
use rpyc_tests::server::{Evaluator, binary, is_stock, only_on};

/// A server, and a client that leaves two processes behind: one in its group, and one in a session of
/// its own.
const SERVER: &str = r#"
import signal, subprocess
server = subprocess.Popen(
    [os.environ['SERVER'], '--classic', '--port', '0', '--mode', 'process', *sys.argv[1:]],
    stderr=subprocess.PIPE, text=True)
log = []
def read():
    for line in server.stderr:
        log.append(line)
threading.Thread(target=read, daemon=True).start()
eventually(lambda: any('listening on' in line for line in log), 'it listens')
line = next(line for line in log if 'listening on' in line)
port = int(line.split('listening on 127.0.0.1:')[1].split()[0])
conn = rpyc.classic.connect('127.0.0.1', port)
START = '''
sleep 1000 >/dev/null 2>&1 & echo $!
setsid sleep 1000 >/dev/null 2>&1 & echo $!
'''
started = conn.modules.subprocess.check_output(['sh', '-c', START])
started = [int(pid) for pid in bytes(started).split()]
process = conn.modules.os.getpid()
def runs(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return False
assert len(started) == 2 and all(map(runs, [process, *started]))
def gone():
    eventually(lambda: not any(map(runs, [process, *started])), 'nothing is left')
"#;

fn contained(code: &str, options: &[&str]) {
    if is_stock() {
        return;
    }
    let code = format!("{SERVER}{}", dedent(code));
    let script = options.iter().fold(Script::new(&code), |script, option| {
        script.argument(*option)
    });
    let script = script.variable("SERVER", binary().to_string_lossy());
    script.outcome().unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn what_a_client_has_started_ends_with_its_process_however_that_ends() {
    thread::scope(|scope| {
        for (ends, options) in [
            ("conn.close()", &[][..]),
            ("conn._channel.close()", &[]),
            (
                "kill = rpyc.async_(conn.modules.os.kill); kill(process, 9)",
                &[],
            ),
            // Long enough for a slow machine to have started all of it.
            ("pass", &["--max-lifetime", "10"]),
        ] {
            let code = format!("{ends}\ngone()\nassert server.poll() is None\nserver.kill()");
            scope.spawn(move || contained(&code, options));
        }
    });
}

#[test]
fn what_clients_have_started_ends_with_the_server_when_it_is_told_to_stop() {
    contained(
        r"
        server.terminate()
        same(server.wait(PATIENCE), 0)
        gone()
        ",
        &[],
    );
}

#[test]
fn a_process_that_doesnt_stop_in_time_is_killed_with_what_it_has_started() {
    contained(
        r"
        endless = rpyc.async_(conn.execute)('while True: pass')
        server.terminate()
        same(server.wait(PATIENCE), 0)
        gone()
        ",
        &["--grace", "1"],
    );
}

#[test]
fn when_client_code_kills_the_server_nothing_is_left_of_it() {
    contained(
        r"
        kill = rpyc.async_(conn.modules.os.kill)
        kill(server.pid, 9)
        same(server.wait(PATIENCE), -9)
        gone()
        ",
        &[],
    );
}

#[test]
fn a_process_that_was_stopped_doesnt_outlive_a_server_that_is_killed() {
    contained(
        r"
        os.kill(process, signal.SIGSTOP)
        server.kill()
        gone()
        ",
        &[],
    );
}

#[test]
fn another_users_process_can_neither_end_the_server_nor_be_had_without_root() {
    let why = "another user can't start a Python in this one's folders";
    if !only_on(Evaluator::RustPython, why) {
        return;
    }
    let code = r#"
        import shutil, subprocess
        # Where the other user may start it.
        folder = tempfile.mkdtemp(dir='/tmp')
        os.chmod(folder, 0o755)
        program = shutil.copy(os.environ['SERVER'], folder)
        os.chmod(program, 0o755)
        command = [program, '--classic', '--port', '0', '--mode', 'process', '--user']
        try:
            if os.geteuid() != 0:
                said = subprocess.run([*command, '65534:65534', '--check'], capture_output=True, text=True)
                assert said.returncode == 1 and 'only root' in said.stderr, said
            else:
                server = subprocess.Popen(
                    [*command, '65534:65533'], stderr=subprocess.PIPE, text=True, cwd='/')
                while 'listening on ' not in (line := server.stderr.readline()):
                    assert line
                port = int(line.split('listening on 127.0.0.1:')[1].split()[0])
                conn = rpyc.classic.connect('127.0.0.1', port)
                system = conn.modules.os
                same((system.getuid(), system.getgid(), list(system.getgroups())), (65534, 65533, []))
                same(system.getppid(), server.pid)
                with raises(PermissionError):
                    system.kill(server.pid, 9)
                same(conn.eval('6 * 7'), 42)
                server.terminate()
                same(server.wait(PATIENCE), 0)
        finally:
            shutil.rmtree(folder)
    "#;
    let code = format!("import tempfile\n{}", dedent(code));
    let script = Script::new(&code).variable("SERVER", binary().to_string_lossy());
    script.outcome().unwrap_or_else(|reason| panic!("{reason}"));
}
