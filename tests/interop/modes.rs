//! The ways to serve: the scenarios in each of them, and the server over its standard streams.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rpyc_core::{Connector, Error, args};
use rpyc_server::connect_deployed;
use rpyc_tests::certs::Authority;
use rpyc_tests::child;
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::python::Script;
use rpyc_tests::server::{Evaluator, binary, is_stock, only_on};

#[track_caller]
fn runs(mode: &str, scenarios: &[&str]) {
    if is_stock() {
        return;
    }
    let this = std::env::current_exe().expect("this test");
    let mut command = Command::new(this);
    command.args(scenarios).env("RPYC_TEST_MODE", mode);
    let output = child::output(&mut command).expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("running 0 tests"), "{text}");
}

#[test]
fn a_pool_runs_the_scenarios() {
    runs(
        "pool",
        &["calls::", "callbacks::", "exceptions::", "references::"],
    );
}

#[test]
fn a_process_for_each_client_runs_the_scenarios() {
    // Not those of references: one of them has two clients share a module of the server.
    runs("process", &["calls::", "callbacks::", "exceptions::"]);
}

#[test]
fn forking_is_another_name_for_a_process_for_each_client() {
    if is_stock() {
        return;
    }
    let server = rpyc_tests::Server::with_options(&["--mode", "forking"]);
    server.check(
        "
        with connect() as other:
            assert other.modules.os.getpid() != conn.modules.os.getpid()
        ",
    );
}

#[test]
fn one_thread_serves_many_clients_whose_callbacks_call_back() {
    if is_stock() {
        return;
    }
    let server = rpyc_tests::Server::with_options(&["--mode", "pool", "--workers", "1"]);
    server.check(
        "
        others = [connect() for _ in range(20)]
        call = conn.eval('lambda f, x: f(x)')
        same(call(lambda x: others[3].eval('lambda f, x: f(x)')(lambda x: x + 1, x) * 2, 20), 42)
        for other in others:
            same(other.eval('1 + 1'), 2)
            other.close()
        ",
    );
}

/// A Python program that starts the server for itself.
fn over_stdio(code: &str) -> Script {
    let start = "conn = rpyc.utils.factory.connect_subproc(\
                 [os.environ['SERVER'], '--classic', '--mode', 'stdio', *sys.argv[1:]], \
                 service=rpyc.core.service.ClassicService)\n";
    let code = rpyc_tests::python::dedent(code);
    Script::new(&format!("{start}{code}"))
        .variable("SERVER", binary().to_str().expect("a plain path"))
}

