//! Descriptors that run out, and clients that are stopped: the others are served on.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::server::{is_stock, is_warning};
use rpyc_tests::{Server, better_than_stock};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// Two clients, and others that come until there is no descriptor for them.
const CLIENTS: &str = r#"
import select, socket
limited, rested = sys.argv[1:]
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)
def other():
    sock = socket.create_connection((HOST, PORT))
    sock.sendall(b'\0\0\0\n\0\1\x11P\x11Q\x11Q\x10\x08\1\n')  # a PING
    return sock
first, second = connect(), connect()
say('connected')
wait_for(limited)
others = [other() for _ in range(60)]
say('too many')
wait_for(rested)
for n in range(100):
    same(first.eval(f'{n} + 1'), n + 1)
    same(second.eval(f'{n} + 2'), n + 2)
# Each that goes lets in one that has waited.
served = select.select(others, [], [], PATIENCE)[0]
waiting = [sock for sock in others if sock not in served]
assert served and len(waiting) > 3, len(served)
for sock, next_one in zip(served, waiting[:3]):
    sock.close()
    assert select.select([next_one], [], [], PATIENCE)[0]
for sock in others:
    sock.close()
    same(first.eval('6 * 7'), 42)
third = connect()
same(third.eval('6 * 7'), 42)
same(first.eval('6 * 7'), 42)
"#;

/// The modes in which one process serves all clients.
const MODES: [&str; 2] = ["threaded", "pool"];

#[test]
fn without_descriptors_it_rests_says_so_once_serves_those_it_has_and_takes_in_more_when_some_go() {
    if better_than_stock("it says so for each client, and accepts in a loop") {
        return;
    }
    thread::scope(|scope| {
        for mode in MODES {
            scope.spawn(move || runs_out(mode));
        }
    });
}

fn runs_out(mode: &str) {
    let server = Server::with_options(&["--mode", mode]);
    let folder = tempfile::TempDir::new().expect("a folder");
    let [limited, rested] = ["limited", "rested"].map(|name| folder.path().join(name));
    let clients = server.program(CLIENTS);
    let clients = clients.argument(limited.to_string_lossy());
    let clients = clients.argument(rested.to_string_lossy()).spawn();
    clients.wait_for("connected");
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.process_id()));
    let few = descriptors.expect("it runs").count() as u64 + 20;
    let limit = Rlimit {
        current: Some(few),
        maximum: Some(few),
    };
    let id = i32::try_from(server.process_id()).ok();
    prlimit(id.and_then(Pid::from_raw), Resource::Nofile, limit).expect("its own user's");
    fs::write(limited, "").expect("written");
    clients.wait_for("too many");
    let told = |line: &&String| line.contains("can't accept clients for now");
    let told = |lines: &[String]| lines.iter().find(told).cloned();
    let line = server.wait_for_log("that nobody gets in", told);
    assert!(line.contains("Too many open files"), "{mode}: {line}");

    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = cpu_ticks(&server);
        thread::sleep(Duration::from_secs(1));
        // One tick is 10 ms.
        if cpu_ticks(&server) - before <= 3 {
            break;
        }
        assert!(Instant::now() < deadline, "{mode}: busy without clients");
    }
    fs::write(rested, "").expect("written");
    server.succeed(clients.finish());
    server.wait_for_log("that they get in again", |lines| {
        let over = |line: &&String| line.contains("accepting clients again");
        lines.iter().find(over).map(|_| ())
    });
    let log = server.log();
    // The others haven't read their answers.
    let warnings = |line: &&str| is_warning(line) && !line.contains("reset by peer");
    assert_eq!(log.lines().filter(warnings).count(), 1, "{mode}:\n{log}");
}

/// The processor time that it has used.
fn cpu_ticks(server: &Server) -> u64 {
    let path = format!("/proc/{}/stat", server.process_id());
    let text = fs::read_to_string(path).expect("it runs");
    let (_, fields) = text.rsplit_once(')').expect("as proc(5) has it");
    let times = fields.split_whitespace().skip(11).take(2);
    times.filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[test]
fn stopped_clients_are_ended_by_the_limits_while_others_are_served() {
    if is_stock() {
        return;
    }
    for mode in MODES {
        let limits = [
            "--mode",
            mode,
            "--write-timeout",
            "2",
            "--idle-timeout",
            "6",
        ];
        let server = Server::with_options(&limits);
        let script = server.client(
            r#"
            import select, signal, subprocess
            CHILD = '''if True:
                import os, rpyc, signal, sys
                conn = rpyc.classic.connect(sys.argv[1], int(sys.argv[2]))
                if sys.argv[3] == 'reading':
                    answer = rpyc.async_(conn.eval)("b'x' * 50_000_000")
                print('stops', flush=True)
                os.kill(os.getpid(), signal.SIGSTOP)
            '''
            PID, children = os.environ['SERVER'], []
            same(conn.eval('6 * 7'), 42)
            before = len(os.listdir(f'/proc/{PID}/fd'))
            for what in 'reading', 'idle':
                command = [sys.executable, '-c', CHILD, HOST, str(PORT), what]
                children.append(subprocess.Popen(command, stdout=subprocess.PIPE))
            def stops(child):
                # This client isn't to be idle while others start.
                same(conn.eval('6 * 7'), 42)
                return select.select([child.stdout], [], [], 0)[0]
            try:
                for child in children:
                    eventually(lambda: stops(child), 'it stops')
                    same(child.stdout.readline(), b'stops\n')
                until = time.monotonic() + 45
                while len(os.listdir(f'/proc/{PID}/fd')) > before:
                    assert time.monotonic() < until, 'they are never ended'
                    same(conn.eval('6 * 7'), 42)
            finally:
                for child in children:
                    child.kill()
                    child.wait()
            "#,
        );
        let script = script.variable("SERVER", server.process_id().to_string());
        server.succeed(script.outcome());
        let told = |lines: &[String]| {
            let both = ["read", "idle"].map(|why| {
                let about = |line: &String| line.contains(": ended: ") && line.contains(why);
                lines.iter().any(about)
            });
            (both == [true; 2]).then_some(())
        };
        server.wait_for_log("why either was ended", told);
    }
}
