//! Connecting to a peer: [`connect`], and the [`Connector`] with the options.

mod prelude;
#[cfg(unix)]
mod process;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use crate::config::Config;
use crate::error::{CloseReason, Error, Timeout};
use crate::executor::spawn;
use crate::service::{IntoService, PeerInfo, Service, VoidService};
use crate::session::Connection;
use crate::sync::Mutex;
use crate::transport::{Stream, memory_pair};
use crate::wire::Dialect;

/// Connects over TCP, offers nothing, and has every option at its default; [`Connector`] has the
/// options.
///
/// ```no_run
/// # fn main() -> Result<(), rpyc_core::Error> {
/// use rpyc_core::{args, connect};
/// let conn = connect("localhost:18812")?;
/// let sum = conn.root()?.call_method("add", args![1, 2])?.extract::<i64>()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Connector::connect`].
pub fn connect(address: impl ToSocketAddrs) -> Result<Connection, Error> {
    Connector::new().connect(address)
}

/// How to connect: what this side offers, and how long it waits.
#[derive(Clone)]
pub struct Connector {
    service: Arc<dyn Service>,
    config: Config,
    connid: Option<String>,
    timeout: Option<Duration>,
    nodelay: bool,
    keepalive: Option<Duration>,
    prelude: Option<prelude::Prelude>,
    #[cfg(unix)]
    ssh: std::ffi::OsString,
}

impl Default for Connector {
    fn default() -> Connector {
        Connector {
            service: Arc::new(VoidService),
            config: Config::default(),
            connid: None,
            timeout: Some(Duration::from_secs(5)),
            nodelay: true,
            keepalive: Some(Duration::from_secs(60)),
            prelude: None,
            #[cfg(unix)]
            ssh: "ssh".into(),
        }
    }
}

impl Connector {
    /// Offers nothing, waits 5 s, and has the default config.
    pub fn new() -> Connector {
        Connector::default()
    }

    /// What this side offers to the peer. Default: nothing.
    #[must_use]
    pub fn service(mut self, service: impl IntoService) -> Connector {
        self.service = service.into_service();
        self
    }

    /// The config of this side.
    #[must_use]
    pub fn config(mut self, config: Config) -> Connector {
        self.config = config;
        self
    }

    /// The name of the connections in logs. Default: `conn1`, `conn2`, ...
    #[must_use]
    pub fn connid(mut self, name: impl Into<String>) -> Connector {
        self.connid = Some(name.into());
        self
    }

