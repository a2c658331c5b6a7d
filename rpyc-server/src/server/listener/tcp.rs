//! TCP sockets that listen.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::Type;

use super::{Address, BACKLOG, ListenError};
use crate::sockets::bound;

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
    let socket = bound(address, Type::STREAM)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
