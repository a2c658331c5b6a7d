//! A child process with its output collected while it runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::child::Child;

/// A running child; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    output: Arc<Output>,
}

/// The lines that a process has written so far, of one or both of its streams.
#[derive(Debug, Default)]
struct Output {
    state: Mutex<OutputState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct OutputState {
    stdout: Vec<String>,
    stderr: Vec<String>,
    open_streams: usize,
}

impl Process {
    /// Starts the program with its output collected and nothing on its standard input.
    ///
    /// # Panics
    /// When it can't be started.
    #[track_caller]
    pub(crate) fn spawn(command: &mut Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Child::spawn(command)
            .unwrap_or_else(|e| panic!("{:?} can't be started: {e}", command.get_program()));
        let output = Arc::new(Output::default());
        output.lock().open_streams = 2;
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, &output, |state| &mut state.stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, &output, |state| &mut state.stderr);
        }
        Self { child, output }
    }

    /// Waits until a line of standard error makes `wanted` return something.
    /// `None` when the process closes its output first, or at the deadline.
    pub(crate) fn wait_for_line<T>(
        &self,
        limit: Duration,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.wait_for(limit, |lines| lines.iter().find_map(|line| wanted(line)))
    }

    /// Waits until the lines of standard error make `wanted` return something.
    /// `None` when the process closes its output first, or at the deadline.
    pub(crate) fn wait_for<T>(
        &self,
        limit: Duration,
        wanted: impl Fn(&[String]) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now() + limit;
        let mut state = self.output.lock();
        loop {
            if let Some(found) = wanted(&state.stderr) {
                return Some(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.open_streams == 0 {
                return None;
            }
            state = self.output.wait(state, left);
        }
    }

    /// What standard output got so far.
    pub(crate) fn stdout(&self) -> String {
        self.output.lock().stdout.join("\n")
    }

    /// What standard error got so far, line by line.
    pub(crate) fn stderr_lines(&self) -> Vec<String> {
        self.output.lock().stderr.clone()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this very process.
    pub(crate) fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Waits for the end: the output closed, then the status. `None` at the deadline.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        let mut state = self.output.lock();
        while state.open_streams > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.output.wait(state, left);
        }
        drop(state);
        self.child.wait().ok()
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&self) -> bool {
        self.child.is_running()
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, OutputState> {
        // The lines stay usable whatever panicked while it held the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, OutputState>,
        limit: Duration,
    ) -> MutexGuard<'a, OutputState> {
        match self.changed.wait_timeout(state, limit) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }
}

/// Drains a stream into lines, so that the process never blocks on a full pipe.
fn collect(
    stream: impl Read + Send + 'static,
    output: &Arc<Output>,
    lines: fn(&mut OutputState) -> &mut Vec<String>,
) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            lines(&mut output.lock()).push(text);
            output.changed.notify_all();
            line.clear();
        }
        output.lock().open_streams -= 1;
        output.changed.notify_all();
    });
}
