//! The clients that are connected: how many, from where, and how to end them all.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use log::warn;
use parking_lot::{Condvar, Mutex};
use rpyc_core::Connection;
use rpyc_core::executor::{Executor, ThreadPool};
use rpyc_core::transport::PeerAddr;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::raw::RawStream;
use super::refusal::Refusal;
use crate::places::{Caps, Holder, Places, Shortage};
use crate::source::Source;

/// The set of connected clients.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    inner: Arc<Inner>,
}

/// The same for who only looks at them.
pub(super) type WeakClients = Weak<Inner>;

#[derive(Debug)]
pub(super) struct Inner {
    caps: Caps,
    /// There is to be one client.
    one_shot: bool,
    set: Mutex<Set>,
    left: Condvar,
}

#[derive(Debug)]
struct Set {
    closing: bool,
    /// The one client that there is to be has been let in.
    taken: bool,
    present: Places<Client>,
    /// How many times SIGHUP was sent on.
    hang_ups: u64,
    // Who must be authenticated until when, in order.
    handshakes: VecDeque<(Instant, u64)>,
}

/// A client that is in the set, or has lost its place.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    peer: PeerAddr,
    stage: Stage,
}

/// How far a client has come.
#[derive(Debug)]
enum Stage {
    /// It is being authenticated, or has yet to send something; the socket is shut down to end that.
    Handshake(RawStream),
    /// The handshake was ended.
    Cut,
    /// Its connection is being opened: it is closed as soon as it is there.
    Opening,
    /// It is served.
    Serving(Connection),
    /// A process serves it, which nobody has reaped yet.
    Process {
        pid: Pid,
        /// It has taken the client over.
        is_ready: bool,
    },
}

/// Why a client's handshake was ended.
#[derive(Debug, PartialEq)]
pub(super) enum Cut {
    /// It took too long.
    Late,
    /// It had said nothing when others wanted in, and there was no room.
    Displaced,
    /// The server stops.
    Stopping,
    /// There is to be one client, and another one was let in.
    Taken,
}

impl Clients {
    pub(super) fn new(caps: Caps, one_shot: bool) -> Clients {
        Clients {
            inner: Arc::new(Inner {
                caps,
                one_shot,
                set: Mutex::new(Set {
                    closing: false,
                    taken: false,
                    hang_ups: 0,
                    present: Places::new(caps),
                    handshakes: VecDeque::new(),
                }),
                left: Condvar::new(),
            }),
        }
    }

    pub(super) fn downgrade(&self) -> WeakClients {
        Arc::downgrade(&self.inner)
    }

    pub(super) fn upgrade(weak: &WeakClients) -> Option<Clients> {
        weak.upgrade().map(|inner| Clients { inner })
    }

    pub(super) fn len(&self) -> usize {
        self.inner.set.lock().present.len()
    }

    /// Whether the one client that there is to be has been let in.
    pub(super) fn has_the_only_one(&self) -> bool {
        self.inner.set.lock().taken
    }

    /// The connections that are served now.
    pub(super) fn connections(&self) -> Vec<Connection> {
        let set = self.inner.set.lock();
        let served = set
            .present
            .holders()
            .filter_map(|client| match &client.stage {
                Stage::Serving(connection) => Some(connection.clone()),
                _ => None,
            });
        served.collect()
    }

    /// Takes up a client; it is in the set until its [`ClientSlot`] is dropped. Says who has lost a place
    /// to it.
    pub(super) fn admit(
        &self,
        name: &str,
        peer: &PeerAddr,
    ) -> Result<(ClientSlot, Option<Client>), Refusal> {
        let caps = self.inner.caps;
        let mut set = self.inner.set.lock();
        if set.closing {
            return Err(Refusal::Stopping);
        }
        if set.taken {
            return Err(Refusal::Taken);
        }
        let client = Client {
            name: name.to_owned(),
            peer: peer.clone(),
            stage: Stage::Opening,
        };
        let judge = |client: &Client| client.stage.holder();
        let taken = set.present.take(Source::remote(peer), client, judge);
        let (number, displaced) = taken.map_err(|shortage| match shortage {
            Shortage::All => Refusal::Full(caps.all),
            Shortage::OfSource => Refusal::FullForAddress(caps.per_source),
        })?;
        let place = ClientSlot {
            clients: self.clone(),
            number,
        };
        Ok((place, displaced))
    }

