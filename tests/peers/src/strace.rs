//! The system calls of a call, counted by strace thread by thread.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::peer::{Peer, Program, RAW};
use crate::process::{Server, finish};
use crate::scenario::Kind;
use crate::timing::Work;
use crate::{Failure, say};

/// System calls by their names.
pub type Counts = BTreeMap<String, usize>;

/// What one end's busiest thread did, and all threads of that end together.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Traced {
    /// The calls of the thread that made the most.
    pub busiest: Counts,
    /// The calls of all threads.
    pub all: Counts,
}

/// Counts the system calls of both ends in a run of null calls: the client's, the server's.
///
/// # Errors
/// When strace is missing, or a process fails.
pub fn count(
    bench_peers: &Path,
    client: Program,
    server: Program,
    calls: usize,
) -> Result<(Traced, Traced), Failure> {
    trace(bench_peers, client, server, |port| {
        Work::new(port, Kind::Null, 1, calls)
    })
}

/// The same with up to `window` calls unanswered; client and server are the same program.
///
/// # Errors
/// As [`count`].
pub fn count_pipelined(
    bench_peers: &Path,
    program: Program,
    calls: usize,
    window: usize,
) -> Result<(Traced, Traced), Failure> {
    trace(bench_peers, program, program, |port| {
        Work::new(port, Kind::Pipe, window, calls)
    })
}

fn trace(
    bench_peers: &Path,
    client: Program,
    server: Program,
    work: impl FnOnce(u16) -> Work,
) -> Result<(Traced, Traced), Failure> {
    let logs = tempfile::tempdir()?;
    let traced = |role: &str, program: Program| {
        let traced = program.command(bench_peers, role);
        let mut command = Command::new("strace");
        command
            .args(["-ff", "-qq", "-e", TRACED, "-o"])
            .arg(logs.path().join(role))
            .arg(traced.get_program())
            .args(traced.get_args());
        command
    };
    let available = Command::new("strace").arg("--version").output();
    if !available.is_ok_and(|output| output.status.success()) {
        return Err("strace is missing: install it (apt-get install strace)".into());
    }
    let running = Server::spawn(traced("serve", server))?;
    let mut command = traced("call", client);
    command.args(work(running.port).arguments());
    finish(command)?;
    drop(running);
    Ok((
        read_logs(logs.path(), "call.")?,
        read_logs(logs.path(), "serve.")?,
    ))
}

/// What one more call costs: the difference between a long run and a short one.
///
/// # Errors
/// As [`count`].
pub fn per_call(
    bench_peers: &Path,
    client: Program,
    server: Program,
) -> Result<[BTreeMap<String, f64>; 2], Failure> {
    let few = count(bench_peers, client, server, FEW)?;
    let many = count(bench_peers, client, server, MANY)?;
    let difference = |few: &Traced, many: &Traced| {
        let each = |(name, count): (&String, &usize)| {
            let before = few.busiest.get(name).copied().unwrap_or(0);
            let more = *count as f64 - before as f64;
            (name.clone(), more / (MANY - FEW) as f64)
        };
        many.busiest.iter().map(each).collect()
    };
    Ok([difference(&few.0, &many.0), difference(&few.1, &many.1)])
}

pub(crate) fn compare(bench_peers: &Path, peers: &[&Peer]) -> Result<(), Failure> {
    say(
        "\n### system calls of a null call, on the thread that calls and on the one that serves\n",
    )?;
    say("| peer | client | server |\n|---|---|---|")?;
    let does = |peer: &&&Peer| peer.does(Kind::Null);
    for peer in std::iter::once(&RAW).chain(peers.iter().filter(does).copied()) {
        let [client, server] = per_call(bench_peers, peer.client, peer.server)?;
        let (client, server) = (describe(&client), describe(&server));
        say(&format!("| {} | {client} | {server} |", peer.label))?;
    }
    Ok(())
}

fn describe(counts: &BTreeMap<String, f64>) -> String {
    let total: f64 = counts.values().sum();
    let parts: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count >= 0.005)
        .map(|(name, count)| format!("{name} {count:.2}"))
        .collect();
    format!("{total:.2}: {}", parts.join(", "))
}

fn read_logs(folder: &Path, prefix: &str) -> Result<Traced, Failure> {
    let mut traced = Traced::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let mut counts = Counts::new();
        for line in fs::read_to_string(entry.path())?.lines() {
            if let Some((name, _)) = line.split_once('(') {
                *counts.entry(name.to_owned()).or_default() += 1;
                *traced.all.entry(name.to_owned()).or_default() += 1;
            }
        }
        if counts.values().sum::<usize>() > traced.busiest.values().sum() {
            traced.busiest = counts;
        }
    }
    Ok(traced)
}

/// Whatever moves bytes, waits, or sets a socket's options.
const TRACED: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,futex,poll,\
                      ppoll,select,pselect6,epoll_wait,epoll_pwait,setsockopt,sched_yield";
const FEW: usize = 500;
const MANY: usize = 2_500;
