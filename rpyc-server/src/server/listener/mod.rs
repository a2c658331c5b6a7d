//! [`Listener`]: a socket that clients connect to, of whichever kind.

mod unix;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rpyc_core::transport::PeerAddr;
use socket2::{Socket, Type};

use self::unix::SocketFile;
pub(super) use self::unix::peer_of as unix_peer;
use super::raw::RawStream;
use crate::sockets::{BACKLOG, bound};

/// A socket that clients connect to, for [`Builder::serve_on`](super::Builder::serve_on).
///
/// ```no_run
/// use rpyc_core::VoidService;
/// use rpyc_server::{Listener, Server};
///
/// let local = Listener::unix_with_mode("/run/shop/rpyc.sock", 0o660)?;
/// let network = Listener::tcp("[::]:18861")?;
/// let server = Server::builder(|| VoidService).serve_on([local, network])?;
/// # Ok::<(), rpyc_server::ListenError>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    // Goes before the socket: to a file that nobody listens at, another server may be giving its own
    // socket, which can have the number that this one had.
    _file: Option<SocketFile>,
    socket: Socket,
    address: Address,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// At a TCP port.
    Tcp(SocketAddr),
    /// At a Unix socket's path; an inherited one may have none.
    Unix(Option<PathBuf>),
}

impl Address {
    /// The TCP address, if it is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }

    /// Whether it is reached from other machines.
    pub fn is_remote(&self) -> bool {
        self.tcp()
            .is_some_and(|address| !address.ip().to_canonical().is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Address::Unix(None) => f.write_str("unix: (no path)"),
        }
    }
}

/// Why a server can't listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The system refused the address.
    #[error("can't listen on {address}")]
    Listen {
        /// The address, the last one tried.
        address: Address,
        /// The system's reason.
        source: io::Error,
    },
    /// The name stands for no address.
    #[error("no such address")]
    Resolve {
        /// The resolver's reason.
        source: io::Error,
    },
    /// What was inherited isn't a socket that listens.
    #[error("the descriptor isn't a listening TCP or Unix socket")]
    Inherited {
        /// What it is, or the system's reason.
        source: io::Error,
    },
    /// There is nothing to listen on.
    #[error("no listener was given")]
    Nothing,
    /// Standard input and output can't be taken over.
    #[error("standard input and output can't be taken over")]
    Stdio {
        /// The system's reason.
        source: io::Error,
    },
    /// The system has no more descriptors.
    #[error("a pipe to stop the server with can't be had")]
    Pipe {
        /// The system's reason.
        source: io::Error,
    },
}

