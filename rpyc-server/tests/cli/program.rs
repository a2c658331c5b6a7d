//! The program as a child process, its standard error read line by line.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_tests::child::{self, Child};
use rpyc_tests::server::Signal;

/// How long anything here may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The program, running. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// Runs the program to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    child::output(command().args(arguments)).expect("the program starts")
}

/// The program, with nothing in its environment that it would heed.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpyc-server"));
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Program {
        Program::spawn(command().args(arguments))
    }

    /// Starts it with no more than `files` descriptors.
    pub(crate) fn start_with_few_files(files: usize, arguments: &[&str]) -> Program {
        let mut shell = Command::new("sh");
        shell
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .arg("-c")
            .arg(format!("ulimit -n {files} && exec \"$0\" \"$@\""))
            .arg(env!("CARGO_BIN_EXE_rpyc-server"))
            .args(arguments);
        Program::spawn(&mut shell)
    }

    pub(crate) fn spawn(command: &mut Command) -> Program {
        let mut child = Child::spawn(command.stderr(Stdio::piped())).expect("the program starts");
        let stderr = child.stderr.take().expect("its standard error is a pipe");
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Program {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Where it says that it listens.
    pub(crate) fn address(&mut self) -> SocketAddr {
        let line = self.line_with("listening on ");
        let (_, address) = line
            .split_once("listening on ")
            .expect("it has just been found");
        address.parse().expect("an address")
    }

    /// The next line with `text` in it.
    #[track_caller]
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(rest) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {text:?} in {:#?}", self.seen)
                }
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Waits for the end; gives the status and all lines.
    #[track_caller]
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(rest) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it doesn't end: {:#?}", self.seen),
            }
        }
        let status = self.child.wait().expect("it is our child");
        (status, std::mem::take(&mut self.seen))
    }
}
