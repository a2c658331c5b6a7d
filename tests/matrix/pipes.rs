//! Python peers at the other end of pipes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use rpyc_core::{Connector, Error, args};
use rpyc_tests::deadline::{PATIENCE, within};
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

#[test]
fn a_python_child_is_called_over_its_stdin_and_stdout() {
    within(PATIENCE, "the session", || -> Result<(), Error> {
        let mut command = Command::new(interpreter());
        command.args(["-c", CHILD]).stderr(Stdio::null());
        let connector = Connector::new().timeout(Some(PATIENCE));
        let conn = connector.connect_subprocess(&mut command)?;
        let root = conn.root()?;
        let sum = root.call_method("add", args![1, 2])?.extract::<i64>()?;
        assert_eq!(sum, 3);
        let long = "x".repeat(1 << 20);
        let both = root.call_method("add", args![long.clone(), "y"])?;
        assert_eq!(both.as_str().map(str::len), Some(long.len() + 1));
        conn.close()
    })
    .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_server_is_reached_through_what_ssh_forwards() {
    within(PATIENCE, "the session", || -> Result<(), Error> {
        let server = RustServer::start();
        let folder = tempfile::TempDir::new().expect("a folder");
        let program = folder.path().join("ssh");
        let script = format!("#!{}\n{TUNNEL}", interpreter().display());
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
