//! A process for each client: started anew, not forked off, so that it begins with one thread and
//! nothing of anybody else's.
//!
//! It is started when the client's first bytes have come, so that silence costs no process, unless the
//! server speaks first; and only so many are started at a time, shared by source. One that is still there a
//! while after its client has gone is killed, whatever it does: stopped, say, it would never notice.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{Level, warn};
use rpyc_core::executor::{Executor, ThreadPool};
use rpyc_core::transport::PeerAddr;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use socket2::SockRef;

use super::child_command::ChildCommand;
use super::client::next_name;
use super::clients::ClientSlot;
use super::keepalive::set_options;
use super::process_tree::{adopt_orphans, kill_orphans};
use super::raw::RawStream;
use super::refusal::{Refusal, Refused};
use super::shared::Shared;
use super::spawn_queue::{SpawnQueue, Start};
use crate::causes::with_causes;
use crate::source::Source;

/// The threads that wait for the children's ends: no handler of SIGCHLD, which would reap the
/// children of others.
#[derive(Debug)]
pub(super) struct ProcessSpawner {
    command: ChildCommand,
    threads: ThreadPool,
    starts: SpawnQueue,
}

impl ProcessSpawner {
    pub(super) fn new(command: ChildCommand, max_clients: usize) -> ProcessSpawner {
        if command.adopts_orphans
            && let Err(error) = adopt_orphans()
        {
            warn!("what clients' processes leave behind can't be killed: {error}");
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ProcessSpawner {
            command,
            // Those of clients that have lost their place take a moment to end.
            threads: ThreadPool::new("rpyc-child", STACK, max_clients.saturating_mul(2)),
            // Some of them wait for the disk.
            starts: SpawnQueue::new(2 * cores),
        }
    }

    /// The last processes have been killed: so is what they leave behind.
    pub(super) fn finish(&self, killed: &[Pid]) {
        if !self.command.adopts_orphans {
            return;
        }
        let deadline = Instant::now() + START;
        while killed.iter().any(|pid| runs(*pid)) && Instant::now() < deadline {
            std::thread::sleep(LOOK); // another thread reaps them
        }
        kill_orphans(|_| false);
    }

    /// Has a process of its own serve a client.
    pub(super) fn take(&self, shared: &Arc<Shared>, stream: RawStream, peer: PeerAddr) {
        let name = next_name();
        let place = match shared.admit(&name, &peer) {
            Ok(place) => place,
            Err(refusal) => return shared.turn_away(&peer, &refusal),
        };
        // The accept loop ends the wait for the first bytes.
        let options = &shared.options;
        let limits = [
            options.handshake_timeout,
            options.connection.handshake_timeout,
        ];
        let limit = limits.into_iter().flatten().min();
        match stream.try_clone() {
            Ok(socket) => {
                let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
                place.authenticating(socket, deadline);
            }
            Err(error) => return shared.refuse(Refused::System, &peer, &error),
        }
        let client = Client {
            name,
            peer: peer.clone(),
            place,
            server: shared.clone(),
        };
        let (command, starts) = (self.command.clone(), self.starts.clone());
        let job = Box::new(move || client.lead(stream, limit, &command, &starts));
        if let Err(error) = self.threads.execute(job) {
            shared.refuse(Refused::System, &peer, &error);
        }
    }
}

/// A client that was let in, and has or gets a process.
struct Client {
    name: String,
    peer: PeerAddr,
    place: ClientSlot,
    server: Arc<Shared>,
}

impl Client {
    /// A client's life, on a thread that only waits.
    fn lead(
        self,
        stream: RawStream,
        limit: Option<Duration>,
        command: &ChildCommand,
        starts: &SpawnQueue,
    ) {
        let refuse = |why, reason: &dyn fmt::Display| self.server.refuse(why, &self.peer, reason);
        let authenticator = self.server.options.authenticator.as_ref();
        let admitted = authenticator.map_or(Ok(()), |one| one.0.admit(&self.peer));
        if let Err(rejection) = admitted {
            return refuse(Refused::Authentication, &with_causes(&rejection));
        }
        let options = &self.server.options;
        let write_timeout = options.connection.write_timeout;
        set_options(&stream, &self.peer, options.keepalive, write_timeout);
        let waits = authenticator.is_none_or(|one| one.0.client_speaks_first());
        let spoken = if waits {
            first_bytes(&stream)
        } else {
            Ok(true)
        };
        if let Err(cut) = self.place.authenticated() {
            let limit = limit.unwrap_or_default();
            let late = format_args!("it sent nothing within {limit:?}");
            return self.server.cut(cut, &self.peer, &late);
        }
        match spoken {
            Ok(true) => {}
            Ok(false) => return self.log(Level::Info, format_args!("ended: it sent nothing")),
            Err(error) => return refuse(Refused::System, &NoProcess(error)),
        }
        let Some(start) = starts.begin(Source::from(&self.peer), QUEUE) else {
            let late = format!("no process could be started for it within {QUEUE:?}");
            return refuse(Refused::System, &late);
        };
        if self.place.is_ending() {
            return self.server.turn_away(&self.peer, &Refusal::Stopping);
        }
        if has_gone(&stream) {
            let what = format_args!("ended: it has gone before there was a process for it");
            return self.log(Level::Info, what);
        }
        // The process ends this as soon as it has taken the client over.
        let marked = stream.set_nonblocking(true);
        let socket = marked.and_then(|()| stream.try_clone());
        let hang_ups = self.place.hang_ups();
        match socket.and_then(|socket| Ok((command.spawn(stream, &self.name)?, socket))) {
            Ok((child, socket)) => {
                self.see_through(child, socket, start, hang_ups, command.adopts_orphans);
            }
            Err(error) => refuse(Refused::System, &NoProcess(error)),
        }
    }

