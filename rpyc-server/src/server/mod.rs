//! [`Server`]: listens, serves, stops.

mod accept;
pub mod auth;
mod authenticator;
mod builder;
mod child;
mod child_command;
mod client;
mod client_log;
mod clients;
mod descriptors;
mod hooks;
mod keepalive;
mod limits;
mod listener;
pub mod metrics;
mod options;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod pool;
mod process;
mod process_tree;
mod raw;
mod refusal;
mod shared;
mod spawn_queue;
mod threaded;

use std::io;
use std::io::PipeReader;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use log::error;
use rpyc_core::Connection;
use rpyc_core::service::IntoFactory;
use rpyc_core::transport::PeerAddr;

pub use self::authenticator::{Authenticated, Authenticator, Rejection};
pub use self::builder::Builder;
pub use self::child::InheritedClient;
pub use self::child_command::ChildCommand;
use self::client_log::ClientLog;
use self::clients::Clients;
use self::hooks::Hooks;
pub use self::limits::ProcessLimits;
pub use self::listener::{Address, ListenError, Listener};
pub use self::options::Mode;
use self::process::ProcessSpawner;
use self::raw::Incoming;
pub use self::raw::RawStream;
use self::shared::Shared;
use crate::places::Caps;
use crate::threads::Joined;

/// A server that listens and doesn't accept clients yet.
///
/// Clients that connect before [`run`](Server::run) or [`start`](Server::start) wait in the
/// system's queue.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    addresses: Vec<Address>,
    wake: PipeReader,
    hooks: Hooks,
    // A client that is there already: the only one.
    client: Option<(Incoming, PeerAddr)>,
    shared: Arc<Shared>,
}

impl Server {
    /// Options of a server of this: a service is the same one for all clients, a closure makes one
    /// for each.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use rpyc_core::{Exposed, service};
    /// use rpyc_server::Server;
    ///
    /// #[derive(Default)]
    /// struct Counter(AtomicU64);
    ///
    /// #[service]
    /// impl Counter {
    ///     #[exposed]
    ///     fn count(&self) -> u64 {
    ///         self.0.fetch_add(1, Ordering::Relaxed) + 1
    ///     }
    /// }
    ///
    /// let of_all = Server::builder(Counter::default());
    /// let of_each_client = Server::builder(Counter::default);
    ///
    /// // The program goes on using it.
    /// let counter = Exposed::new(Counter::default());
    /// let of_all = Server::builder(counter.clone());
    /// assert_eq!(counter.count(), 1);
    /// ```
    pub fn builder<Kind>(services: impl IntoFactory<Kind>) -> Builder {
        Builder::new(services.into_factory())
    }

    fn new(
        listeners: Vec<Listener>,
        client: Option<(Incoming, PeerAddr)>,
        builder: Builder,
    ) -> Result<Server, ListenError> {
        let Builder {
            factory,
            options,
            hooks,
        } = builder;
        let address_of = |listener: &Listener| listener.address().clone();
        let addresses = listeners.iter().map(address_of).collect();
        let broken = |source| ListenError::Pipe { source };
        let (wake, waker) = io::pipe().map_err(broken)?;
        // The accept loop itself writes to it: when it is full, the loop is about to look.
        rustix::io::ioctl_fionbio(&waker, true).map_err(|errno| broken(errno.into()))?;
        let caps = Caps {
            all: options.max_clients,
            per_source: options
                .max_clients_per_address
                .unwrap_or(options.max_clients.div_ceil(2)),
        };
        let shared = Shared {
            factory,
            clients: Clients::new(caps, options.mode == Mode::OneShot),
            options,
            client_log: Arc::new(ClientLog::new(waker.try_clone().map_err(broken)?)),
            stopping: AtomicBool::new(false),
            wake: waker,
        };
        let shared = Arc::new(shared);
        if let Some(metrics) = &shared.options.metrics {
            metrics.watch(&shared.clients);
        }
        Ok(Server {
            listeners,
            addresses,
            wake,
            hooks,
            client,
            shared,
        })
    }

