//! Who is compared: a program for the client, one for the server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;
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
    /// The same, but what is called back runs on the thread that waits.
    RpycStacked,
    /// Python's rpyc; its client calls `conn.root.null()`, which is three exchanges.
    Python,
    /// Python's rpyc; its client keeps the method in a variable.
    PythonKept,
    /// tarpc with bincode, its server on as many threads as there are processors.
    Tarpc,
    /// The same with one thread.
    TarpcOne,
}

impl Program {
    /// Every program.
    pub const ALL: [Program; 8] = [
        Program::Raw,
        Program::RawEach,
        Program::Rpyc,
        Program::RpycStacked,
        Program::Python,
        Program::PythonKept,
        Program::Tarpc,
        Program::TarpcOne,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Program::Raw => "raw",
            Program::RawEach => "raw-each",
            Program::Rpyc => "rpyc",
            Program::RpycStacked => "rpyc-stacked",
            Program::Python => "python",
            Program::PythonKept => "python-kept",
            Program::Tarpc => "tarpc",
            Program::TarpcOne => "tarpc-one",
        }
    }

    /// The command that starts it; `bench_peers` is this program's own binary, `role` is `serve` or `call`.
    pub fn command(self, bench_peers: &Path, role: &str) -> Command {
        let mut command = match self {
            Program::Raw | Program::RawEach | Program::Rpyc | Program::RpycStacked => {
                Command::new(bench_peers)
            }
            Program::Python | Program::PythonKept => {
                let mut command = Command::new(rpyc_tests::python::interpreter());
                command.args(["-c", include_str!("peer.py")]);
                command
            }
            Program::Tarpc | Program::TarpcOne => Command::new(tarpc(bench_peers)),
        };
        command.args([role, self.name()]);
        command
    }
}

/// The program in `tarpc`, which is built on demand.
fn tarpc(bench_peers: &Path) -> PathBuf {
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let target = bench_peers.ancestors().find(is_target);
    target
        .unwrap_or(bench_peers)
        .join("tarpc/release/bench-tarpc")
}

/// Builds the peer that has dependencies of its own, from a registry if need be.
pub(crate) fn build_tarpc(bench_peers: &Path) -> Result<(), Failure> {
    let program = tarpc(bench_peers);
    let target = program.ancestors().nth(2).ok_or("no target folder")?;
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tarpc/Cargo.toml");
    let mut cargo = Command::new("cargo");
    cargo.args([
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--manifest-path",
        manifest,
    ]);
    let status = cargo
        .arg("--target-dir")
        .arg(target)
        .stdin(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err("tarpc can't be built; --peers names those to be measured".into()),
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

/// This project at both ends.
pub const RUST: Peer = Peer {
    name: "rust-rust",
    label: "Rust to Rust",
    client: Program::Rpyc,
    server: Program::Rpyc,
    kinds: &Kind::ALL,
};

/// The same, where nested calls pile up on one thread of each end.
pub const STACKED: Peer = Peer {
    name: "rust-stacked",
    label: "Rust to Rust",
    client: Program::RpycStacked,
    server: Program::RpycStacked,
    kinds: &[Kind::Nested],
};

/// Who is compared with it.
pub const PEERS: [Peer; 9] = [
    Peer {
        name: "raw-each",
        label: "raw TCP, a write a message",
        client: Program::RawEach,
        server: Program::RawEach,
        kinds: &[Kind::Pipe],
    },
    RUST,
    Peer {
        name: "tarpc",
        label: "tarpc",
        client: Program::Tarpc,
        server: Program::Tarpc,
        kinds: &[Kind::Null, Kind::Pipe],
    },
    Peer {
        name: "tarpc-one",
        label: "tarpc, its server on one thread",
        client: Program::Tarpc,
        server: Program::TarpcOne,
        kinds: &[Kind::Null, Kind::Pipe],
    },
    Peer {
        name: "rust-python",
        label: "Rust to Python",
        client: Program::Rpyc,
        server: Program::Python,
        kinds: &[Kind::Null, Kind::Fresh, Kind::Pipe, Kind::Fan, Kind::Bulk],
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