    /// How long connecting may take, the peer's first answer included; `None` waits for
    /// ever. Where there are several addresses or servers to try, each has its share of what is
    /// left, a quarter at least. Default: 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Connector {
        self.timeout = timeout;
        self
    }

    /// How long connecting may take, as [`timeout`](Connector::timeout) has set it.
    pub fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether small frames are sent at once (TCP_NODELAY). Default: true.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Connector {
        self.nodelay = nodelay;
        self
    }

    /// How long a TCP connection may be silent until the system probes whether the peer is still
    /// there: three times, 5 s apart. `None` never probes. Default: 60 s.
    #[must_use]
    pub fn keepalive(mut self, after: Option<Duration>) -> Connector {
        self.keepalive = after;
        self
    }

    /// What is said over a new stream before RPyC is: a secret that the server asks for, the header
    /// of a proxy. It has the stream alone, within TLS where there is any. Its reads fail when the
    /// time that connecting may take is over, and only then, whatever timeout it sets; its writes
    /// aren't bounded, so they should be short. Default: nothing.
    ///
    /// ```
    /// # use std::io::IoSlice;
    /// use rpyc_core::Connector;
    /// let connector = Connector::new().prelude(|stream| {
    ///     let written = stream.write_vectored(&[IoSlice::new(b"word")])?;
    ///     assert_eq!(written, 4);
    ///     Ok(())
    /// });
    /// ```
    #[must_use]
    pub fn prelude(
        mut self,
        prelude: impl Fn(&dyn Stream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Connector {
        self.prelude = Some(Arc::new(prelude));
        self
    }

    /// The program that [`connect_ssh`](Connector::connect_ssh) and
    /// [`ssh_command`](Connector::ssh_command) run. Default: `ssh`.
    #[cfg(unix)]
    #[must_use]
    pub fn ssh(mut self, program: impl Into<std::ffi::OsString>) -> Connector {
        self.ssh = program.into();
        self
    }

    /// Connects over TCP: to the first address that takes the connection.
    ///
    /// A server with rpyc 5.3 or older ends the connection; then there is a second one, in its
    /// version of the wire. The next time this process connects to the same address it begins with
    /// that.
    ///
    /// # Errors
    /// [`Error::Io`] when none does; [`Error::Timeout`] when the peer doesn't answer in time, also
    /// if it accepts the connection and then says nothing; what the peer's service refuses with.
    pub fn connect(&self, address: impl ToSocketAddrs) -> Result<Connection, Error> {
        let began = Instant::now();
        self.converse(began, || {
            let (stream, address) = self.reach(&address, began)?;
            Ok((stream, address.to_string()))
        })
    }

    /// Connects over TCP and TLS. The server's certificate has to be for `host`, unless `tls` says
    /// otherwise.
    ///
    /// # Errors
    /// As [`connect`](Connector::connect), and [`Error::Tls`] when there is no TLS session. A
    /// server with TLS 1.3 that doesn't take the client's certificate says so in
    /// [`Error::Closed`].
    #[cfg(feature = "tls")]
    pub fn connect_tls(
        &self,
        host: &str,
        port: u16,
        tls: &crate::transport::TlsClient,
    ) -> Result<Connection, Error> {
        let began = Instant::now();
        self.converse(began, || {
            let (stream, address) = self.reach((host, port), began)?;
            let stream = tls.connect(stream, host, self.share(began, 1))?;
            Ok((stream, address.to_string()))
        })
    }

    /// The first address that takes a connection over TCP.
    fn reach(
        &self,
        address: impl ToSocketAddrs,
        began: Instant,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        let addresses = address.to_socket_addrs();
        let addresses = addresses.map_err(io_error("resolving the address"))?;
        let addresses: Vec<SocketAddr> = addresses.collect();
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (tried, address) in addresses.iter().enumerate() {
            match dial(address, self.share(began, addresses.len() - tried)) {
                Ok(stream) => {
                    self.set_up(&stream)
                        .map_err(io_error("setting the socket's options"))?;
                    return Ok((stream, *address));
                }
                Err(error) => last = error,
            }
        }
        let tried: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        Err(self.unreached(&tried.join(", "), last))
    }

    fn unreached(&self, place: &str, error: io::Error) -> Error {
        let doing = format!("connecting to {place}");
        match self.timeout {
            Some(limit) if error.kind() == io::ErrorKind::TimedOut => {
                Timeout::new(doing, limit).into()
            }
            _ => io_error(doing)(error),
        }
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// As [`connect`](Connector::connect).
    #[cfg(unix)]
    pub fn connect_unix(&self, path: impl AsRef<std::path::Path>) -> Result<Connection, Error> {
        let began = Instant::now();
        let path = path.as_ref();
        self.converse(began, || {
            let place = path.display().to_string();
            let dialled = dial_unix(path, self.share(began, 1));
            let stream = dialled.map_err(|error| self.unreached(&place, error))?;
            Ok((stream, place))
        })
    }

    /// Connects to a service in this process: over memory, served by a thread of its own until the
    /// connection closes.
    ///
    /// # Errors
    /// [`Error::Io`] when no thread can be had; what either service refuses with.
    pub fn connect_thread(
        &self,
        service: impl IntoService,
        config: Config,
    ) -> Result<Connection, Error> {
        let began = Instant::now();
        let (here, there) = memory_pair();
        let there = Connection::open(there, service, config)?;
        let connid = there.connid().to_owned();
        spawn(&connid, move || there.serve_all()).map_err(io_error("starting a serving thread"))?;
        self.open(here, self.config.dialect, "this process", began)
    }

    /// Connects over any other stream. A server with rpyc 5.3 or older takes that only if
    /// [`Config::dialect`] says so.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the peer doesn't answer in time; what the service refuses with.
    pub fn connect_stream(&self, stream: impl Stream + 'static) -> Result<Connection, Error> {
        let label = stream.peer_label();
        self.open(stream, self.config.dialect, &label, Instant::now())
    }

    /// Connects by `dial`, which gives a stream and the server's address. A server that speaks an older
    /// version of the wire ends that connection; then this dials again and speaks the server's version.
    fn converse<S: Stream + 'static>(
        &self,
        began: Instant,
        mut dial: impl FnMut() -> Result<(S, String), Error>,
    ) -> Result<Connection, Error> {
        let (stream, place) = dial()?;
        let dialect = KNOWN
            .lock()
            .get(&place)
            .copied()
            .unwrap_or(self.config.dialect);
        match self.open(stream, dialect, &place, began) {
            Err(Error::Closed(CloseReason::Dialect { theirs, .. })) => {
                remember(place, theirs);
                let (stream, place) = dial()?;
                self.open(stream, theirs, &place, began)
            }
            outcome => outcome,
        }
    }

    /// Opens a connection over the stream, and waits for the peer's first answer.
    fn open(
        &self,
        stream: impl Stream + 'static,
        dialect: Dialect,
        whom: &str,
        began: Instant,
    ) -> Result<Connection, Error> {
        if let Some(prelude) = &self.prelude {
            prelude::run(prelude, &stream, self.timeout, began)?;
        }
        let mut config = self.config.clone();
        config.dialect = dialect;
        let mut peer = PeerInfo::default();
        peer.connid.clone_from(&self.connid);
        let service = self.service.clone();
        let connection = Connection::over(Arc::new(stream), service, config, peer)?;
        match connection.root_within(self.share(began, 1)) {
            Ok(_) => Ok(connection),
            Err(Error::Timeout(timeout)) => {
                let limit = self.timeout.unwrap_or(timeout.after);
                Err(Timeout::new(format!("connecting to {whom}: {}", timeout.what), limit).into())
            }
            Err(Error::Closed(reason)) if !connection.has_received() && is_cut_off(&reason) => {
                Err(Error::Closed(CloseReason::CutOff))
            }
            Err(error) => Err(error),
        }
    }

    /// How long the next attempt may take when so many are left. An attempt that gets no answer leaves time
    /// for the others.
    fn share(&self, began: Instant, attempts: usize) -> Option<Duration> {
        let left = self.timeout?.saturating_sub(began.elapsed());
        Some(match attempts {
            0 | 1 => left,
            2 => left / 2,
            3 => left / 3,
            _ => left / 4,
        })
    }

    fn set_up(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(self.nodelay)?;
        if let Some(after) = self.keepalive {
            let probes = TcpKeepalive::new().with_time(after);
            #[cfg(unix)]
            let probes = probes.with_interval(PROBE_INTERVAL).with_retries(PROBES);
            SockRef::from(stream).set_tcp_keepalive(&probes)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("config", &self.config)
            .field("timeout", &self.timeout)
            .field("nodelay", &self.nodelay)
            .field("keepalive", &self.keepalive)
            .finish_non_exhaustive()
    }
}

/// Whether the peer ended the stream. The system reports a reset if the peer had not read all that was sent.
fn is_cut_off(reason: &CloseReason) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    match reason {
        CloseReason::Eof => true,
        CloseReason::Io(error) => {
            let kind = error.kind();
            matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset)
        }
        _ => false,
    }
}

