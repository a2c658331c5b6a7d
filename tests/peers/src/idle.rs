//! What a connection costs that does nothing.

use std::path::Path;

use crate::Failure;
use crate::peer::{Peer, Program, RAW};
use crate::process::{Held, Server};
use crate::scenario::Kind;
use crate::timing::Work;

/// The memory of a server with idle connections.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) label: &'static str,
    pub(crate) kib_each: f64,
    pub(crate) base_mib: f64,
    pub(crate) threads: f64,
}

pub(crate) fn compare(bench_peers: &Path, peers: &[&Peer]) -> Result<Vec<Idle>, Failure> {
    let does = |peer: &&&Peer| peer.does(Kind::Hold) && peer.client != Program::Rpyc;
    let own = PEER_OF_OURS.map(|(label, program)| (label, program, program));
    let rest = std::iter::once(&RAW)
        .chain(peers.iter().filter(does).copied())
        .map(|peer| (peer.label, peer.client, peer.server));
    own.into_iter()
        .chain(rest)
        .map(|(label, client, server)| measure(bench_peers, label, client, server))
        .collect()
}

fn measure(
    bench_peers: &Path,
    label: &'static str,
    client: Program,
    server: Program,
) -> Result<Idle, Failure> {
    let server = Server::start(server, bench_peers, None)?;
    let base = server.status("VmRSS")?;
    let work = Work {
        connections: CONNECTIONS,
        ..Work::new(server.port, Kind::Hold, 0)
    };
    let held = Held::start(client, bench_peers, &work)?;
    let measured = Idle {
        label,
        kib_each: (server.status("VmRSS")? - base) / CONNECTIONS as f64,
        base_mib: base / 1024.0,
        threads: server.status("Threads")?,
    };
    drop(held);
    Ok(measured)
}

const PEER_OF_OURS: [(&str, Program); 1] = [("Rust to Rust", Program::Rpyc)];

/// Below the 1,024 open files that a process commonly may have.
const CONNECTIONS: usize = 900;
