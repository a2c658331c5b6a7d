//! SIGTERM with clients of every kind connected.

use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rpyc_registry::{Directory, RegistryClient, RegistryError};
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::python::Running;
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

/// Idle clients and a busy one.
const BUSY: &str = r#"
ended, gate, over, count = sys.argv[1:]
def begin():
    conn = connect()
    conn.execute(f'session = Session({ended!r})')
    return conn

idle = [begin() for _ in range(int(count))]
busy = begin()
in_time = rpyc.async_(busy.eval('wait_for'))(gate)
eventually(lambda: idle[0].eval('1') and os.path.exists(f'{gate}-busy'), 'busy')
say('connected')

for conn in idle:
    with raises(EOFError):
        while True:
            conn.serve(PATIENCE)
say('the idle ones are closed')
in_time.wait()
say(in_time.value)
with raises(OSError):
    connect()
"#;

/// An idle client and two stuck ones: code that never ends, and an answer that is never read.
const STUCK: &str = r#"
ended, gate, over, count = sys.argv[1:]
def begin():
    conn = connect()
    conn.execute(f'session = Session({ended!r})')
    return conn

idle, stuck, deaf = begin(), begin(), begin()
endless = rpyc.async_(stuck.eval('loop'))(gate)
unread = rpyc.async_(deaf.eval('answer'))(gate)
for name in 'looping', 'answering':
    eventually(lambda: idle.eval('1') and os.path.exists(f'{gate}-{name}'), name)
say('connected')

with raises(EOFError):
    endless.value
# Nothing has been read of this one until the server is gone.
eventually(lambda: os.path.exists(over), 'the server ends')
with raises(EOFError):
    unread.value
"#;

/// A registered server that has been told to stop, with its clients.
struct Stopping {
    server: Server,
    registry: PythonRegistry,
    clients: Running,
    folder: tempfile::TempDir,
}

impl Stopping {
    fn begin(mode: &str, grace: &str, clients: &str, idle: usize) -> Stopping {
        let registry = PythonRegistry::start("UDP");
        let port = registry.port().to_string();
        let folder = tempfile::TempDir::new().expect("a folder");
        let init = folder.path().join("init.py");
        fs::write(&init, INIT).expect("written");
        let server = Server::with_options(&[
            "--mode",
            mode,
            "--init",
            init.to_str().expect("a plain path"),
            "--grace",
            grace,
            "--register",
            "--registry-host",
            "127.0.0.1",
            "--registry-port",
            &port,
        ]);
        server.wait_for_log("its registration", |lines| {
            let registered = |line: &&String| line.contains("registered port");
            lines.iter().find(registered).map(|_| ())
        });
        let found = discovered(&registry).expect("it is registered");
        assert_eq!(found, 1);
        let mut script = server.program(clients);
        for name in ["ended", "gate", "over"] {
            script = script.argument(folder.path().join(name).to_string_lossy());
        }
        let script = script.argument(idle.to_string());
        // The clients connect one after another.
        let clients = script.deadline(3 * PATIENCE).spawn();
        clients.wait_for("connected");
        server.signal(Signal::TERM);
        let begun = Instant::now();
        while TcpStream::connect(server.address()).is_ok() {
            assert!(begun.elapsed() < PATIENCE, "it goes on accepting");
            // Each attempt is two lines of the log, and the log is limited.
            thread::sleep(Duration::from_millis(10));
        }
        Stopping {
            server,
            registry,
            clients,
            folder,
        }
    }

    fn write(&self, name: &str) {
        fs::write(self.folder.path().join(name), "").expect("written");
    }

    /// Whether all of it ends: so many sessions, each of them once, and the registration. Gives the
    /// sessions that have left a mark, and the log.
    #[track_caller]
    fn ends(mut self, sessions: usize) -> (usize, String) {
        let status = self.server.ended(PATIENCE);
        assert_eq!(status.code(), Some(0), "{}", self.server.log());
        self.write("over");
        self.server.succeed(self.clients.finish());
        let gone = discovered(&self.registry);
        assert!(
            matches!(gone, Err(RegistryError::NoServer { .. })),
            "{gone:?}"
        );
        let log = self.server.log();
        let of_session = |line: &&str| line.contains(" from 127.0.0.1:");
        let lines: Vec<&str> = log.lines().filter(of_session).collect();
        for number in 1..=sessions {
            let about = format!(" conn{number} from ");
            let about = lines.iter().filter(|line| line.contains(&about));
            let ends = about.filter(|line| line.contains(": ended: "));
            assert_eq!(ends.count(), 1, "conn{number}\n{log}");
        }
        let marks = fs::read_to_string(self.folder.path().join("ended"));
        (marks.expect("marks").lines().count(), log)
    }
}

fn discovered(registry: &PythonRegistry) -> Result<usize, RegistryError> {
    let client = RegistryClient::udp("127.0.0.1").port(registry.port());
    let found = client.timeout(PATIENCE).discover("slave")?;
    Ok(found.len())
}

#[test]
fn sigterm_closes_the_idle_lets_the_busy_finish_and_unregisters() {
    if better_than_stock("it waits for nobody, and has no such options") {
        return;
    }
    thread::scope(|scope| {
        // Each process is an interpreter.
        for (mode, idle) in [("threaded", 100), ("pool", 100), ("process", 8)] {
            scope.spawn(move || {
                // As long as it takes: it isn't waited for.
                let stopping = Stopping::begin(mode, "1000", BUSY, idle);
                stopping.clients.wait_for("the idle ones are closed");
                stopping.write("gate");
                stopping.clients.wait_for("in time");
                let (marks, log) = stopping.ends(idle + 1);
                assert_eq!(marks, idle + 1, "{mode}\n{log}");
            });
        }
    });
}

#[test]
fn sigterm_cuts_the_stuck() {
    if better_than_stock("it waits for nobody, and has no such options") {
        return;
    }
    thread::scope(|scope| {
        for mode in ["threaded", "pool", "process"] {
            scope.spawn(move || {
                let (marks, log) = Stopping::begin(mode, "1", STUCK, 1).ends(3);
                // Those of the stuck ones have a second after the grace, and may come too late.
                assert!((1..=3).contains(&marks), "{mode}: {marks}\n{log}");
            });
        }
    });
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

#[test]
fn a_server_says_last_of_all_that_it_is_stopped_in_every_mode() {
    for mode in ["threaded", "pool", "process"] {
        let mut server = Server::with_options(&["--mode", mode]);
        let status = server.stop(Signal::TERM, PATIENCE);
        assert!(status.success(), "{mode}: {status}");
        let is_last = |line: &String| line.ends_with("stopped");
        server.wait_for_log("its last line", |lines| {
            lines.last().filter(|line| is_last(line)).map(drop)
        });
    }
}
