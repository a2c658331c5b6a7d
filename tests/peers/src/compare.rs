//! One run: every visit to a peer lies between two visits to raw TCP, and is set against those two.

use std::path::Path;
use std::{env, fs};

use crate::cli::Options;
use crate::peer::{PEERS, Peer, Program, RAW, build_tarpc};
use crate::process::{self, Server};
use crate::report::Report;
use crate::scenario::{Cores, Kind, Scenario};
use crate::table::{self, Row};
use crate::timing::{Measurement, Work};
use crate::{Failure, classic, growth, idle, programs, progress, strace};

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let bench_peers = env::current_exe()?;
    let wanted = |peer: &&Peer| {
        options.peers.is_empty() || options.peers.iter().any(|name| name == peer.name)
    };
    let peers: Vec<&Peer> = PEERS.iter().filter(wanted).collect();
    if options.syscalls {
        return strace::compare(&bench_peers, &peers);
    }
    let mut report = Report::new(options.page.clone());
    let load = load()?;
    // Said at once, and not after minutes.
    if options.classic || options.programs {
        process::built(&bench_peers, "rpyc-server")?;
    }
    let of_tarpc = |peer: &&&Peer| peer.client == Program::Tarpc;
    let does = |peer: &Peer| options.scenarios.iter().any(|one| peer.does(one.kind));
    if peers.iter().find(of_tarpc).is_some_and(|peer| does(peer)) {
        progress("building tarpc");
        build_tarpc(&bench_peers)?;
    }
    for scenario in &options.scenarios {
        progress(scenario.name);
        let rows = compare(&bench_peers, scenario, &peers, options)?;
        for row in &rows {
            report.note(scenario.name, row.peer.name, row.figure(scenario));
        }
        report.section(scenario.name, &table::of_scenario(scenario, &rows))?;
        if scenario.name == "null-same" {
            report.plot("peers", || table::plot(&rows))?;
        }
    }
    if options.idle {
        idle::compare(&bench_peers, &peers, &mut report)?;
    }
    if options.classic {
        classic::compare(&bench_peers, options, &mut report)?;
    }
    if options.programs {
        programs::compare(&bench_peers, options, &mut report)?;
    }
    if options.growth {
        growth::compare(&bench_peers, options, &report)?;
    }
    if options.is_whole {
        report.section("conditions", &conditions(options, &load)?)?;
    }
    report.goals(options.is_whole)
}

/// What the figures depend on beside the programs.
fn conditions(options: &Options, load_before: &str) -> Result<String, Failure> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (cpuinfo, kernel) = (read("/proc/cpuinfo"), read("/proc/sys/kernel/osrelease"));
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    Ok(format!(
        "{} processors ({model}), Linux {}, {} rounds; the load of the machine was {load_before} before and {} at the end.\n",
        process::processors().len(),
        kernel.trim(),
        options.rounds,
        load()?
    ))
}

/// How many processes wanted to run, in the mean of the last minute.
fn load() -> Result<String, Failure> {
    let averages = fs::read_to_string("/proc/loadavg")?;
    Ok(averages.split(' ').next().unwrap_or_default().to_owned())
}

/// A peer, its server, and how many calls fill a visit.
pub(crate) struct Visited<'a> {
    peer: &'a Peer,
    server: Server,
    work: Work,
    cpu: Option<usize>,
}

impl Visited<'_> {
    pub(crate) fn visit(&self, bench_peers: &Path) -> Result<(Measurement, f64), Failure> {
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
pub(crate) fn prepare<'a>(
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
    let least = scenario.kind.least_calls(scenario.load);
    let trial = match peer.is_slow() {
        true => least,
        false => least.max((10 * least).min(20_000)),
    };
    let mut work = Work::new(server.port, scenario.kind, scenario.load, trial);
    let tried = process::call(peer.client, bench_peers, cpu, &work)?;
    work.calls = ((tried.rate() * visit) as usize).clamp(least, MAX_CALLS);
    work.warmup = (work.calls / 10).min(500);
    if matches!(scenario.kind, Kind::Pipe | Kind::Turns) {
        work.warmup = work.warmup.max(scenario.load);
    }
    Ok(Visited {
        peer,
        server,
        work,
        cpu,
    })
}

/// So that a peer that is mistaken for a fast one doesn't take minutes.
const MAX_CALLS: usize = 4_000_000;
