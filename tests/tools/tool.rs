//! The tools, run as programs.

use std::any::Any;
use std::io::Write;
use std::process::{Command, Stdio};

use rpyc_tests::child::Child;
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::server::binary;
use rpyc_tests::{Script, Server};

/// A classic server, and where it is.
pub(crate) struct Peer {
    pub(crate) address: String,
    _process: Box<dyn Any>,
}

const PYTHON: &str = "
from rpyc.core import SlaveService
from rpyc.utils.server import ThreadedServer
server = ThreadedServer(SlaveService, hostname='127.0.0.1', port=0)
server._listen()
say('port %d' % server.port)
server.start()
";

impl Peer {
    pub(crate) fn python() -> Peer {
        Peer::python_after("")
    }

    /// Python's server, once this code has run there.
    pub(crate) fn python_after(code: &str) -> Peer {
        let process = Script::new(&format!("{code}\n{PYTHON}"));
        let process = process.serving().spawn();
        Peer {
            address: format!("127.0.0.1:{}", process.told("port ")),
            _process: Box::new(process),
        }
    }

    /// Whoever is there.
    pub(crate) fn at(address: String) -> Peer {
        Peer {
            address,
            _process: Box::new(()),
        }
    }

    pub(crate) fn ours() -> Peer {
        let server = Server::start();
        Peer {
            address: server.address().to_string(),
            _process: Box::new(server),
        }
    }
}

/// Runs the scenario on each of the servers.
pub(crate) fn on_both(scenario: fn(&Peer)) {
    scenario(&Peer::python());
    scenario(&Peer::ours());
}

/// What a program wrote, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a tool on the server, with that on its standard input.
pub(crate) fn tool(peer: &Peer, input: &str, arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    command.env("RPYC_CONNECT", &peer.address);
    run(command, input)
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env_remove("RUST_LOG");
    command
}

pub(crate) fn run(mut command: Command, input: &str) -> Ran {
    let input = input.to_owned();
    within(PATIENCE, "the tool", move || {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Child::spawn(&mut command).expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A tool that doesn't read may have ended.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("its output");
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    })
}
