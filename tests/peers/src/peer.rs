//! Who is compared: a program for the client, one for the server.

use std::path::Path;
use std::process::Command;

use crate::scenario::Kind;

/// A program that can serve and call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// Raw sockets and the bytes of a call; what has piled up goes out in one write.
    Raw,
    /// The same with a write for every message.
    RawEach,
    /// This project.
    Rpyc,
    /// Python's rpyc; its client calls `conn.root.null()`, which is three exchanges.
    Python,
    /// Python's rpyc; its client keeps the method in a variable.
    PythonKept,
}

impl Program {
    /// Every program.
    pub const ALL: [Program; 5] = [
        Program::Raw,
        Program::RawEach,
        Program::Rpyc,
        Program::Python,
        Program::PythonKept,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Program::Raw => "raw",
            Program::RawEach => "raw-each",
            Program::Rpyc => "rpyc",
            Program::Python => "python",
            Program::PythonKept => "python-kept",
        }
    }

    /// The command that starts it; `bench_peers` is this program's own binary, `role` is `serve` or `call`.
    pub fn command(self, bench_peers: &Path, role: &str) -> Command {
        let mut command = match self {
            Program::Raw | Program::RawEach | Program::Rpyc => Command::new(bench_peers),
            Program::Python | Program::PythonKept => {
                let mut command = Command::new(rpyc_tests::python::interpreter());
                command.args(["-c", include_str!("peer.py")]);
                command
            }
        };
        command.args([role, self.name()]);
        command
    }
}

/// A client and a server, as a row of the tables.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is called in the tables.
    pub label: &'static str,
    /// Who calls.
    pub client: Program,
    /// Who serves.
    pub server: Program,
    kinds: &'static [Kind],
}

impl Peer {
    /// Whether it can do this kind of work.
    pub fn does(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Whether its calls are too slow for the numbers of calls that the others make.
    pub(crate) fn is_slow(&self) -> bool {
        let is_python = |program| matches!(program, Program::Python | Program::PythonKept);
        is_python(self.client) || is_python(self.server)
    }
}

/// The measure of all the others.
pub const RAW: Peer = Peer {
    name: "raw",
    label: "raw TCP",
    client: Program::Raw,
    server: Program::Raw,
    kinds: &Kind::ALL,
};

/// Who is compared with it.
pub const PEERS: [Peer; 7] = [
    Peer {
        name: "raw-each",
        label: "raw TCP, a write a message",
        client: Program::RawEach,
        server: Program::RawEach,
        kinds: &[Kind::Pipe],
    },
    Peer {
        name: "rust-rust",
        label: "Rust to Rust",
        client: Program::Rpyc,
        server: Program::Rpyc,
        kinds: &Kind::ALL,
    },
    Peer {
        name: "rust-python",
        label: "Rust to Python",
        client: Program::Rpyc,
        server: Program::Python,
        kinds: &Kind::ALL,
    },
    Peer {
        name: "python-rust",
        label: "Python to Rust, `conn.root.f()`",
        client: Program::Python,
        server: Program::Rpyc,
        kinds: &[Kind::Null, Kind::Fresh],
    },
    Peer {
        name: "python-kept-rust",
        label: "Python to Rust, `f()`",
        client: Program::PythonKept,
        server: Program::Rpyc,
        kinds: &[Kind::Null, Kind::Pipe, Kind::Bulk],
    },
    Peer {
        name: "python-python",
        label: "Python to Python, `conn.root.f()`",
        client: Program::Python,
        server: Program::Python,
        kinds: &[Kind::Null, Kind::Fresh, Kind::Hold],
    },
    Peer {
        name: "python-kept-python",
        label: "Python to Python, `f()`",
        client: Program::PythonKept,
        server: Program::Python,
        kinds: &[Kind::Null, Kind::Pipe, Kind::Bulk],
    },
];
