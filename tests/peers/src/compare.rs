//! One run: every visit to a peer lies between two visits to raw TCP, and is set against those two.

use std::env;
use std::path::Path;

use crate::cli::Options;
use crate::peer::{PEERS, Peer, RAW};
use crate::process::{self, Server};
use crate::scenario::{Cores, Kind, Scenario};
use crate::table::{self, Row};
use crate::timing::{Measurement, Work};
use crate::{Failure, classic, idle, programs, say, strace};

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let bench_peers = env::current_exe()?;
    let wanted = |peer: &&Peer| {
        options.peers.is_empty() || options.peers.iter().any(|name| name == peer.name)
    };
    let peers: Vec<&Peer> = PEERS.iter().filter(wanted).collect();
    if options.syscalls {
        return strace::compare(&bench_peers, &peers);
    }
    for scenario in &options.scenarios {
        let rows = compare(&bench_peers, scenario, &peers, options)?;
        say(&table::of_scenario(scenario, &rows))?;
    }
    if options.idle {
        say(&table::of_idle(&idle::compare(&bench_peers, &peers)?))?;
    }
    if options.classic {
        classic::compare(&bench_peers, options.rounds, options.visit)?;
    }
    if options.programs {
        programs::compare(&bench_peers, options.rounds, options.visit)?;
    }
    Ok(())
}

/// A peer, its server, and how many calls fill a visit.
struct Visited<'a> {
    peer: &'a Peer,
    server: Server,
    work: Work,
    cpu: Option<usize>,
}

impl Visited<'_> {
    fn visit(&self, bench_peers: &Path) -> Result<(Measurement, f64), Failure> {
        let before = self.server.processor_time()?;
        let measured = process::call(self.peer.client, bench_peers, self.cpu, &self.work)?;
        let server = self.server.processor_time()? - before;
        Ok((measured, measured.cpu + server))
    }
}

fn compare<'a>(
    bench_peers: &Path,
    scenario: &Scenario,
    peers: &[&'a Peer],
    options: &Options,
) -> Result<Vec<Row<'a>>, Failure> {
    let prepare = |peer| prepare(bench_peers, scenario, peer, options.visit);
    let raw = prepare(&RAW)?;
    let does = |peer: &&&Peer| peer.does(scenario.kind);
    let visited: Result<Vec<_>, _> = peers
        .iter()
        .filter(does)
        .map(|peer| prepare(peer))
        .collect();
    let visited = visited?;
    let mut rows: Vec<Row<'a>> = visited.iter().map(|one| Row::new(one.peer)).collect();
    let mut raw_row = Row::new(&RAW);
    let mut before = raw_row.add(raw.visit(bench_peers)?, None);
    for round in 0..options.rounds {
        for step in 0..visited.len() {
            // Each round begins with another peer: none is always the one after a certain other.
            let index = (round + step) % visited.len();
            let measured = visited[index].visit(bench_peers)?;
            let after = raw_row.add(raw.visit(bench_peers)?, None);
            let worth = |measured: &Measurement| table::worth(scenario.kind, measured);
            let beside = (worth(&before) + worth(&after)) / 2.0;
            rows[index].add(measured, Some(worth(&measured.0) / beside));
            before = after;
        }
    }
    rows.insert(0, raw_row);
    Ok(rows)
}

/// Starts a peer's server, and finds out how many calls fill a visit.
fn prepare<'a>(
    bench_peers: &Path,
    scenario: &Scenario,
    peer: &'a Peer,
    visit: f64,
) -> Result<Visited<'a>, Failure> {
    let processors = process::processors();
    let first = processors.first().copied();
    let (server_cpu, cpu) = match scenario.cores {
        Cores::Same => (first, first),
        Cores::Split => (first, processors.get(1).copied().or(first)),
        Cores::Any => (None, None),
    };
    let server = Server::start(peer.server, bench_peers, server_cpu)?;
    let least = match scenario.kind {
        Kind::Pipe | Kind::Fan => 2 * scenario.window.max(scenario.connections),
        _ => 20,
    };
    let mut work = Work {
        window: scenario.window,
        connections: scenario.connections,
        size: scenario.size,
        ..Work::new(
            server.port,
            scenario.kind,
            least * if peer.is_slow() { 1 } else { 10 },
        )
    };
    let tried = process::call(peer.client, bench_peers, cpu, &work)?;
    work.calls = ((tried.rate() * visit) as usize).clamp(least, MAX_CALLS);
    work.warmup = (work.calls / 10).min(500).max(scenario.window);
    Ok(Visited {
        peer,
        server,
        work,
        cpu,
    })
}

/// So that a peer that is mistaken for a fast one doesn't take minutes.
const MAX_CALLS: usize = 4_000_000;
