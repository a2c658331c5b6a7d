//! SIGTERM with clients of every kind connected.

use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use rpyc_core::registry::{RegistryClient, RegistryError};
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::registry::PythonRegistry;
use rpyc_tests::server::Signal;
use rpyc_tests::{Server, better_than_stock};

/// What each client finds: an object that leaves a mark when its session is let go of, and ways to
/// be busy.
const INIT: &str = r#"
import os, sys, time
class Session:
    def __init__(self, path):
        self.mark = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    def __del__(self):
        os.write(self.mark, b'ended\n')
def begin(path):
    open(path, 'w').close()
def wait_for(path):
    begin(path + '-busy')
    while not os.path.exists(path):
        time.sleep(0.01)
    return 'in time'
def loop(path):
    begin(path + '-looping')
    while True:
        pass
def answer(path):
    begin(path + '-answering')
    return b'x' * 200_000_000
"#;

/// Idle clients, a busy one, and two stuck ones: code that never ends, and an answer that is
/// never read.
const CLIENTS: &str = r#"
ended, gate, over, count = sys.argv[1:]
def begin():
    conn = connect()
    conn.execute(f'session = Session({ended!r})')
    return conn

idle = [begin() for _ in range(int(count))]
busy, stuck, deaf = begin(), begin(), begin()
in_time = rpyc.async_(busy.eval('wait_for'))(gate)
endless = rpyc.async_(stuck.eval('loop'))(gate)
unread = rpyc.async_(deaf.eval('answer'))(gate)
for name in 'busy', 'looping', 'answering':
    eventually(lambda: idle[0].eval('1') and os.path.exists(f'{gate}-{name}'), name)
say('connected')

for conn in idle:
    with raises(EOFError):
        while True:
            conn.serve(PATIENCE)
say('the idle ones are closed')
in_time.wait()
say(in_time.value)
with raises(EOFError):
    endless.value
with raises(OSError):
    connect()
# Nothing has been read of this one until the server is gone.
eventually(lambda: os.path.exists(over), 'the server ends')
with raises(EOFError):
    unread.value
"#;

#[test]
fn sigterm_closes_the_idle_lets_the_busy_finish_cuts_the_stuck_and_unregisters() {
    if better_than_stock("it waits for nobody, and has no such options") {
        return;
    }
    thread::scope(|scope| {
        // Each process is an interpreter.
        for (mode, idle) in [("threaded", 100), ("pool", 100), ("process", 8)] {
            scope.spawn(move || stops(mode, idle));
        }
    });
}

fn stops(mode: &str, idle: usize) {
    let registry = PythonRegistry::start("UDP");
    let port = registry.port().to_string();
    let folder = tempfile::TempDir::new().expect("a folder");
    let paths = ["init.py", "ended", "gate", "over"].map(|name| folder.path().join(name));
    let [init, ended, gate, over] = &paths;
    fs::write(init, INIT).expect("written");
    let mut server = Server::with_options(&[
        "--mode",
        mode,
        "--init",
        init.to_str().expect("a plain path"),
        "--grace",
        "3",
        "--register",
        "--registry-host",
        "127.0.0.1",
        "--registry-port",
        &port,
    ]);
    let client = RegistryClient::udp("127.0.0.1")
        .port(registry.port())
        .timeout(PATIENCE);
    server.wait_for_log("its registration", |lines| {
        let registered = |line: &&String| line.contains("registered port");
        lines.iter().find(registered).map(|_| ())
    });
    let found = client.discover("slave").expect("it is registered");
    assert_eq!(found.len(), 1);
    let script = server.program(CLIENTS);
    let script = [ended, gate, over]
        .into_iter()
        .fold(script, |script, path| {
            script.argument(path.to_string_lossy())
        });
    let clients = script.argument(idle.to_string()).spawn();
    clients.wait_for("connected");

    let begun = Instant::now();
    server.signal(Signal::TERM);
    while TcpStream::connect(server.address()).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it goes on accepting");
    }
    clients.wait_for("the idle ones are closed");
    fs::write(gate, "").expect("written");
    clients.wait_for("in time");
    let status = server.ended(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", server.log());
    // The grace, and a moment; the machine may be a busy one.
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    fs::write(over, "").expect("written");
    server.succeed(clients.finish());

    let gone = client.discover("slave");
    assert!(
        matches!(gone, Err(RegistryError::NoServer { .. })),
        "{gone:?}"
    );
    let log = server.log();
    let of_session = |line: &&str| line.contains(" from 127.0.0.1:");
    let sessions: Vec<&str> = log.lines().filter(of_session).collect();
    for number in 1..=idle + 3 {
        let about = format!(" conn{number} from ");
        let about = sessions.iter().filter(|line| line.contains(&about));
        let ends = about.filter(|line| line.contains(": ended: "));
        assert_eq!(ends.count(), 1, "{mode}: conn{number}\n{log}");
    }
    // Once for each; the session of the code that never ends may have come too late.
    let marks = fs::read_to_string(ended).expect("marks").lines().count();
    assert!(
        (idle + 2..=idle + 3).contains(&marks),
        "{mode}: {marks}\n{log}"
    );
}

/// What systemd does with all processes of a service, `timeout` and Ctrl-C with a group: each of them
/// is told, some more than once.
#[test]
fn a_signal_to_all_its_processes_is_one_order_to_stop() {
    if better_than_stock("it waits for nobody") {
        return;
    }
    let systemd = "(server, 'TERM'), (process, 'TERM'), (server, 'TERM')";
    let terminal = "(process, 'INT'), (server, 'INT')";
    for (mode, orders) in [
        ("threaded", systemd),
        ("pool", systemd),
        ("process", systemd),
        ("process", terminal),
    ] {
        let folder = tempfile::TempDir::new().expect("a folder");
        let busy = folder.path().join("busy");
        let mut server = Server::with_options(&["--mode", mode]);
        let client = server.program(
            &r#"
            import signal
            conn = connect()
            server, busy = int(sys.argv[1]), sys.argv[2]
            process = conn.modules.os.getpid()
            conn.execute("import time")
            answer = rpyc.async_(conn.eval)(f'open({busy!r}, "w").close() or time.sleep(1) or 42')
            while not os.path.exists(busy):
                time.sleep(0.01)
            for told, name in ORDERS:
                os.kill(told, getattr(signal, 'SIG' + name))
            same(answer.value, 42)
            "#
            .replace("ORDERS", orders),
        );
        let client = client.argument(server.process_id().to_string());
        let client = client.argument(busy.to_string_lossy());
        server.succeed(client.outcome());
        let status = server.ended(PATIENCE);
        assert_eq!(status.code(), Some(0), "{mode}: {}", server.log());
    }
}