    /// Ends the handshakes that have taken too long; says how long the next one may still take.
    pub(super) fn cut_overdue(&self, now: Instant) -> Option<Duration> {
        let mut set = self.inner.set.lock();
        while let Some(&(deadline, number)) = set.handshakes.front() {
            let left = deadline.saturating_duration_since(now);
            if let Some(client) = set.present.get_mut(number)
                && let Stage::Handshake(socket) = &client.stage
            {
                if !left.is_zero() {
                    return Some(left);
                }
                socket.shutdown();
                client.stage = Stage::Cut;
            }
            set.handshakes.pop_front();
        }
        None
    }

    /// Waits until all clients have gone, or until the server is being stopped.
    pub(super) fn wait_until_gone(&self, stopping: &AtomicBool) {
        loop {
            // Nobody else looks after the handshakes any more.
            let next = self.cut_overdue(Instant::now()).unwrap_or(LONG);
            let mut set = self.inner.set.lock();
            if stopping.load(Ordering::SeqCst) || set.present.is_empty() {
                return;
            }
            self.inner.left.wait_for(&mut set, next);
        }
    }

    /// Has whoever waits for the clients to go look whether the server is being stopped.
    pub(super) fn interrupt(&self) {
        // Under the lock nobody is between looking and waiting.
        let _set = self.inner.set.lock();
        self.inner.left.notify_all();
    }

    /// Whether this process serves a client.
    pub(super) fn is_process(&self, process: Pid) -> bool {
        let is_it =
            |client: &Client| matches!(client.stage, Stage::Process { pid, .. } if pid == process);
        self.inner.set.lock().present.holders().any(is_it)
    }

    /// Sends SIGHUP to the processes of clients; to one that hasn't taken its client over yet, when it has:
    /// before, it may not be prepared for it.
    pub(super) fn hang_up(&self) {
        let mut set = self.inner.set.lock();
        set.hang_ups += 1;
        for client in set.present.holders() {
            if let Stage::Process {
                pid,
                is_ready: true,
            } = client.stage
            {
                signal(pid, Signal::HUP);
            }
        }
    }

