//! Python peers at the other end of pipes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::{Connector, Error, args};
use rpyc_server::connect_deployed;
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::package::site;
use rpyc_tests::python::interpreter;

use crate::servers::RustServer;

/// Serves over its stdin and stdout.
const CHILD: &str = "
import rpyc, sys
class Sums(rpyc.Service):
    def exposed_add(self, a, b):
        return a + b
    def exposed_call(self, function):
        return function(5)
conn = rpyc.utils.factory.connect_stdpipes(service=Sums)
conn.serve_all()
";

/// Does what `ssh -W localhost:port -- host` does, without a host.
const TUNNEL: &str = "
import socket, sys, threading, os
host, _, port = sys.argv[sys.argv.index('-W') + 1].partition(':')
assert host == 'localhost' and sys.argv[-2:] == ['--', 'somebody@somewhere']
sock = socket.create_connection(('127.0.0.1', int(port)))
def inwards():
    while True:
        data = sock.recv(65536)
        if not data:
            os._exit(0)
        os.write(1, data)
threading.Thread(target=inwards, daemon=True).start()
while True:
    data = os.read(0, 65536)
    if not data:
        break
    sock.sendall(data)
sock.close()
";

/// Does what `ssh host command` does, on this machine.
const REMOTE_SHELL: &str = r#"#!/bin/sh
[ "$1 $2 $3 $4 $5" = "-T -o BatchMode=yes -- somebody@somewhere" ] || exit 255
exec sh -c "$6"
"#;

/// A program that serves over its stdin and stdout, and tells about itself.
const DEPLOYED: &str = "
import os, rpyc, stat, sys
class Facts(rpyc.Service):
    def exposed_arguments(self):
        return tuple(sys.argv[1:])
    def exposed_path(self):
        return sys.argv[0]
conn = rpyc.utils.factory.connect_stdpipes(service=Facts)
conn.serve_all()
";

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("a script");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

#[test]
fn a_program_is_copied_to_a_host_run_there_and_gone_afterwards() {
    // Making it isn't timed.
    let python = interpreter();
    within(PATIENCE, "the session", move || -> Result<(), Error> {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (ssh, program) = (folder.path().join("ssh"), folder.path().join("program"));
        executable(&ssh, REMOTE_SHELL);
        let script = format!("#!{}\n{DEPLOYED}", python.display());
        fs::write(&program, script).expect("a script");
        let connector = Connector::new().timeout(Some(PATIENCE)).ssh(&ssh);
        let arguments = ["--classic", "it's $HOME", ""];
        let conn = connect_deployed(&connector, "somebody@somewhere", &program, arguments)?;
        let root = conn.root()?;
        let told = root.call_method("arguments", args![])?;
        assert_eq!(told.extract::<Vec<String>>()?, arguments);
        let copy = root.call_method("path", args![])?.extract::<String>()?;
        let mode = fs::metadata(&copy).expect("the copy").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(root);
        conn.close()?;
        while fs::exists(&copy).expect("a folder that can be read") {
            std::thread::yield_now();
        }
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_host_that_takes_no_program_is_an_error_that_says_what_was_done() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let ssh = folder.path().join("ssh");
    executable(&ssh, REMOTE_SHELL);
    let connector = Connector::new().timeout(Some(PATIENCE)).ssh(&ssh);
    let refused = connect_deployed(&connector, "nobody@nowhere", &ssh, []);
    let refused = refused.expect_err("another host");
    let expected = "copying the program with ssh: exit status: 255";
    assert_eq!(refused.to_string(), expected);
    let missing = connect_deployed(&connector, "nobody@nowhere", "/no/such/program", []);
    let missing = missing.expect_err("no program");
    let missing = missing.to_string();
    let expected = "reading the program to be copied: ";
    assert!(missing.starts_with(expected), "{missing}");
}

#[test]
fn a_python_child_is_called_over_its_stdin_and_stdout() {
    // Making them isn't timed.
    let (python, site) = (interpreter(), site());
    let ported = CHILD.replace("import rpyc,", "import rpyc_rs as rpyc,");
    for child in [CHILD, &ported] {
        let mut command = Command::new(python);
        command.args(["-c", child]).env("PYTHONPATH", site);
        command.stderr(Stdio::null());
        let session = move || -> Result<(), Error> {
            let connector = Connector::new().timeout(Some(PATIENCE));
            let conn = connector.connect_subprocess(&mut command)?;
            let root = conn.root()?;
            let sum = root.call_method("add", args![1, 2])?.extract::<i64>()?;
            assert_eq!(sum, 3);
            let long = "x".repeat(1 << 20);
            let both = root.call_method("add", args![long.clone(), "y"])?;
            assert_eq!(both.as_str().map(str::len), Some(long.len() + 1));
            conn.close()
        };
        within(PATIENCE, "the session", session).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_server_is_reached_through_what_ssh_forwards() {
    // Making it isn't timed.
    let python = interpreter();
    within(PATIENCE, "the session", move || -> Result<(), Error> {
        let server = RustServer::start();
        let folder = tempfile::TempDir::new().expect("a folder");
        let program = folder.path().join("ssh");
        let script = format!("#!{}\n{TUNNEL}", python.display());
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        let connector = Connector::new().timeout(Some(PATIENCE)).ssh(&program);
        let conn = connector.connect_ssh("somebody@somewhere", server.port())?;
        let sum = conn.root()?.call_method("add", args![1, 2])?;
        assert_eq!(sum.extract::<i64>()?, 3);
        conn.close()
    })
    .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn an_ssh_that_fails_or_says_nothing_is_an_error_in_time_and_gone() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let [ssh, id] = ["ssh", "id"].map(|name| folder.path().join(name));
    let connector = Connector::new()
        // The script has begun by then.
        .timeout(Some(Duration::from_secs(4)))
        .ssh(&ssh);
    executable(&ssh, "#!/bin/sh\nexit 255\n");
    let failed = within(PATIENCE, "the end of ssh", {
        let connector = connector.clone();
        move || connector.connect_ssh("nobody@nowhere", 18812)
    });
    assert!(failed.is_err_and(|error| error.is_closed()));

    // It doesn't end with its stdin, but with this test.
    let silent = format!(
        "#!/bin/sh\necho $$ > {}\nwhile kill -0 $PPID; do sleep 1; done\n",
        id.display()
    );
    executable(&ssh, &silent);
    let silent = within(PATIENCE, "the time-out", move || {
        connector.connect_ssh("nobody@nowhere", 18812)
    });
    assert!(silent.is_err_and(|error| matches!(error, Error::Timeout { .. })));
    let id = fs::read_to_string(id).expect("its process id");
    let until = Instant::now() + PATIENCE;
    while fs::exists(format!("/proc/{}", id.trim())).expect("a look") {
        assert!(Instant::now() < until, "it is still there");
        thread::sleep(Duration::from_millis(10));
    }
}