    /// The addresses that it listens on, with the real port where port 0 was asked for.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The first TCP address that it listens on; none if it listens on Unix sockets alone.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(Address::tcp)
    }

    /// Stops the server from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            shared: self.shared.clone(),
        }
    }

    /// Serves on this thread until a [`Stopper`] stops it, then ends all connections: requests
    /// that run have the grace period to finish.
    ///
    /// # Errors
    /// When waiting for clients fails for good. A single client's failure is never one, nor is
    /// a lack of file descriptors or memory, which passes.
    pub fn run(self) -> io::Result<()> {
        let Server {
            listeners,
            addresses,
            wake,
            mut hooks,
            client,
            shared,
        } = self;
        descriptors::raise_descriptor_limit();
        let mut arrivals = Reception {
            spawner: match &shared.options.mode {
                Mode::Process(command) => {
                    let most = shared.options.max_clients;
                    Some(ProcessSpawner::new(command.clone(), most))
                }
                _ => None,
            },
            #[cfg(any(target_os = "linux", target_os = "android"))]
            pool: match shared.options.mode {
                Mode::Pool { workers } => Some(pool::Pool::start(workers)?),
                _ => None,
            },
            shared: shared.clone(),
        };
        hooks.start(&addresses);
        let only = client.is_some() || shared.options.mode == Mode::OneShot;
        let accepted = match client {
            Some((stream, peer)) => {
                threaded::take(&shared, stream, peer);
                Ok(())
            }
            None => accept::run(&listeners, &wake, &mut arrivals),
        };
        // From here on new clients are refused by the system.
        drop(listeners);
        if accepted.is_ok() && only {
            // Unless it was stopped, the one client that there is may stay until it goes.
            shared.clients.wait_until_gone(&shared.stopping);
        }
        shared.stopping.store(true, Ordering::SeqCst);
        let grace = shared.options.grace;
        let hooks = hooks.stop();
        let killed = shared.clients.close_all(grace);
        if let Some(spawner) = &arrivals.spawner {
            spawner.finish(&killed);
        }
        hooks.wait(
            grace
                .max(HOOKS_GRACE)
                .saturating_add(Duration::from_secs(1)),
        );
        shared.client_log.close();
        accepted
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(self) -> io::Result<Running> {
        let addresses = self.addresses.clone();
        let stopper = self.stopper();
        let thread = Joined::start("rpyc-accept", move || {
            let address = self.addresses.first().map(Address::to_string);
            if let Err(error) = self.run() {
                let address = address.unwrap_or_default();
                error!("{address}: the server ends: {error}");
            }
        })?;
        Ok(Running {
            addresses,
            stopper,
            thread,
        })
    }
}

/// What the accept loop does with clients.
struct Reception {
    spawner: Option<ProcessSpawner>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pool: Option<pool::Pool>,
    shared: Arc<Shared>,
}

impl accept::Arrivals for Reception {
    fn arrived(&mut self, stream: RawStream, peer: PeerAddr) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(pool) = &self.pool {
            pool.take(&self.shared, stream, peer);
            return;
        }
        match &self.spawner {
            Some(spawner) => spawner.take(&self.shared, stream, peer),
            None => threaded::take(&self.shared, Incoming::Raw(stream), peer),
        }
    }

    fn are_over(&self) -> bool {
        self.shared.stopping.load(Ordering::SeqCst) || self.shared.clients.has_the_only_one()
    }

    fn tick(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let handshakes = self.shared.clients.cut_overdue(now);
        let client_log = self.shared.client_log.tick(now);
        [handshakes, client_log].into_iter().flatten().min()
    }
}

/// Stops a server; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopper {
    shared: Arc<Shared>,
}

impl Stopper {
    /// How many clients are connected now.
    pub fn clients(&self) -> usize {
        self.shared.clients.len()
    }

    /// Tells the server to stop and returns at once; [`Server::run`] returns when it is done.
    /// Stopping twice is stopping once.
    pub fn stop(&self) {
        if !self.shared.stopping.swap(true, Ordering::SeqCst) {
            self.shared.wake();
            self.shared.clients.interrupt();
        }
    }

    /// Sends SIGHUP to the processes of clients ([`Mode::Process`]), to those that are being started as
    /// soon as they have taken their client over: for programs that read files anew then.
    pub fn hang_up(&self) {
        self.shared.clients.hang_up();
    }
}

/// A server that serves on a thread of its own. Dropping it stops the server, and waits until
/// it is done.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<Address>,
    stopper: Stopper,
    thread: Joined,
}

impl Running {
    /// The addresses that it listens on.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The first TCP address that it listens on; none if it listens on Unix sockets alone.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(Address::tcp)
    }

    /// Waits until the server has ended by itself: in [`Mode::OneShot`], when its client has
    /// gone; else when it is stopped by a [`Stopper`].
    pub fn wait(mut self) {
        self.thread.join();
    }

    /// Whether the server has ended.
    pub fn is_over(&self) -> bool {
        self.thread.has_ended()
    }

    /// How many clients are connected now.
    pub fn clients(&self) -> usize {
        self.stopper.shared.clients.len()
    }

    /// The connections that are served now; [`peer`](Connection::peer) says where from.
    pub fn connections(&self) -> Vec<Connection> {
        self.stopper.shared.clients.connections()
    }

    /// Stops the server from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Stops the server and waits until all connections have ended, or the grace period has.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

/// How long the hooks of the end have where the grace period is shorter.
const HOOKS_GRACE: Duration = Duration::from_secs(3);
