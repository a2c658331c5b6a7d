//! [`Builder`]: the options of a server, each with a default.

use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rpyc_core::Config;
use rpyc_core::service::{PeerInfo, ServiceFactory};

use super::Server;
use super::authenticator::Authenticator;
use super::child::InheritedClient;
use super::hooks::Hooks;
use super::listener::{Address, ListenError, Listener};
use super::metrics::Metrics;
use super::options::{AnyAuthenticator, Factory, Mode, Options};

/// Options of a [`Server`], each with a default.
///
/// # Limits
///
/// Beside its own limits a server passes those of its connections on; each of them stops an
/// attack, or a mistake that looks like one.
///
/// | limit | default | stops |
/// |---|---|---|
/// | [`max_clients`](Builder::max_clients) | 4,000 | connecting without end |
/// | [`max_clients_per_address`](Builder::max_clients_per_address) | half of it | one machine taking all places |
/// | [`handshake_timeout`](Builder::handshake_timeout) | 10 s | clients that don't authenticate and hold a place |
/// | [`Config::handshake_timeout`] | 60 s | clients that connect and never send a message |
/// | [`Config::max_first_frame`] | 64 KiB | memory for peers of another kind |
/// | [`Config::frame_timeout`] | 30 s | frames of which a byte comes now and then |
/// | [`Config::write_timeout`] | 60 s | clients that ask and don't read |
/// | [`Config::idle_timeout`] | none | clients that stay and do nothing |
/// | [`keepalive`](Builder::keepalive) | 60 s | clients that vanished without a word |
/// | [`Limits::max_frame`](rpyc_core::wire::Limits) | 256 MiB | memory for what a client sends |
/// | [`Limits::max_inflated`](rpyc_core::wire::Limits) | see there | small frames that inflate to large ones |
/// | [`Config::max_objects`] | 1,000,000 | references that are never given back |
/// | [`Config::max_queued`] | 10,000 | sending faster than is served |
/// | [`Config::max_pending`] | 65,536 | callbacks that are never answered |
/// | [`Config::max_nested`] | 200 | callbacks of callbacks without end |
///
/// A refused client is logged with the reason; of a flood from one address the first ten, and how
/// many more there were.
#[derive(Debug)]
pub struct Builder {
    pub(super) factory: Factory,
    pub(super) options: Options,
    pub(super) hooks: Hooks,
}

impl Builder {
    pub(super) fn new(factory: Arc<dyn ServiceFactory>) -> Builder {
        let mut connection = Config::default();
        connection.handshake_timeout = Some(Duration::from_secs(60));
        Builder {
            factory: Factory(factory),
            options: Options {
                authenticator: None,
                connection,
                known: PeerInfo::default(),
                grace: Duration::from_secs(5),
                handshake_timeout: Some(Duration::from_secs(10)),
                keepalive: Some(Duration::from_secs(60)),
                max_clients: 4000,
                max_clients_per_address: None,
                metrics: None,
                mode: Mode::default(),
            },
            hooks: Hooks::default(),
        }
    }

    /// The config that each connection starts from, before its service's
    /// [`configure`](rpyc_core::service::Service::configure). Default: `Config::default()`, but
    /// with a minute for the first message.
    #[must_use]
    pub fn connection_config(mut self, config: Config) -> Builder {
        self.options.connection = config;
        self
    }

