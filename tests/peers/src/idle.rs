//! What a connection costs that does nothing.

use std::fmt::Write;
use std::path::Path;

use crate::peer::{Peer, RAW};
use crate::process::{Held, Server};
use crate::report::{Figure, Report};
use crate::scenario::Kind;
use crate::timing::Work;
use crate::{Failure, progress};

/// Measures the memory of servers with idle connections.
pub(crate) fn compare(
    bench_peers: &Path,
    peers: &[&Peer],
    report: &mut Report,
) -> Result<(), Failure> {
    progress("idle");
    let mut text = "| server | KiB a connection | MiB without any | threads |\n".to_owned();
    text.push_str("|---|---:|---:|---:|\n");
    let does = |peer: &&Peer| peer.does(Kind::Hold);
    for peer in std::iter::once(&RAW).chain(peers.iter().copied().filter(does)) {
        let server = Server::start(peer.server, bench_peers, None)?;
        let base = server.status("VmRSS")?;
        let work = Work::new(server.port, Kind::Hold, CONNECTIONS, 0);
        let held = Held::start(peer.client, bench_peers, &work)?;
        let each = (server.status("VmRSS")? - base) / CONNECTIONS as f64;
        let (base, threads) = (base / 1024.0, server.status("Threads")?);
        drop(held);
        let _ = writeln!(
            text,
            "| {} | {each:.1} | {base:.1} | {threads} |",
            peer.label
        );
        let figure = Figure {
            shown: format!("{each:.1} KiB"),
            rounds: vec![each],
            is_more_better: false,
        };
        report.note("idle", peer.name, figure);
    }
    report.section("idle", &text)
}

/// Below the 1,024 open files that a process commonly may have.
const CONNECTIONS: usize = 900;
