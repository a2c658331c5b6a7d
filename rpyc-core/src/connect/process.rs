//! Peers at the other end of pipes: child processes, stdio, a tunnel through ssh.

use std::os::fd::OwnedFd;
use std::process::Command;

use super::{Connector, io_error};
use crate::error::Error;
use crate::session::Connection;
use crate::transport::PipeStream;

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
        let stream = PipeStream::to_program(command).map_err(io_error("starting a program"))?;
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
