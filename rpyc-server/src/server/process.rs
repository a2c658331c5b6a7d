//! A process for each client: started anew, not forked off, so that it begins with one thread and
//! nothing of anybody else's.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use log::Level;
use rpyc_core::channel::PeerAddr;
use rpyc_core::executor::{Executor, ThreadPool};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use super::client::next_name;
use super::clients::Place;
use super::keepalive::set_options;
use super::metrics::Refused;
use super::{RawStream, Shared};

/// The program that serves a client in [`Mode::Process`](super::Mode::Process). It is started
/// with the client's socket as its standard input, takes it over with
/// [`InheritedClient`](super::InheritedClient), and ends with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildCommand {
    program: OsString,
    arguments: Vec<OsString>,
}

impl ChildCommand {
    /// A program of any kind, without arguments.
    pub fn new(program: impl Into<OsString>) -> ChildCommand {
        ChildCommand {
            program: program.into(),
            arguments: Vec::new(),
        }
    }

    /// This very program; the arguments have to tell it that it is to serve a client.
    ///
    /// # Errors
    /// When the system doesn't tell its path.
    pub fn this_program() -> io::Result<ChildCommand> {
        std::env::current_exe().map(ChildCommand::new)
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> ChildCommand {
        self.arguments.push(argument.into());
        self
    }

    fn spawn(&self, stream: RawStream) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command.stdin(Stdio::from(OwnedFd::from(stream)));
        command.spawn()
    }
}

/// The threads that wait for the children's ends: no handler of SIGCHLD, which would reap the
/// children of others.
#[derive(Debug)]
pub(super) struct Nursery {
    command: ChildCommand,
    threads: ThreadPool,
}

impl Nursery {
    pub(super) fn new(command: ChildCommand, max_clients: usize) -> Nursery {
        Nursery {
            command,
            threads: ThreadPool::new("rpyc-child", STACK, max_clients.saturating_add(1)),
        }
    }

    /// Has a process of its own serve a client.
    pub(super) fn take(&self, shared: &Arc<Shared>, stream: RawStream, peer: PeerAddr) {
        let name = next_name();
        let place = match shared.clients.admit(&name, &peer) {
            Ok(place) => place,
            Err(refusal) => return shared.refuse(refusal.reason(), &peer, &refusal),
        };
        let (command, server, client) = (self.command.clone(), shared.clone(), peer.clone());
        let job = Box::new(move || {
            set_options(&stream, &client, &server.options);
            let blocking = stream.set_nonblocking(false);
            match blocking.and_then(|()| command.spawn(stream)) {
                Ok(child) => see_through(child, &place, |level, what| {
                    server.journal.session(level, &name, &client, what);
                }),
                Err(error) => {
                    let reason = format!("no process for it: {error}");
                    server.refuse(Refused::System, &client, &reason);
                }
            }
        });
        if let Err(error) = self.threads.execute(job) {
            shared.refuse(Refused::System, &peer, &error);
        }
    }
}

/// Waits for a child's end.
fn see_through(mut child: Child, place: &Place, log: impl Fn(Level, fmt::Arguments<'_>)) {
    let number = child.id();
    log(Level::Info, format_args!("process {number} serves it"));
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        place.served_by(pid);
        // Not reaped yet: while it may be sent a signal, nobody else gets its number.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), ended) {}
        place.process_ended();
    }
    match child.wait() {
        Ok(status) if status.success() => {
            log(Level::Info, format_args!("process {number} ended"));
        }
        Ok(status) => {
            let how = describe(status);
            log(Level::Warn, format_args!("process {number} ended: {how}"));
        }
        Err(error) => log(
            Level::Warn,
            format_args!("process {number} is lost: {error}"),
        ),
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => {
            let cause = match Signal::from_named_raw(signal) {
                Some(Signal::ABORT) => " (abort: most often no more memory)",
                Some(Signal::ALARM) => " (the limit on its lifetime)",
                Some(Signal::BUS | Signal::ILL | Signal::SEGV) => " (a fault)",
                Some(Signal::XCPU) => " (the limit on processor time)",
                _ => "",
            };
            format!("killed by signal {signal}{cause}")
        }
        _ => status.to_string(),
    }
}

/// These threads only wait, and write a log line.
const STACK: usize = 256 << 10;
