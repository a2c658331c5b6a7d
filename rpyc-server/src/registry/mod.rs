//! The registry: who offers which service where, over UDP or TCP, as Python's `rpyc_registry`
//! has it; and the registration of a server with one.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use rpyc_registry::{Offer, RegistryClient};
//! use rpyc_core::service::VoidService;
//! use rpyc_server::registry::{Registration, Registry};
//! use rpyc_server::Server;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::builder().listing(true).listen("127.0.0.1:0")?.start()?;
//!
//! let server = Server::builder(|| VoidService).listen("127.0.0.1:0")?;
//! let client = RegistryClient::udp("127.0.0.1").port(registry.local_addr().port());
//! let offer = Offer::new(["notes", "memo"], 18812)?;
//! let registration = Registration::start(Arc::new(client), move || offer.clone())?;
//! // ... serve ...
//! registration.stop();
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! No datagram and no connection ends it, makes it wait, or takes more memory than the limits
//! allow. It can't promise that what it tells is true: over UDP a sender can be forged, and
//! whoever may ask may register anything at its own address. Use it in networks that are
//! trusted, and [`Builder::allow`] to say which ones those are.

mod answers;
mod datagrams;
mod desk;
mod listening;
mod registration;
mod store;
mod table;
mod tcp;
mod udp;

use std::io::{self, PipeReader, PipeWriter, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use log::error;
use rpyc_registry::{DEFAULT_PORT, Directory};

use self::answers::{Answers, Options};
pub use self::listening::Transport;
use self::listening::{Listening, listen};
pub use self::registration::Registration;
use self::store::Store;
pub use self::store::StoreLog;
use crate::threads::Joined;

/// Options of a [`Registry`], each with a default.
#[derive(Clone, Debug)]
pub struct Builder {
    transport: Transport,
    options: Options,
}

/// A registry that listens and doesn't answer yet.
#[derive(Debug)]
pub struct Registry {
    socket: Listening,
    local_addr: SocketAddr,
    options: Options,
    wake: PipeReader,
    stopper: Stopper,
}

impl Registry {
    /// Options of a registry.
    pub fn builder() -> Builder {
        Builder {
            transport: Transport::default(),
            options: Options {
                allow: Vec::new(),
                foreign_hosts: false,
                lifetime: Duration::from_secs(240),
                listing: false,
                max_entries: 10_000,
                rate: 100,
                store: None,
            },
        }
    }

    /// The address that it listens on, with the real port where port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops the registry from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Answers on this thread until a [`Stopper`] stops it.
    ///
    /// # Errors
    /// When waiting for questions fails for good. Who asks is never the cause.
    pub fn run(self) -> io::Result<()> {
        let answers = Answers::new(self.options, Instant::now());
        match self.socket {
            Listening::Tcp(listener) => tcp::run(&listener, &self.wake, answers),
            Listening::Udp(socket) => udp::run(&socket, &self.wake, answers),
        }
    }

    /// Answers on a thread of its own.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(self) -> io::Result<RunningRegistry> {
        let local_addr = self.local_addr;
        let stopper = self.stopper();
        let run = move || {
            if let Err(error) = self.run() {
                error!("{local_addr}: the registry ends: {error}");
            }
        };
        let thread = Joined::start("rpyc-registry", run)?;
        Ok(RunningRegistry {
            local_addr,
            stopper,
            _thread: thread,
        })
    }
}

impl Builder {
    /// Over what it is asked. Default: UDP.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Builder {
        self.transport = transport;
        self
    }

    /// Whether it tells which services there are; otherwise it only tells where a service is
    /// whose name is known. Over UDP the answer is many times as long as the question, which an
    /// attacker can point at somebody else. Default: no.
    #[must_use]
    pub fn listing(mut self, listing: bool) -> Builder {
        self.options.listing = listing;
        self
    }

    /// How long an entry lives that isn't repeated. Servers repeat theirs each minute.
    /// Default: 240 s.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Builder {
        self.options.lifetime = lifetime;
        self
    }

    /// Networks that may ask and register; others are not answered. Default: all.
    #[must_use]
    pub fn allow(mut self, networks: impl IntoIterator<Item = IpNet>) -> Builder {
        self.options.allow = networks.into_iter().collect();
        self
    }

    /// Whether a server may register another address than the one that it asks from, as one in
    /// a container has to ([`RegistryClient::advertise`]). Then everybody who may ask can also
    /// remove, and redirect, the services of others. Default: no.
    ///
    /// [`RegistryClient::advertise`]: rpyc_registry::RegistryClient::advertise
    #[must_use]
    pub fn foreign_hosts(mut self, foreign_hosts: bool) -> Builder {
        self.options.foreign_hosts = foreign_hosts;
        self
    }

    /// Questions a second that one source may ask, ten times as many at once; a long answer
    /// counts as several. Stops floods, and long answers that are sent to a forged sender. 0 sets
    /// no limit. Default: 100.
    #[must_use]
    pub fn rate(mut self, per_second: u32) -> Builder {
        self.options.rate = per_second;
        self
    }

    /// Entries (services times servers) that it keeps; half of them for one host. Stops who
    /// registers without end. Default: 10,000.
    #[must_use]
    pub fn max_entries(mut self, max_entries: usize) -> Builder {
        self.options.max_entries = max_entries;
        self
    }

    /// Answers from a directory and keeps nothing itself, so that there may be several copies of the
    /// registry: `at` gives the directory as servers at an address use it, for instance
    /// `EtcdDirectory::advertise`, and may tell the registry's log what it has to say. What lives how long, and how much is kept, is the directory's
    /// business. Where it doesn't answer, neither does the registry. Default: none.
    #[must_use]
    pub fn store(
        mut self,
        at: impl Fn(IpAddr, StoreLog) -> Box<dyn Directory> + Send + Sync + 'static,
    ) -> Builder {
        self.options.store = Some(Store::new(at));
        self
    }

    /// Listens on the first of the addresses that can be had. Port 0 takes a free one. An
    /// unspecified IPv6 address (`[::]`) takes IPv4, too. Broadcasts are heard on unspecified
    /// IPv4 addresses only.
    ///
    /// # Errors
    /// What the system says: most often that the port is in use.
    pub fn listen(self, address: impl ToSocketAddrs) -> io::Result<Registry> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in address.to_socket_addrs()? {
            match listen(address, self.transport) {
                Ok((socket, local_addr)) => {
                    let (wake, waker) = io::pipe()?;
                    return Ok(Registry {
                        socket,
                        local_addr,
                        options: self.options,
                        wake,
                        stopper: Stopper(Arc::new(waker)),
                    });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Listens on the registries' own port, on all IPv4 addresses: as
    /// [`listen`](Builder::listen).
    ///
    /// # Errors
    /// As that.
    pub fn listen_on_default(self) -> io::Result<Registry> {
        self.listen(("0.0.0.0", DEFAULT_PORT))
    }
}

/// Stops a registry; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<PipeWriter>);

impl Stopper {
    /// Tells the registry to stop and returns at once.
    pub fn stop(&self) {
        // It fails when nothing reads the pipe any more: the registry has ended.
        let _ = (&*self.0).write_all(b"!");
    }
}

/// A registry that answers on a thread of its own. Dropping it stops the registry.
#[derive(Debug)]
pub struct RunningRegistry {
    local_addr: SocketAddr,
    stopper: Stopper,
    _thread: Joined,
}

impl RunningRegistry {
    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops the registry and waits until it has ended.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for RunningRegistry {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}
