//! The listening socket.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Why a server can't listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The system refused the address.
    #[error("can't listen on {address}")]
    Listen {
        /// The address, the last one tried.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The name stands for no address.
    #[error("no such address")]
    Resolve {
        /// The resolver's reason.
        source: io::Error,
    },
}

impl ListenError {
    /// Whether another program listens there.
    pub fn is_in_use(&self) -> bool {
        matches!(self, ListenError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

/// Listens on the first of the addresses that can be had.
pub(super) fn listen(addresses: &[SocketAddr]) -> Result<(TcpListener, SocketAddr), ListenError> {
    let mut failure = ListenError::Resolve {
        source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
    };
    for &address in addresses {
        match listen_on(address) {
            Ok(listening) => return Ok(listening),
            Err(source) => failure = ListenError::Listen { address, source },
        }
    }
    Err(failure)
}

fn listen_on(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A server that is started again shouldn't wait for the last one's connections to expire.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    // The accept loop polls: a client that is gone before it is accepted must not block it.
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let local_addr = listener.local_addr()?;
    Ok((listener, local_addr))
}

/// Clients that may wait to be accepted; the system has a cap of its own.
const BACKLOG: i32 = 1024;
