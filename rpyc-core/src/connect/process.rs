//! Peers at the other end of pipes: child processes, stdio, a tunnel through ssh.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Connector, io_error};
use crate::error::Error;
use crate::session::Connection;
use crate::sync::Mutex;
use crate::transport::{PipeStream, Stream};

impl Connector {
    /// Connects over two pipes: one to be read, one to be written.
    ///
    /// # Errors
    /// As [`connect_stream`](Connector::connect_stream); [`Error::Io`] when the system has no more
    /// descriptors.
    pub fn connect_pipes(
        &self,
        input: impl Into<OwnedFd>,
        output: impl Into<OwnedFd>,
    ) -> Result<Connection, Error> {
        let stream = PipeStream::new(input, output).map_err(io_error("making a pipe"))?;
        self.connect_stream(stream)
    }

    /// Connects over this process's stdin and stdout, which belong to the connection from then on:
    /// what is printed goes to stderr.
    ///
    /// # Errors
    /// As [`connect_pipes`](Connector::connect_pipes).
    pub fn connect_stdio(&self) -> Result<Connection, Error> {
        let stream = PipeStream::stdio().map_err(io_error("taking stdin and stdout over"))?;
        self.connect_stream(stream)
    }

    /// Starts a program and connects over its stdin and stdout; its stderr stays as the command has
    /// it. When the connection closes, the program sees the end of its stdin; one that
    /// hasn't ended 5 s later is killed.
    ///
    /// # Errors
    /// [`Error::Io`] when the program can't be started; as
    /// [`connect_stream`](Connector::connect_stream).
    pub fn connect_subprocess(&self, command: &mut Command) -> Result<Connection, Error> {
        let stream = ChildStream::spawn(command).map_err(io_error("starting a program"))?;
        self.connect_stream(stream)
    }

    /// Connects through the system's `ssh`: to `port` on the host's own loopback interface, where
    /// an RPyC server listens. `host` is what ssh takes: a name, or `user@name`. Keys and known hosts
    /// are ssh's business; it must not have to ask for a password.
    ///
    /// # Errors
    /// As [`connect_subprocess`](Connector::connect_subprocess). Messages of ssh go to stderr.
    pub fn connect_ssh(&self, host: &str, port: u16) -> Result<Connection, Error> {
        let target = format!("localhost:{port}");
        self.connect_subprocess(&mut self.ssh_to(host, &["-W", &target]))
    }

    /// The system's `ssh` to a host, which must not ask anything; what it is to do there comes as the
    /// next argument.
    pub fn ssh_command(&self, host: &str) -> Command {
        self.ssh_to(host, &[])
    }

    fn ssh_to(&self, host: &str, options: &[&str]) -> Command {
        let mut command = Command::new(&self.ssh);
        command.args(["-T", "-o", "BatchMode=yes"]).args(options);
        // A name that begins with a dash must not be an option.
        command.args(["--", host]);
        command
    }
}

/// The stdin and stdout of a child process.
struct ChildStream {
    pipes: PipeStream,
    child: Mutex<Option<Child>>,
}

impl ChildStream {
    fn spawn(command: &mut Command) -> io::Result<ChildStream> {
        let name = command.get_program().to_string_lossy().into_owned();
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned?;
        let (Some(stdout), Some(stdin)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let label = format!("{name} (process {})", child.id());
        Ok(ChildStream {
            pipes: PipeStream::exclusive(stdout, stdin, label)?,
            child: Mutex::new(Some(child)),
        })
    }

    fn reap(&self) {
        let Some(child) = self.child.lock().take() else {
            return;
        };
        let spawned = thread::Builder::new()
            .name("rpyc-reaper".to_owned())
            .spawn(move || see_off(child));
        if let Err(error) = spawned {
            log::warn!(target: "rpyc", "no thread to wait for a child process on: {error}");
        }
    }
}

/// Waits for the end of a child whose stdin has been closed, and kills it when it takes too long.
fn see_off(mut child: Child) {
    let deadline = Instant::now() + GRACE;
    while let Ok(None) = child.try_wait() {
        if deadline <= Instant::now() {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        thread::sleep(LOOK); // std has no wait for a child with a limit
    }
}

impl Stream for ChildStream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pipes.read(buffer)
    }

    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pipes.read_ready(buffer)
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.pipes.set_read_timeout(timeout)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.pipes.write_vectored(slices)
    }

    fn shutdown(&self) {
        self.pipes.shutdown();
        self.reap();
    }

    fn inner(&self) -> Option<&dyn Stream> {
        Some(&self.pipes)
    }
}

impl Drop for ChildStream {
    fn drop(&mut self) {
        self.shutdown();
    }
}

const GRACE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);