    /// Waits for the process's end.
    fn see_through(
        &self,
        mut child: Child,
        socket: RawStream,
        start: Start,
        hang_ups: u64,
        kills_orphans: bool,
    ) {
        let number = child.id();
        self.log(Level::Info, format_args!("process {number} serves it"));
        let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            self.place.served_by(pid);
            let mut start = Some(start);
            if is_taken_over(pid, &socket, || drop(start.take())) {
                self.place.process_ready(hang_ups);
            }
            drop(start);
            let grace = self.server.options.grace.max(GRACE);
            if outlives_client(pid, &socket, grace.saturating_add(WIND_UP)) {
                let what = format_args!("process {number} is killed: its client has gone");
                self.log(Level::Warn, what);
                // It fails when it has ended at last.
                let _ = kill_process(pid, Signal::KILL);
            }
            // Not reaped yet: while it may be sent a signal, nobody else gets its number.
            while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), ended()) {}
            self.place.process_ended();
            // It fails when nobody is left in it.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        drop(socket);
        let ended = child.wait();
        if kills_orphans {
            kill_orphans(|pid| self.server.clients.is_process(pid));
        }
        if self.place.is_given_up() {
            return; // it has been told of
        }
        let (level, how) = match ended {
            Ok(status) if status.success() => (Level::Info, "ended".to_owned()),
            Ok(status) if status.code() == Some(ChildCommand::REFUSED.into()) => {
                if let Some(metrics) = &self.server.options.metrics {
                    metrics.refused(Refused::Authentication);
                }
                // It has said why.
                (Level::Info, "ended: it has refused the client".to_owned())
            }
            Ok(status) => (Level::Warn, format!("ended: {}", describe(status))),
            Err(error) => (Level::Warn, format!("is lost: {error}")),
        };
        self.log(level, format_args!("process {number} {how}"));
    }

    fn log(&self, level: Level, what: fmt::Arguments<'_>) {
        let client_log = &self.server.client_log;
        client_log.session(level, &self.name, &self.peer, what);
    }
}

/// Why a client that has spoken isn't served.
#[derive(Debug, thiserror::Error)]
#[error("no process for it: {0}")]
struct NoProcess(io::Error);

/// Waits for the client's first bytes, and leaves them where they are; false when it has gone
/// without any.
fn first_bytes(stream: &RawStream) -> io::Result<bool> {
    while let Err(error) = poll(&mut [PollFd::new(stream, PollFlags::IN)], None) {
        if error != Errno::INTR {
            return Err(error.into());
        }
    }
    let peeked = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    Ok(peeked.is_ok_and(|count| count > 0))
}

/// Whether the client has closed its end, or all of the connection.
#[cfg(target_os = "linux")]
fn has_gone(stream: &RawStream) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Elsewhere its process finds out.
#[cfg(not(target_os = "linux"))]
fn has_gone(_: &RawStream) -> bool {
    false
}

/// Waits until the process has taken the client over, or has ended; says whether it has taken it over.
/// Calls `is_late` when that takes longer than [`START`]; from then on the client's end ends it, too.
fn is_taken_over(pid: Pid, socket: &RawStream, is_late: impl FnOnce()) -> bool {
    let deadline = Instant::now() + START;
    let untouched = || fcntl_getfl(socket).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK));
    let mut is_late = Some(is_late);
    while untouched() {
        let late = is_late.is_none();
        if !runs(pid) || late && has_gone(socket) {
            return false;
        }
        // Nothing tells of a socket's mode.
        std::thread::sleep(if late { LOOK_LATE } else { LOOK });
        if Instant::now() >= deadline
            && let Some(is_late) = is_late.take()
        {
            is_late();
        }
    }
    true
}

/// Whether a child of this process still runs.
fn runs(pid: Pid) -> bool {
    matches!(
        waitid(WaitId::Pid(pid), ended() | WaitIdOptions::NOHANG),
        Ok(None)
    )
}

/// Waits for the end of the process or of its client; says whether the process is still there
/// `grace` after the client has gone.
#[cfg(target_os = "linux")]
fn outlives_client(pid: Pid, socket: &RawStream, grace: Duration) -> bool {
    use rustix::process::{PidfdFlags, pidfd_open};

    // Systems of before Linux 5.3 have none: there nobody looks.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
        return false;
    };
    let process = PollFd::new(&process, PollFlags::IN);
    let mut fds = [process.clone(), PollFd::new(socket, PollFlags::RDHUP)];
    while let Err(Errno::INTR) = poll(&mut fds, None) {}
    // One that can't be counted never comes.
    let deadline = Instant::now().checked_add(grace);
    loop {
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [process.clone()], left.as_ref()) {
            Err(Errno::INTR) => {}
            Ok(0) => return true,
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Elsewhere nobody looks.
#[cfg(not(target_os = "linux"))]
fn outlives_client(_: Pid, _: &RawStream, _: Duration) -> bool {
    false
}

/// How to wait for the end of a process that isn't reaped yet.
fn ended() -> WaitIdOptions {
    WaitIdOptions::EXITED | WaitIdOptions::NOWAIT
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

/// How long a process may take to take its client over before the next one is started all the same.
const START: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);
const LOOK_LATE: Duration = Duration::from_millis(100);

/// How long a client waits for its turn: Python's give up after as long.
const QUEUE: Duration = Duration::from_secs(30);

/// How long requests that run may take to end once their client has gone, and what the process
/// needs after that.
const GRACE: Duration = Duration::from_secs(5);
const WIND_UP: Duration = Duration::from_secs(2);
