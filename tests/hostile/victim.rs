//! [`Victim`]: a server in this process, and a well-behaved client of it that watches.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::error::CloseReason;
use rpyc_core::wire::Limits;
use rpyc_core::{Config, Connection, VoidService};

use crate::service::Probe;

/// Far below every patience that a server could have with a peer that says nothing more.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(20);

/// Serves [`Probe`] on a free port, one thread a client.
pub(crate) struct Victim {
    address: SocketAddr,
    ended: Receiver<Ended>,
    // Nobody, where whoever is idle is closed.
    bystander: Option<Connection>,
    stopping: Arc<AtomicBool>,
    _turn: Turn,
}

/// What became of a connection.
#[derive(Debug)]
pub(crate) struct Ended {
    peer: SocketAddr,
    pub(crate) reason: CloseReason,
    /// How many requests of the peer were `tick`.
    pub(crate) ticks: usize,
    disconnects: usize,
    exported: usize,
    pending: usize,
    service: Weak<Probe>,
}

// Tests that measure memory run alone.
#[allow(dead_code)] // held, not read
enum Turn {
    Alone(RwLockWriteGuard<'static, ()>),
    Beside(RwLockReadGuard<'static, ()>),
}

static TURNS: RwLock<()> = RwLock::new(());
static PANICS: AtomicUsize = AtomicUsize::new(0);

impl Victim {
    /// With the limits of the tests: frames of 16 MiB.
    pub(crate) fn start() -> Victim {
        Victim::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Victim {
        let turn = TURNS.read().unwrap_or_else(PoisonError::into_inner);
        Victim::begin(Turn::Beside(turn), change)
    }

    /// The same, while no other test runs.
    pub(crate) fn alone(change: impl FnOnce(&mut Config)) -> Victim {
        let turn = TURNS.write().unwrap_or_else(PoisonError::into_inner);
        Victim::begin(Turn::Alone(turn), change)
    }

    fn begin(turn: Turn, change: impl FnOnce(&mut Config)) -> Victim {
        count_panics();
        let mut config = Config::default();
        config.limits = Limits::default().max_frame(16 << 20).max_inflated(16 << 20);
        change(&mut config);
        let waits_for_ever = config.idle_timeout.is_none();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (report, ended) = mpsc::channel();
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = stopping.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, config, report) = (stream.unwrap(), config.clone(), report.clone());
                let served = move || serve(stream, config, &report);
                thread::Builder::new()
                    .name("victim".to_owned())
                    .spawn(served)
                    .unwrap();
            }
        });
        let bystander = waits_for_ever.then(|| connect(address));
        Victim {
            address,
            ended,
            bystander,
            stopping,
            _turn: turn,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Fails unless the process is well and others are served.
    #[track_caller]
    pub(crate) fn check_well(&self) {
        match &self.bystander {
            Some(bystander) => bystander.ping().unwrap(),
            None => connect(self.address).ping().unwrap(),
        }
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "something panicked");
    }

    /// Waits for the end of the peer's connection; fails unless it was a clean one.
    #[track_caller]
    pub(crate) fn ended(&self, peer: SocketAddr) -> Ended {
        let ended = loop {
            let ended = self.ended.recv_timeout(2 * AT_ONCE);
            let ended = ended.expect("the connection didn't end");
            if ended.peer == peer {
                break ended;
            }
        };
        assert_eq!(ended.disconnects, 1, "calls of on_disconnect");
        assert_eq!(ended.exported, 0, "objects that the peer still holds");
        assert_eq!(ended.pending, 0, "requests without an answer");
        let deadline = Instant::now() + AT_ONCE;
        while ended.service.upgrade().is_some() {
            assert!(Instant::now() < deadline, "the session isn't freed");
            thread::yield_now();
        }
        self.check_well();
        ended
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; a listener that is gone is fine, too.
        drop(TcpStream::connect(self.address));
    }
}

/// A client that behaves.
fn connect(address: SocketAddr) -> Connection {
    let stream = TcpStream::connect(address).unwrap();
    let client = Connection::open(stream, Arc::new(VoidService), Config::default()).unwrap();
    client.ping().unwrap();
    client
}

fn serve(stream: TcpStream, config: Config, report: &Sender<Ended>) {
    let Ok(peer) = stream.peer_addr() else {
        return;
    };
    let service = Arc::new(Probe::default());
    let (disconnects, ticks) = (service.disconnects.clone(), service.ticks.clone());
    let alive = Arc::downgrade(&service);
    let connection = Connection::open(stream, service, config).unwrap();
    let reason = connection.serve_all();
    let ended = Ended {
        peer,
        reason,
        ticks: ticks.load(Ordering::SeqCst),
        disconnects: disconnects.load(Ordering::SeqCst),
        exported: connection.exported_objects(),
        pending: connection.pending_requests(),
        service: alive,
    };
    drop(connection);
    // The test may be over.
    let _ = report.send(ended);
}

/// Counts the panics of every thread but those of the tests themselves.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = thread::current();
            if matches!(
                thread.name(),
                Some("victim" | "rpyc" | "rpyc-helper" | "rpyc-watchdog")
            ) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(info);
        }));
    });
}
