//! Servers and clients as processes of their own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::thread;

use rpyc_tests::child::Child;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Failure;
use crate::peer::Program;
use crate::timing::{Measurement, Work};

/// A running server. It ends when its standard input does.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub port: u16,
}

impl Server {
    /// Starts it; `bench_peers` is this program's own binary.
    ///
    /// # Errors
    /// When it can't be started, or ends before it listens.
    pub fn start(
        program: Program,
        bench_peers: &Path,
        cpu: Option<usize>,
    ) -> Result<Server, Failure> {
        let mut command = program.command(bench_peers, "serve");
        command.args(pinned(cpu));
        Server::spawn(command)
    }

    /// Starts it by this command.
    ///
    /// # Errors
    /// As [`start`](Server::start).
    pub fn spawn(mut command: Command) -> Result<Server, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::spawn(&mut command)
            .map_err(|error| format!("{:?} can't be started: {error}", command.get_program()))?;
        let mut line = String::new();
        let mut output = reader(&mut child)?;
        output.read_line(&mut line)?;
        let port = line.strip_prefix("READY ").map(str::trim);
        let Some(port) = port.and_then(|port| port.parse().ok()) else {
            let work = work_of(&command);
            return Err(format!("the server `{work}` said {line:?} instead of its port").into());
        };
        Ok(Server { child, port })
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The seconds that it has kept processors busy.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn processor_time(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in parentheses, may hold anything; utime and stime are the 14th and 15th field.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let field = |index| -> Option<f64> {
            let field = after_name.split_whitespace().nth(index)?;
            field.parse().ok()
        };
        let ticks = field(11).zip(field(12)).ok_or("/proc/PID/stat is odd")?;
        Ok((ticks.0 + ticks.1) / rustix::param::clock_ticks_per_second() as f64)
    }

    /// A line of its `/proc/PID/status` that is a number: kibibytes or a count.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn status(&self, name: &str) -> Result<f64, Failure> {
        status(self.child.id(), name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.wait();
    }
}

/// A line of a process's `/proc/PID/status` that is a number: kibibytes or a count.
pub(crate) fn status(id: u32, name: &str) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("/proc/PID/status is odd")?.parse()?)
}

/// Runs a client to its end.
///
/// # Errors
/// When it can't be started, or fails.
pub fn call(
    program: Program,
    bench_peers: &Path,
    cpu: Option<usize>,
    work: &Work,
) -> Result<Measurement, Failure> {
    let mut command = program.command(bench_peers, "call");
    command.args(pinned(cpu)).args(work.arguments());
    finish(command)
}

/// Runs a client by this command to its end.
///
/// # Errors
/// As [`call`].
pub fn finish(mut command: Command) -> Result<Measurement, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let output = Child::spawn(&mut command)
        .and_then(Child::wait_with_output)
        .map_err(|error| format!("{:?} can't be started: {error}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let measurement = text.lines().last().and_then(Measurement::parse);
    match measurement {
        Some(measurement) if output.status.success() => Ok(measurement),
        _ => Err(format!(
            "a {} client failed: {}\n{text}",
            work_of(&command),
            output.status
        )
        .into()),
    }
}

/// Clients that hold idle connections until this is dropped.
#[derive(Debug)]
pub struct Held {
    child: Child,
}

impl Held {
    /// Makes the connections, and a call on each of them.
    ///
    /// # Errors
    /// When that fails.
    pub fn start(program: Program, bench_peers: &Path, work: &Work) -> Result<Held, Failure> {
        let mut command = program.command(bench_peers, "call");
        command.args(work.arguments());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::spawn(&mut command)?;
        let mut line = String::new();
        let mut output = reader(&mut child)?;
        let held = Held { child };
        output.read_line(&mut line)?;
        if line.trim() == "HELD" {
            Ok(held)
        } else {
            Err("the connections can't be made".into())
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.wait();
    }
}

/// The processors that this process may use.
pub(crate) fn processors() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU)
        .filter(|cpu| set.is_set(*cpu))
        .collect()
}

/// A file of the package `rpyc-server` that stands beside this program.
pub(crate) fn built(bench_peers: &Path, name: &str) -> Result<PathBuf, Failure> {
    let file = bench_peers.with_file_name(name);
    if file.is_file() {
        return Ok(file);
    }
    Err(format!(
        "{} is missing: cargo build --profile dist --locked --ignore-rust-version -p rpyc-server",
        file.display()
    )
    .into())
}

/// Lets this process and those that it starts open as many files.
pub(crate) fn allow_open_files(count: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < count) {
        return Err(format!(
            "{count} open files are needed, and the system allows {most}: raise its hard limit (`ulimit -Hn`)"
        )
        .into());
    }
    let raised = Rlimit {
        current: Some(count),
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// Keeps this process, whose only thread calls this, on one processor.
pub(crate) fn pin(cpu: Option<usize>) -> Result<(), Failure> {
    let Some(cpu) = cpu.filter(|cpu| *cpu < CpuSet::MAX_CPU) else {
        return Ok(());
    };
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// Ends this process when its standard input ends.
pub(crate) fn end_with_input() {
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}

fn pinned(cpu: Option<usize>) -> Vec<String> {
    cpu.map(|cpu| vec!["--cpu".to_owned(), cpu.to_string()])
        .unwrap_or_default()
}

fn reader(child: &mut Child) -> Result<BufReader<ChildStdout>, Failure> {
    let output = child.stdout.take().ok_or("a child without an output")?;
    Ok(BufReader::new(output))
}

/// The arguments that tell processes apart, without a script's text.
fn work_of(command: &Command) -> String {
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy());
    let arguments: Vec<_> = arguments
        .filter(|argument| !argument.contains('\n'))
        .collect();
    arguments.join(" ")
}