fn dial(address: &SocketAddr, limit: Option<Duration>) -> io::Result<TcpStream> {
    match limit {
        None => TcpStream::connect(address),
        Some(Duration::ZERO) => Err(io::ErrorKind::TimedOut.into()),
        Some(limit) => TcpStream::connect_timeout(address, limit),
    }
}

#[cfg(unix)]
fn dial_unix(
    path: &std::path::Path,
    limit: Option<Duration>,
) -> io::Result<std::os::unix::net::UnixStream> {
    use socket2::{Domain, SockAddr, Socket, Type};

    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Connecting obeys the write timeout. Zero would mean no limit.
    let limit = limit.map(|limit| limit.max(Duration::from_millis(1)));
    socket.set_write_timeout(limit)?;
    let connected = socket.connect(&SockAddr::unix(path)?);
    connected.map_err(|error| match error.kind() {
        // The server's queue stays full.
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    socket.set_write_timeout(None)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

fn io_error(doing: impl Into<Cow<'static, str>>) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::Io {
        doing: doing.into(),
        error: Arc::new(error),
    }
}

/// Servers that don't speak rpyc 6, by where they are: to be spoken to in their own dialect at once the next time.
static KNOWN: Mutex<BTreeMap<String, Dialect>> = Mutex::new(BTreeMap::new());

fn remember(place: String, dialect: Dialect) {
    let mut known = KNOWN.lock();
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    known.insert(place, dialect);
}

/// How many servers are remembered. A program that talks to more of them asks some anew.
const MOST_KNOWN: usize = 1_024;

#[cfg(unix)]
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
#[cfg(unix)]
const PROBES: u32 = 3;