#[test]
fn a_server_over_standard_streams_names_its_python_first_and_runs_code_on_its_main_thread() {
    if !only_on(Evaluator::CPython, "RustPython comes with the program") {
        return;
    }
    let script = over_stdio(
        "
        conn.execute('import threading, signal')
        same(conn.eval('threading.current_thread() is threading.main_thread()'), True)
        conn.execute('signal.signal(signal.SIGUSR1, signal.SIG_IGN)')
        conn.close()
        same(conn.proc.wait(PATIENCE), 0)
        first = open(sys.argv[2]).readline()
        assert 'CPython 3.' in first and 'packages in ' in first, first
        ",
    );
    let folder = tempfile::TempDir::new().expect("a folder");
    let log = folder.path().join("log");
    let script = script.argument("--logfile").argument(log.to_string_lossy());
    script.outcome().unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn a_python_program_has_a_server_over_its_standard_streams() {
    if is_stock() {
        return;
    }
    let script = over_stdio(
        "
        same(list(conn.modules.sys.argv), [''])
        same(conn.eval('lambda f, x: f(x)')(lambda x: x * 2, 21), 42)
        same(len(conn.eval('bytes(3_000_000)')), 3_000_000)
        def ping():
            begin = time.perf_counter()
            conn.ping()
            return time.perf_counter() - begin
        # Some 0.1 ms on a machine with nothing else to do; a busy one may delay nearly all of them.
        best = min(ping() for _ in range(300))
        assert best < 0.05, best
        with raises(SystemExit):
            conn.execute('raise SystemExit(3)')
        same(conn.eval('6 * 7'), 42)
        conn.close()
        same(conn.proc.wait(PATIENCE), 0)
        ",
    );
    script.outcome().unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn a_python_program_starts_a_one_shot_server_and_reads_where_it_is() {
    if is_stock() {
        return;
    }
    let authority = Authority::new("authority");
    let identity = authority.server();
    let code = r#"
        import subprocess
        KEY, CERTIFICATE, CA = sys.argv[1:]
        tls = ['--ssl-keyfile', KEY, '--ssl-certfile', CERTIFICATE]
        for options in [], ['--ipv6'], tls:
            server = subprocess.Popen(
                [os.environ['SERVER'], '--classic', '-m', 'oneshot', '-p', '0', *options],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            same(server.stdout.readline(), 'rpyc-oneshot\n')
            host, port = server.stdout.readline().rstrip('\n').split('\t')
            same(host, '::1' if '--ipv6' in options else '127.0.0.1')
            if options is tls:
                conn = rpyc.classic.ssl_connect(host, int(port), ca_certs=CA)
            else:
                conn = rpyc.classic.connect(host, int(port), ipv6='--ipv6' in options)
            same(conn.eval('lambda f, x: f(x)')(lambda x: x * 2, 21), 42)
            # Nobody else is served, whether its connection is refused or closed.
            with raises((EOFError, OSError)):
                rpyc.classic.connect(host, int(port), ipv6='--ipv6' in options)
            conn.close()
            same(server.wait(PATIENCE), 0)
            same(server.stdout.read(), '')
    "#;
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let script = Script::new(code).variable("SERVER", path(binary()));
    let script = script.argument(path(&identity.key));
    let script = script.argument(path(&identity.certificate));
    let script = script.argument(path(&authority.path()));
    script.outcome().unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn what_the_code_prints_over_stdio_goes_to_the_standard_error() {
    if is_stock() {
        return;
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    let init = folder.path().join("init.py");
    fs::write(&init, "print('from the start-up script')\n").expect("a script");
    let script = over_stdio(
        r#"
        conn.execute("import os, subprocess, sys")
        conn.execute("print('from print' + '.' * 100_000, 'end of print', sep='\\n', flush=True)")
        conn.execute("os.write(1, b'from the descriptor\\n')")
        conn.execute("subprocess.run(['sh', '-c', 'echo from a child; cat'])")
        same(conn.eval("sys.stdin.read()"), '')
        same(conn.eval("6 * 7"), 42)
        conn.close()
        same(conn.proc.wait(PATIENCE), 0)
        "#,
    );
    let init = init.to_str().expect("a plain path");
    let running = script.argument("--init").argument(init).spawn();
    for line in [
        "from the start-up script",
        "end of print",
        "from the descriptor",
        "from a child",
    ] {
        running.wait_for(line);
    }
    running.finish().unwrap_or_else(|reason| panic!("{reason}"));
}

/// Does what `ssh host command` does, on this machine.
const REMOTE_SHELL: &str = r#"#!/bin/sh
[ "$1 $2 $3 $4 $5" = "-T -o BatchMode=yes -- somebody@somewhere" ] || exit 255
exec sh -c "$6"
"#;

#[test]
fn the_program_is_copied_to_a_host_serves_there_and_is_gone_afterwards() {
    if is_stock() {
        return;
    }
    // Building it isn't timed.
    let program = binary();
    within(PATIENCE, "the session", move || -> Result<(), Error> {
        let folder = tempfile::TempDir::new().expect("a folder");
        let ssh = folder.path().join("ssh");
        fs::write(&ssh, REMOTE_SHELL).expect("a script");
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("executable");
        let connector = Connector::new().timeout(Some(PATIENCE)).ssh(&ssh);
        let arguments = ["--classic", "--mode", "stdio", "--quiet"];
        let conn = connect_deployed(&connector, "somebody@somewhere", program, arguments)?;
        let root = conn.root()?;
        let code = "print('not a frame', flush=True)";
        root.call_method("execute", args![code])?;
        let code = "__import__('os').path.realpath(__import__('sys').executable)";
        let copy = root.call_method("eval", args![code])?.extract::<String>()?;
        assert_ne!(copy, program.to_string_lossy());
        drop(root);
        conn.close()?;
        while fs::exists(&copy).expect("a folder that can be read") {
            std::thread::yield_now();
        }
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error}"));
}