    /// Who may be a client, and over which stream. Default: everybody who reaches the address.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Builder {
        self.options.authenticator = Some(AnyAuthenticator(Arc::new(authenticator)));
        self
    }

    /// How long the authenticator may take for a client, whatever the client does; it stops
    /// clients that only hold a place. `None` waits for ever. Default: 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Option<Duration>) -> Builder {
        self.options.handshake_timeout = limit;
        self
    }

    /// Which threads serve the clients. Default: [`Mode::Threaded`].
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Builder {
        self.options.mode = mode;
        self
    }

    /// How long running requests may take when the server stops. Default: 5 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Builder {
        self.options.grace = grace;
        self
    }

    /// After how much silence the system asks whether a TCP client is still there, so that
    /// clients that vanished without a word don't stay for ever; `None` never asks.
    /// Default: 60 s, then three times every 5 s (or as often as the silence is long, if that
    /// is less). A client that vanished with an answer on its way to it is given as much time,
    /// where [`Config::write_timeout`] isn't longer than that; so is one that is there and reads
    /// nothing of an answer, since the system tells the two apart no better.
    #[must_use]
    pub fn keepalive(mut self, after: Option<Duration>) -> Builder {
        self.options.keepalive = after;
        self
    }

    /// How many clients may be connected at the same time; it stops whoever connects without
    /// end. When all places are taken, a client that hasn't authenticated, or hasn't sent a message yet,
    /// gives its place to the one who comes: the oldest of that one's own source, or else of all.
    /// Without such a one who comes is closed at once. Default: 4,000, below the 4,096 threads of
    /// `rpyc-core`'s shared pool.
    #[must_use]
    pub fn max_clients(mut self, max_clients: usize) -> Builder {
        self.options.max_clients = max_clients;
        self
    }

    /// How many of them may come from one source: an IPv4 address, or the /64 network of an IPv6
    /// address. It keeps one machine from taking all places. Programs of this machine are not counted. Default: half of `max_clients`.
    #[must_use]
    pub fn max_clients_per_address(mut self, max_clients: usize) -> Builder {
        self.options.max_clients_per_address = Some(max_clients);
        self
    }

    /// Counts what this server does. Default: nobody counts.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Builder {
        self.options.metrics = Some(metrics);
        self
    }

    /// Runs once when the server begins to serve, on the thread that accepts, with the
    /// addresses that it listens on. Several are run in order.
    #[must_use]
    pub fn on_start(mut self, hook: impl FnOnce(&[Address]) + Send + 'static) -> Builder {
        self.hooks.on_start.push(Box::new(hook));
        self
    }

    /// Runs once when the server has stopped to listen, while its clients are ended, on a
    /// thread of its own. The end waits for it, for the grace period, or 3 s where that is shorter,
    /// and a moment at the most.
    #[must_use]
    pub fn on_stop(mut self, hook: impl FnOnce() + Send + 'static) -> Builder {
        self.hooks.on_stop.push(Box::new(hook));
        self
    }

    /// Listens on TCP; as [`Listener::tcp`].
    ///
    /// # Errors
    /// As that.
    pub fn listen(self, address: impl ToSocketAddrs) -> Result<Server, ListenError> {
        self.serve_on([Listener::tcp(address)?])
    }

    /// Listens on a Unix socket of this user's; as [`Listener::unix`].
    ///
    /// # Errors
    /// As that.
    pub fn listen_unix(self, path: impl AsRef<Path>) -> Result<Server, ListenError> {
        self.serve_on([Listener::unix(path)?])
    }

    /// Serves the clients of these sockets.
    ///
    /// # Errors
    /// [`ListenError::Nothing`] when there is none, [`ListenError::Pipe`] when there are no more
    /// descriptors.
    pub fn serve_on(
        self,
        listeners: impl IntoIterator<Item = Listener>,
    ) -> Result<Server, ListenError> {
        let listeners: Vec<Listener> = listeners.into_iter().collect();
        if listeners.is_empty() {
            return Err(ListenError::Nothing);
        }
        Server::new(listeners, None, self)
    }

    /// Serves one client that is there already, and nobody else: the one that this process was
    /// started for. The server ends with it.
    ///
    /// # Errors
    /// [`ListenError::Pipe`] when there are no more descriptors.
    pub fn serve_client(mut self, client: InheritedClient) -> Result<Server, ListenError> {
        let InheritedClient {
            stream,
            peer,
            endpoints,
            credentials,
            name,
        } = client;
        let known = &mut self.options.known;
        known.connid = name;
        known.endpoints = endpoints;
        known.credentials = credentials;
        Server::new(Vec::new(), Some((stream, peer)), self)
    }

    /// Serves whoever started this process, over its standard input and output, and nobody else.
    /// From now on they are the connection's alone: what the process prints goes to its standard
    /// error. The server ends with its client. Authenticators aren't asked.
    ///
    /// # Errors
    /// [`ListenError::Stdio`] when they can't be taken over, [`ListenError::Pipe`] when there are
    /// no more descriptors.
    pub fn serve_stdio(self) -> Result<Server, ListenError> {
        let client = InheritedClient::stdio().map_err(|source| ListenError::Stdio { source })?;
        self.serve_client(client)
    }
}
