//! TCP sockets that listen.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Address, BACKLOG, ListenError};

/// Listens on the first of the addresses that can be had.
pub(super) fn listen(
    addresses: impl Iterator<Item = SocketAddr>,
) -> Result<TcpListener, ListenError> {
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

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A server that is started again shouldn't wait for the last one's connections to expire.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
