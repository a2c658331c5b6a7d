//! [`Server`]: listens, serves, stops.

mod accept;
mod clients;
mod config;
mod listener;
mod threaded;

use std::io;
use std::io::{PipeReader, PipeWriter, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use log::error;
use rpyc_core::service::ServiceFactory;

use self::clients::Clients;
pub use self::config::Builder;
use self::config::Options;
pub use self::listener::ListenError;

/// A server that listens and doesn't accept clients yet.
///
/// Clients that connect before [`run`](Server::run) or [`start`](Server::start) wait in the
/// system's queue.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    wake: PipeReader,
    shared: Arc<Shared>,
}

/// What the accept loop, the clients' threads and the stoppers have in common.
#[derive(Debug)]
struct Shared {
    factory: Factory,
    options: Options,
    clients: Clients,
    stopping: AtomicBool,
    wake: PipeWriter,
}

impl Server {
    /// Options of a server whose clients each get a service from `factory`: a closure that
    /// returns one, [`Shared`](rpyc_core::service::Shared) for one service for all, or an
    /// `Arc<dyn ServiceFactory>` by [`Server::builder_from`].
    pub fn builder(factory: impl ServiceFactory + 'static) -> Builder {
        Server::builder_from(Arc::new(factory))
    }

    /// The same for a factory that is shared already.
    pub fn builder_from(factory: Arc<dyn ServiceFactory>) -> Builder {
        Builder::new(factory)
    }

    fn listen(
        addresses: &[SocketAddr],
        factory: Arc<dyn ServiceFactory>,
        options: Options,
    ) -> Result<Server, ListenError> {
        let (listener, local_addr) = listener::listen(addresses)?;
        let (wake, waker) = io::pipe().map_err(|source| ListenError::Listen {
            address: local_addr,
            source,
        })?;
        let shared = Shared {
            factory: Factory(factory),
            clients: Clients::new(options.max_clients),
            options,
            stopping: AtomicBool::new(false),
            wake: waker,
        };
        Ok(Server {
            listener,
            local_addr,
            wake,
            shared: Arc::new(shared),
        })
    }

    /// The address that it listens on, with the real port where port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
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
            listener,
            wake,
            shared,
            ..
        } = self;
        let mut arrived = |stream, peer| threaded::admit(&shared, stream, peer);
        let accepted = accept::run(&listener, &wake, &shared.stopping, &mut arrived);
        // From here on new clients are refused by the system.
        drop(listener);
        shared.stopping.store(true, Ordering::SeqCst);
        shared.clients.close_all(shared.options.grace);
        accepted
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(self) -> io::Result<Running> {
        let local_addr = self.local_addr;
        let stopper = self.stopper();
        let thread = thread::Builder::new()
            .name("rpyc-accept".to_owned())
            .spawn(move || {
                if let Err(error) = self.run() {
                    error!("{local_addr}: the server ends: {error}");
                }
            })?;
        Ok(Running {
            local_addr,
            stopper,
            thread: Some(thread),
        })
    }
}

/// Stops a server; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopper {
    shared: Arc<Shared>,
}

impl Stopper {
    /// Tells the server to stop and returns at once; [`Server::run`] returns when it is done.
    /// Stopping twice is stopping once.
    pub fn stop(&self) {
        if !self.shared.stopping.swap(true, Ordering::SeqCst) {
            // It fails when nothing reads the pipe any more: the server has ended.
            let _ = (&self.shared.wake).write_all(b"!");
        }
    }
}

/// A server that serves on a thread of its own. Dropping it stops the server, and waits until
/// it is done.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// How many clients are connected now.
    pub fn clients(&self) -> usize {
        self.stopper.shared.clients.len()
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
        if let Some(thread) = self.thread.take() {
            // A panic of the accept loop has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// A factory, which needs no `Debug` of its own.
struct Factory(Arc<dyn ServiceFactory>);

impl std::fmt::Debug for Factory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Factory")
    }
}
