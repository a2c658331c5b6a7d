//! Descriptors that run out, and clients that are stopped: the others are served on.

use rpyc_tests::Server;
use rpyc_tests::server::is_stock;

/// The modes in which one process serves all clients.
const MODES: [&str; 2] = ["threaded", "pool"];

#[test]
fn a_server_without_descriptors_serves_whom_it_has_and_then_new_clients_again() {
    if is_stock() {
        return;
    }
    for mode in MODES {
        let server = Server::with_options(&["--mode", mode]);
        let script = server.client(
            r#"
            import resource, socket
            def open_files():
                return len(os.listdir(f'/proc/{PID}/fd'))
            def cpu_seconds():
                with open(f'/proc/{PID}/stat') as stat:
                    fields = stat.read().rpartition(')')[2].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
            PID = int(os.environ['SERVER'])
            same(conn.eval('6 * 7'), 42)
            hard = resource.prlimit(PID, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(PID, resource.RLIMIT_NOFILE, (open_files() + 8, hard))
            crowd = [socket.create_connection((HOST, PORT)) for _ in range(60)]
            for i in range(50):
                same(conn.eval(str(i)), i)
            # It tries again now and then, and doesn't spin.
            before = cpu_seconds()
            time.sleep(1)
            assert cpu_seconds() - before < 0.5, cpu_seconds() - before
            same(conn.eval('6 * 7'), 42)
            for one in crowd:
                one.close()
            with connect() as new:
                same(new.eval('1 + 1'), 2)
            "#,
        );
        let script = script.variable("SERVER", server.process_id().to_string());
        server.succeed(script.outcome());
        let log = server.log();
        let told = log.lines().filter(|line| line.contains("descriptor"));
        let told: Vec<&str> = told
            .chain(log.lines().filter(|line| line.contains("open files")))
            .collect();
        assert!((1..=5).contains(&told.len()), "{mode}: {told:#?}");
    }
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
            "3",
        ];
        let server = Server::with_options(&limits);
        let script = server.client(
            r#"
            import signal, subprocess
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
            try:
                for child in children:
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
