//! Classic servers as a Python client sees them: Python's own, and this one with either Python.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rpyc_tests::child::Child;
use rpyc_tests::python::interpreter;

use crate::cli::Options;
use crate::process::{built, status};
use crate::report::{Figure, Report};
use crate::table::{median, spread};
use crate::{Failure, progress};

/// What is measured: its name as the client prints it, what it is, its unit, and whether more is better.
const ROWS: [(&str, &str, &str, bool); 10] = [
    ("f()", "kept `f()`, one core", "us", false),
    ("eval", "`conn.eval(\"1+1\")`, one core", "us", false),
    (
        "callback",
        "the server calls the client, one core",
        "us",
        false,
    ),
    (
        "four clients",
        "`f()` of four clients at once, in sum",
        "kcalls/s",
        true,
    ),
    (
        "beside a loop",
        "`f()` beside another client's endless loop, mean",
        "us",
        false,
    ),
    ("loop", "10,000,000 turns of a loop in Python", "ms", false),
    ("listing", "listing 3,000 elements, one core", "ms", false),
    (
        "upload",
        "`upload_file` of 100 MB of random bytes",
        "MB/s",
        true,
    ),
    ("start", "from the start until it listens", "ms", false),
    ("memory", "memory without clients", "MiB", false),
];

/// Whose servers are visited.
const SERVERS: [&str; 3] = ["Python's own", "`--python`", "built-in Python"];

/// Visits each of the servers in each of the rounds, a new process every time.
pub(crate) fn compare(
    bench_peers: &Path,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let program = built(bench_peers, "rpyc-server")?;
    // For each server, for each row, what each round has measured.
    let mut measured = [const { [const { Vec::new() }; ROWS.len()] }; SERVERS.len()];
    for round in 0..options.rounds {
        progress(&format!("classic, round {round}"));
        // Once: each piece of it waits 40 ms for Python's own server.
        let megabytes = match (round, options.is_short) {
            (0, false) => 100,
            (0, true) => 5,
            _ => 0,
        };
        for step in 0..SERVERS.len() {
            // Each round begins with another one.
            let server = (round + step) % SERVERS.len();
            for (name, number) in visit_one(server, &program, options.visit, megabytes)? {
                let row = ROWS.iter().position(|(row, ..)| *row == name);
                let row = row.ok_or_else(|| format!("an unknown row {name:?}"))?;
                measured[server][row].push(number);
            }
        }
    }
    for (server, rows) in measured.iter().enumerate() {
        for ((name, _, unit, is_more_better), rounds) in ROWS.iter().zip(rows) {
            let figure = Figure {
                shown: format!("{:.1} {unit}", median(rounds.clone())),
                rounds: rounds.clone(),
                is_more_better: *is_more_better,
            };
            report.note(name, SERVERS[server], figure);
        }
    }
    report.section("classic", &table(&measured))
}

fn visit_one(
    server: usize,
    program: &Path,
    seconds: f64,
    megabytes: usize,
) -> Result<Vec<(String, f64)>, Failure> {
    let python = interpreter();
    let mut command = match server {
        0 => Command::new(python.with_file_name("rpyc_classic")),
        _ => {
            let mut command = Command::new(program);
            command.args(["--classic"]);
            command
        }
    };
    command.args(["--host", "127.0.0.1", "--port", "0"]);
    if server == 1 {
        command.arg("--python").arg(python);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let begun = Instant::now();
    let mut child = Child::spawn(command.stderr(Stdio::piped()))?;
    let mut lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
    let port = lines.find_map(|line| {
        let line = line.ok()?;
        let (_, address) = line.split_once("server started on [127.0.0.1]:")?;
        address.split_whitespace().next()?.parse::<u16>().ok()
    });
    let port = port.ok_or_else(|| format!("{command:?} never listened"))?;
    let started = begun.elapsed().as_secs_f64() * 1e3;
    let mut numbers = vec![
        ("start".to_owned(), started),
        ("memory".to_owned(), status(child.id(), "VmRSS")? / 1024.0),
    ];
    // What it logs is read on, else it would wait.
    let reading = std::thread::spawn(move || lines.for_each(drop));
    let mut client = Command::new(python);
    client.args(["-c", include_str!("classic.py")]);
    client.args([
        port.to_string(),
        child.id().to_string(),
        seconds.to_string(),
        megabytes.to_string(),
    ]);
    client.stdin(Stdio::null()).stdout(Stdio::piped());
    let output = Child::spawn(&mut client)?.wait_with_output()?;
    drop(child);
    let _ = reading.join();
    if !output.status.success() {
        return Err(format!("the client of {} failed", SERVERS[server]).into());
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (name, number) = line.rsplit_once(' ').ok_or("the client's line is odd")?;
        numbers.push((name.to_owned(), number.parse()?));
    }
    Ok(numbers)
}

/// How many times as good as Python's own server, in the median of the rounds, and from the least to the most.
fn table(measured: &[[Vec<f64>; ROWS.len()]; SERVERS.len()]) -> String {
    let mut text = String::new();
    text.push_str(
        "|  | Python's own | `--python` | times as good | built-in Python | times as good |\n",
    );
    text.push_str("|---|---:|---:|---:|---:|---:|\n");
    for (row, (_, what, unit, is_more_better)) in ROWS.iter().enumerate() {
        let [own, user, built_in] = [0, 1, 2].map(|server| &measured[server][row]);
        let shown = |numbers: &[f64]| format!("{:.1} {unit}", median(numbers.to_vec()));
        let times = |numbers: &[f64]| {
            let ratios = own
                .iter()
                .zip(numbers)
                .map(|(own, this)| match is_more_better {
                    true => this / own,
                    false => own / this,
                });
            spread(&ratios.collect::<Vec<f64>>())
        };
        let _ = writeln!(
            text,
            "| {what} | {} | {} | {} | {} | {} |",
            shown(own),
            shown(user),
            times(user),
            shown(built_in),
            times(built_in)
        );
    }
    text
}