    /// Ends all connections and waits until they have ended: `grace` for their requests, and a
    /// moment for the rest. Says which processes had to be killed.
    pub(super) fn close_all(&self, grace: Duration) -> Vec<Pid> {
        let began = Instant::now();
        let mut wind_up = WIND_UP;
        let mut set = self.inner.set.lock();
        set.closing = true;
        set.cut_handshakes();
        let mut connections = Vec::new();
        for client in set.present.holders() {
            match &client.stage {
                Stage::Serving(connection) => connections.push(connection.clone()),
                Stage::Process { pid, .. } => {
                    signal(*pid, Signal::TERM);
                    wind_up = PROCESS_WIND_UP;
                }
                Stage::Cut | Stage::Handshake(_) | Stage::Opening => {}
            }
        }
        drop(set);
        end_all(connections, grace);
        // One that can't be counted never comes.
        let deadline = began.checked_add(grace.saturating_add(wind_up));
        let mut set = self.inner.set.lock();
        while !set.present.is_empty() {
            match deadline {
                None => self.inner.left.wait(&mut set),
                Some(deadline) => {
                    if self.inner.left.wait_until(&mut set, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        let processes = set
            .present
            .holders()
            .filter_map(|client| match client.stage {
                Stage::Process { pid, .. } => Some(pid),
                _ => None,
            });
        let killed: Vec<Pid> = processes.collect();
        for pid in &killed {
            // It may have left its group.
            signal(*pid, Signal::KILL);
            let _ = kill_process_group(*pid, Signal::KILL);
        }
        // The last handle of a connection may do work: not under the lock.
        let left = set.present.clear();
        drop(set);
        for client in left {
            warn!(
                "{} from {}: ended: still busy {} s after the server was told to stop",
                client.name,
                client.peer,
                grace.as_secs_f32()
            );
        }
        killed
    }
}

/// Under the set's lock: the process is there, if only as a zombie.
fn signal(pid: Pid, signal: Signal) {
    if let Err(error) = kill_process(pid, signal) {
        warn!(
            "process {pid}: signal {signal:?}: {error}",
            pid = pid.as_raw_nonzero()
        );
    }
}

impl Stage {
    /// Whether a client that has come this far may have to make room.
    fn holder(&self) -> Holder {
        match self {
            Stage::Handshake(_) => Holder::Silent,
            Stage::Opening => Holder::Unknown,
            Stage::Serving(connection) if !connection.has_received() => Holder::Silent,
            Stage::Serving(_) | Stage::Process { .. } | Stage::Cut => Holder::Spoken,
        }
    }
}

impl Client {
    /// Who has lost its place, and isn't in the set any more.
    pub(super) fn peer(&self) -> &PeerAddr {
        &self.peer
    }

    /// Ends what is left of it, without waiting.
    pub(super) fn displace(self) {
        match self.stage {
            Stage::Handshake(socket) => socket.shutdown(),
            Stage::Serving(connection) => {
                end_elsewhere(&*ThreadPool::shared(), connection, Duration::ZERO);
            }
            Stage::Cut | Stage::Opening | Stage::Process { .. } => {}
        }
    }
}

impl Set {
    /// Ends all handshakes.
    fn cut_handshakes(&mut self) {
        for client in self.present.holders_mut() {
            if let Stage::Handshake(socket) = &client.stage {
                socket.shutdown();
                client.stage = Stage::Cut;
            }
        }
    }
}

/// Ends the connections, none of which must wait for another's requests: those that are idle by
/// a few threads, the busy ones by a thread each.
fn end_all(connections: Vec<Connection>, grace: Duration) {
    let (busy, idle): (Vec<_>, Vec<_>) = connections
        .into_iter()
        .partition(|connection| connection.running_requests() > 0);
    let threads = ThreadPool::new("rpyc-stop", STACK, IDLE_ENDERS + busy.len());
    let idle = Arc::new(Mutex::new(idle));
    for _ in 0..IDLE_ENDERS {
        let next = {
            let idle = idle.clone();
            move || idle.lock().pop()
        };
        let work = Box::new(move || {
            while let Some(connection) = next() {
                connection.shut_down(grace);
            }
        });
        if let Err(error) = threads.execute(work) {
            warn!("no thread to end the idle clients in order: {error}");
        }
    }
    for connection in busy {
        end_elsewhere(&threads, connection, grace);
    }
}

fn end_elsewhere(threads: &dyn Executor, connection: Connection, grace: Duration) {
    let name = connection.connid().to_owned();
    let job = Box::new(move || connection.shut_down(grace));
    if let Err(error) = threads.execute(job) {
        warn!("{name}: no thread to end it in order: {error}");
    }
}

/// A client's place in the set.
#[derive(Debug)]
pub(super) struct ClientSlot {
    clients: Clients,
    number: u64,
}

impl ClientSlot {
    /// The client is being authenticated over this socket, until the deadline at the latest.
    /// Only the accept loop, which ends overdue handshakes, may say so.
    pub(super) fn authenticating(&self, socket: RawStream, deadline: Option<Instant>) {
        let mut set = self.clients.inner.set.lock();
        if let Some(client) = set.present.get_mut(self.number) {
            client.stage = Stage::Handshake(socket);
            let handshake = deadline.map(|deadline| (deadline, self.number));
            set.handshakes.extend(handshake);
        }
    }

    /// The authentication has ended; says whether, and why, it was cut.
    pub(super) fn authenticated(&self) -> Result<(), Cut> {
        let mut set = self.clients.inner.set.lock();
        let stage = set.present.get_mut(self.number).map(|client| {
            // The socket is only one more handle, whose end does no work.
            std::mem::replace(&mut client.stage, Stage::Opening)
        });
        match stage {
            Some(Stage::Cut) | None if set.closing => Err(Cut::Stopping),
            _ if set.taken => Err(Cut::Taken),
            Some(Stage::Cut) => Err(Cut::Late),
            None => Err(Cut::Displaced),
            Some(_) => Ok(()),
        }
    }

    /// It is let in; says whether it is the one client that there is to be, whereupon the others
    /// are cut.
    pub(super) fn let_in(&self) -> Result<bool, Refusal> {
        let mut set = self.clients.inner.set.lock();
        if !self.clients.inner.one_shot {
            return Ok(false);
        }
        if set.taken {
            return Err(Refusal::Taken);
        }
        set.taken = true;
        set.cut_handshakes();
        Ok(true)
    }

    /// Whether the server stops: nothing new is to begin.
    pub(super) fn is_ending(&self) -> bool {
        self.clients.inner.set.lock().closing
    }

    /// The client is served from now on.
    pub(super) fn serving(&self, connection: &Connection) {
        let mut set = self.clients.inner.set.lock();
        if set.closing {
            // It was opened while the others were being ended.
            end_elsewhere(&*ThreadPool::shared(), connection.clone(), Duration::ZERO);
        }
        if let Some(client) = set.present.get_mut(self.number) {
            client.stage = Stage::Serving(connection.clone());
        }
    }

    /// The client is served by a process.
    pub(super) fn served_by(&self, process: Pid) {
        let mut set = self.clients.inner.set.lock();
        if set.closing {
            // It was started while the others were being ended.
            signal(process, Signal::TERM);
        }
        if let Some(client) = set.present.get_mut(self.number) {
            client.stage = Stage::Process {
                pid: process,
                is_ready: false,
            };
        }
    }

    /// How many times SIGHUP was sent on until now.
    pub(super) fn hang_ups(&self) -> u64 {
        self.clients.inner.set.lock().hang_ups
    }

    /// The process has taken the client over; it was started after so many SIGHUPs.
    pub(super) fn process_ready(&self, hang_ups: u64) {
        let mut set = self.clients.inner.set.lock();
        let missed = set.hang_ups != hang_ups;
        if let Some(client) = set.present.get_mut(self.number)
            && let Stage::Process { pid, is_ready } = &mut client.stage
        {
            *is_ready = true;
            if missed {
                signal(*pid, Signal::HUP);
            }
        }
    }

    /// The process has ended, and is about to be reaped.
    pub(super) fn process_ended(&self) {
        if let Some(client) = self.clients.inner.set.lock().present.get_mut(self.number) {
            client.stage = Stage::Cut;
        }
    }

    /// Whether the server has given the client up: it has been told that it ended.
    pub(super) fn is_given_up(&self) -> bool {
        !self.clients.inner.set.lock().present.contains(self.number)
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        let mut set = self.clients.inner.set.lock();
        let removed = set.present.free(self.number);
        drop(set);
        self.clients.inner.left.notify_all();
        // After the lock is given back, as in close_all.
        drop(removed);
    }
}

/// What connections need to end when nothing runs any more.
const WIND_UP: Duration = Duration::from_secs(1);

/// What a process needs that does the same, and then ends, its interpreter's clean-up included. It has
/// told of its client's end before that, and one that is killed here is told of, too.
const PROCESS_WIND_UP: Duration = Duration::from_secs(8);

/// For waits that something else ends.
const LONG: Duration = Duration::from_secs(3600);

/// How many threads end the idle clients of a server that stops.
const IDLE_ENDERS: usize = 16;

/// Ending a connection calls `on_disconnect`, which is foreign code.
const STACK: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> PeerAddr {
        PeerAddr::Tcp(text.parse().expect("an address"))
    }

    #[test]
    fn programs_of_this_machine_have_no_share() {
        let clients = Clients::new(
            Caps {
                all: 3,
                per_source: 1,
            },
            false,
        );
        let places = ["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"]
            .map(|text| clients.admit("it", &peer(text)).expect("room"));
        assert_eq!(clients.len(), places.len());
    }

    #[test]
    fn a_process_that_takes_its_client_over_later_is_sent_the_sighup_of_before() {
        use std::io::Read;
        use std::os::unix::process::ExitStatusExt;
        use std::process::{Command, Stdio};

        let (all, per_source) = (1, 1);
        let clients = Clients::new(Caps { all, per_source }, false);
        let (place, _) = clients.admit("it", &peer("127.0.0.1:1")).expect("room");
        let before = place.hang_ups();
        // Whoever runs the tests may ignore the signal, and have its processes do so.
        let sleeper = "from signal import *; import time
signal(SIGHUP, SIG_DFL), print(flush=True), time.sleep(60)";
        let mut command = Command::new("python3");
        let command = command.args(["-c", sleeper]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3");
        let ready = child.stdout.take().expect("a pipe").read_exact(&mut [0]);
        ready.expect("it is ready");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        place.served_by(pid.expect("a number"));
        clients.hang_up();
        place.process_ready(before);
        let status = child.wait().expect("its end");
        assert_eq!(status.signal(), Some(Signal::HUP.as_raw()));
    }
}
