//! Programs in Python at both ends: with Python's rpyc, and with this project's package in its place.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rpyc_tests::child::Child;
use rpyc_tests::package::site_of;
use rpyc_tests::python::interpreter;

use crate::cli::Options;
use crate::process::{Server, built};
use crate::report::{Figure, Report};
use crate::table::{median, spread};
use crate::{Failure, progress};

/// What is measured: its name as the client prints it, what it is, and its unit.
const ROWS: [(&str, &str, &str); 5] = [
    ("kept", "kept `f()`, one core", "us"),
    ("root", "`conn.root.f()`, one core", "us"),
    ("loop", "`for x in remote_list` of 3,000, one core", "ms"),
    ("async", "a call, with 64 in flight", "us"),
    ("bulk", "a call with 1 MB", "us"),
];

/// Whose package both ends have.
const PACKAGES: [&str; 2] = ["rpyc", "rpyc_rs"];

/// Measures each of the packages in each of the rounds, with new processes every time.
pub(crate) fn compare(
    bench_peers: &Path,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let site = site_of(&built(bench_peers, "librpyc_server.so")?)?;
    let mut measured = [const { [const { Vec::new() }; ROWS.len()] }; PACKAGES.len()];
    for round in 0..options.rounds {
        progress(&format!("programs, round {round}"));
        for step in 0..PACKAGES.len() {
            // Each round begins with the other one.
            let package = (round + step) % PACKAGES.len();
            for (name, number) in visit_one(PACKAGES[package], &site, options.visit)? {
                let row = ROWS.iter().position(|(row, ..)| *row == name);
                let row = row.ok_or_else(|| format!("an unknown row {name:?}"))?;
                measured[package][row].push(number);
            }
        }
    }
    for (package, rows) in measured.iter().enumerate() {
        for ((name, _, unit), rounds) in ROWS.iter().zip(rows) {
            let figure = Figure {
                shown: format!("{:.1} {unit}", median(rounds.clone())),
                rounds: rounds.clone(),
                is_more_better: false,
            };
            report.note(name, PACKAGES[package], figure);
        }
    }
    report.section("programs", &table(&measured))
}

fn visit_one(package: &str, site: &Path, seconds: f64) -> Result<Vec<(String, f64)>, Failure> {
    let python = |role: &str| {
        let mut command = Command::new(interpreter());
        command.args(["-c", include_str!("programs.py"), role, package]);
        command.env("PYTHONPATH", site);
        command
    };
    let server = Server::spawn(python("serve"))?;
    let mut client = python("call");
    client.args([
        server.port.to_string(),
        server.id().to_string(),
        seconds.to_string(),
    ]);
    client.stdin(Stdio::null()).stdout(Stdio::piped());
    let output = Child::spawn(&mut client)?.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("the client with {package} failed").into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| -> Result<_, Failure> {
        let (name, number) = line.split_once(' ').ok_or("the client's line is odd")?;
        Ok((name.to_owned(), number.parse()?))
    });
    lines.collect()
}

/// How many times as fast as with Python's package, in the median of the rounds, and from the least to the most.
fn table(measured: &[[Vec<f64>; ROWS.len()]; PACKAGES.len()]) -> String {
    let mut text = String::new();
    text.push_str(
        "| both ends with | Python's rpyc | `rpyc_rs` | times as fast |\n|---|---:|---:|---:|\n",
    );
    for (row, (_, what, unit)) in ROWS.iter().enumerate() {
        let [own, ours] = [0, 1].map(|package| &measured[package][row]);
        let pairs = own.iter().zip(ours);
        let times: Vec<f64> = pairs.map(|(own, ours)| own / ours).collect();
        let _ = writeln!(
            text,
            "| {what} | {:.1} {unit} | {:.1} {unit} | {} |",
            median(own.clone()),
            median(ours.clone()),
            spread(&times)
        );
    }
    text
}