impl ListenError {
    /// Whether another program listens there.
    pub fn is_in_use(&self) -> bool {
        matches!(self, ListenError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

impl Listener {
    /// Listens on the first of the TCP addresses that can be had. Port 0 takes a free one;
    /// [`address`](Listener::address) tells which. An unspecified IPv6 address (`[::]`) takes
    /// IPv4 clients, too.
    ///
    /// # Errors
    /// [`ListenError::Resolve`] when the name stands for no address, [`ListenError::Listen`]
    /// when the system refuses: most often because the port is in use.
    pub fn tcp(address: impl ToSocketAddrs) -> Result<Listener, ListenError> {
        let addresses = address
            .to_socket_addrs()
            .map_err(|source| ListenError::Resolve { source })?;
        Listener::of(listen_tcp(addresses)?)
    }

    /// Listens on a Unix socket that only this user may connect to.
    ///
    /// # Errors
    /// As [`unix_with_mode`](Listener::unix_with_mode).
    pub fn unix(path: impl AsRef<Path>) -> Result<Listener, ListenError> {
        Listener::unix_with_mode(path, 0o600)
    }

    /// Listens on a Unix socket with these permissions: whoever may write to it may connect. A
    /// socket at that path that nobody listens on any more, left behind by a server that was
    /// killed, is replaced. The path is removed when the server stops.
    ///
    /// # Errors
    /// [`ListenError::Listen`] when somebody listens there, when something else than a socket
    /// is there, or when the system refuses.
    pub fn unix_with_mode(path: impl AsRef<Path>, mode: u32) -> Result<Listener, ListenError> {
        let path = path.as_ref();
        let (socket, file) = unix::listen(path, mode).map_err(|source| ListenError::Listen {
            address: Address::Unix(Some(path.to_owned())),
            source,
        })?;
        let mut listener = Listener::of(socket)?;
        listener.address = Address::Unix(Some(path.to_owned()));
        listener._file = Some(file);
        Ok(listener)
    }

    /// Takes over a socket that listens already: one that a service manager opened and passed
    /// on (socket activation). The path of a Unix socket stays when the server stops.
    ///
    /// # Errors
    /// [`ListenError::Inherited`] when it isn't a listening TCP or Unix socket.
    pub fn from_fd(descriptor: impl Into<OwnedFd>) -> Result<Listener, ListenError> {
        let socket = Socket::from(descriptor.into());
        let inherited = |source| ListenError::Inherited { source };
        // Not for the children of this process.
        socket.set_cloexec(true).map_err(inherited)?;
        if !socket.is_listener().map_err(inherited)? {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it doesn't listen");
            return Err(inherited(source));
        }
        Listener::of(socket)
    }

    /// Where it listens, with the real port where port 0 was asked for.
    pub fn address(&self) -> &Address {
        &self.address
    }

    fn of(socket: Socket) -> Result<Listener, ListenError> {
        let inherited = |source| ListenError::Inherited { source };
        // The accept loop polls: a client that is gone before it is accepted must not block it.
        socket.set_nonblocking(true).map_err(inherited)?;
        let address = socket.local_addr().map_err(inherited)?;
        let address = match address.as_socket() {
            Some(address) => Address::Tcp(address),
            None if address.is_unix() => Address::Unix(address.as_pathname().map(Path::to_owned)),
            None => {
                let what = "neither TCP nor a Unix socket";
                return Err(inherited(io::Error::new(io::ErrorKind::InvalidInput, what)));
            }
        };
        Ok(Listener {
            _file: None,
            socket,
            address,
        })
    }

    /// The next client that waits, or `WouldBlock`.
    pub(super) fn accept(&self) -> io::Result<(RawStream, PeerAddr)> {
        let (socket, peer) = self.socket.accept()?;
        match (&self.address, peer.as_socket()) {
            (Address::Tcp(_), Some(peer)) => {
                Ok((TcpStream::from(socket).into(), PeerAddr::Tcp(peer)))
            }
            (Address::Tcp(_), None) => Err(io::ErrorKind::ConnectionAborted.into()),
            (Address::Unix(_), _) => {
                let stream = UnixStream::from(socket);
                let peer = PeerAddr::Unix(unix_peer(&stream));
                Ok((stream.into(), peer))
            }
        }
    }
}

impl TryFrom<TcpListener> for Listener {
    type Error = ListenError;

    /// A socket that the program has bound itself.
    fn try_from(socket: TcpListener) -> Result<Listener, ListenError> {
        Listener::of(socket.into())
    }
}

impl TryFrom<UnixListener> for Listener {
    type Error = ListenError;

    /// A socket that the program has bound itself; its path stays when the server stops.
    fn try_from(socket: UnixListener) -> Result<Listener, ListenError> {
        Listener::of(socket.into())
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Listens on the first of the addresses that can be had.
fn listen_tcp(addresses: impl Iterator<Item = SocketAddr>) -> Result<Socket, ListenError> {
    let mut failure = ListenError::Resolve {
        source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
    };
    for address in addresses {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(source) => {
                failure = ListenError::Listen {
                    address: Address::Tcp(address),
                    source,
                }
            }
        }
    }
    Err(failure)
}

fn listen_on(address: SocketAddr) -> io::Result<Socket> {
    let socket = bound(address, Type::STREAM)?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}
