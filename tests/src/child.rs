//! [`Child`]: a process that no end of a test leaves behind.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{
    self, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio,
};
use std::thread;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use crate::guard::GUARD;

/// A running child, with a process group of its own. Dropping it kills all of the group, and so does
/// the end of this process, whatever ends that.
#[derive(Debug)]
pub struct Child {
    /// Its standard input, where that is piped.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, where that is piped.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, where that is piped.
    pub stderr: Option<ChildStderr>,
    child: process::Child,
    status: Option<ExitStatus>,
}

impl Child {
    /// Starts the program.
    ///
    /// # Errors
    /// When the system doesn't.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.process_group(0).spawn()?;
        GUARD.add(child.id());
        Ok(Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            status: None,
        })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this very process. One that has ended by itself is as good.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.unreaped() {
            let _ = kill_process(pid, signal);
        }
    }

    /// Closes its standard input, waits for its end, and ends what is left of its group.
    ///
    /// # Errors
    /// When the system can't wait.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        if let Some(pid) = self.unreaped() {
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), ended) {}
        }
        self.reap()
    }

    /// Its status if it has ended, and then ends what is left of its group.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.is_running() {
            return Ok(None);
        }
        self.reap().map(Some)
    }

    /// Waits for its end, and for the end of all that it writes.
    ///
    /// # Errors
    /// When a stream can't be read, or as [`wait`](Self::wait).
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        let errors = self
            .stderr
            .take()
            .map(|errors| thread::spawn(|| all(errors)));
        let stdout = self.stdout.take().map_or(Ok(Vec::new()), all)?;
        let stderr = errors.map_or(Ok(Vec::new()), |errors| {
            errors
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a reader panicked")))
        })?;
        Ok(Output {
            status: self.wait()?,
            stdout,
            stderr,
        })
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        self.unreaped()
            .is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), ended), Ok(None)))
    }

    /// Its id, while that is its own: it hasn't been waited for.
    fn unreaped(&self) -> Option<Pid> {
        let id = i32::try_from(self.child.id()).ok();
        id.filter(|_| self.status.is_none()).and_then(Pid::from_raw)
    }

    /// Kills what is left of its group, while the number is its own, and gives the number back.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        if let Some(pid) = self.unreaped() {
            // It fails when nobody is left.
            let _ = kill_process_group(pid, Signal::KILL);
            GUARD.remove(self.child.id());
        }
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // There is nobody to be told.
        let _ = self.reap();
    }
}

/// Runs a program to its end, with its output collected; its standard input is empty unless the
/// command has another.
///
/// # Errors
/// As [`Child::spawn`] and [`Child::wait_with_output`].
pub fn output(command: &mut Command) -> io::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Child::spawn(command)?.wait_with_output()
}

fn all(mut stream: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_has_started_ends_with_it() {
        let mut command = Command::new("sh");
        // It keeps the pipe open as long as it lives.
        command
            .args(["-c", "sleep 1000 & exit 3"])
            .stdout(Stdio::piped());
        let mut child = Child::spawn(&mut command).expect("a shell");
        let stdout = child.stdout.take().expect("a pipe");
        assert_eq!(child.wait().expect("its end").code(), Some(3));
        assert!(all(stdout).expect("the end of the pipe").is_empty());
        assert!(!child.is_running());
        assert_eq!(
            child.try_wait().expect("known").and_then(|s| s.code()),
            Some(3)
        );
    }

    #[test]
    fn both_streams_of_a_program_are_collected() {
        let mut command = Command::new("sh");
        command.args(["-c", "head -c 200000 /dev/zero >&2; echo out"]);
        let output = output(&mut command).expect("a shell");
        assert_eq!(
            (&output.stdout[..], output.stderr.len()),
            (&b"out\n"[..], 200_000)
        );
        assert!(output.status.success());
    }
}
