//! The socket of a registry.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::Type;

use crate::sockets::{BACKLOG, bound, readable};

/// Over what a registry is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// A connection for each question: crosses routers, and the sender can't be forged.
    Tcp,
    /// Datagrams: can be broadcast.
    #[default]
    Udp,
}

#[derive(Debug)]
pub(super) enum Listening {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Listens at an address; gives the real one, too.
pub(super) fn listen(
    address: SocketAddr,
    transport: Transport,
) -> io::Result<(Listening, SocketAddr)> {
    let kind = match transport {
        Transport::Tcp => Type::STREAM,
        Transport::Udp => Type::DGRAM,
    };
    let socket = bound(address, kind)?;
    socket.set_nonblocking(true)?;
    match transport {
        Transport::Tcp => {
            socket.listen(BACKLOG)?;
            let listener = TcpListener::from(socket);
            let local_addr = listener.local_addr()?;
            Ok((Listening::Tcp(listener), local_addr))
        }
        Transport::Udp => {
            let socket = UdpSocket::from(socket);
            let local_addr = socket.local_addr()?;
            Ok((Listening::Udp(socket), local_addr))
        }
    }
}

/// Sleeps until the socket is readable, `wake` is, or the time is up. Says whether `wake` is.
pub(super) fn wait(
    socket: Option<&impl AsFd>,
    wake: &impl AsFd,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let mut watched = vec![wake.as_fd()];
    watched.extend(socket.map(AsFd::as_fd));
    Ok(readable(&watched, timeout)?.first() == Some(&true))
}
