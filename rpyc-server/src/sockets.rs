//! Sockets that are bound, and waiting for them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

/// Clients that may wait to be accepted; the system has a cap of its own.
pub(crate) const BACKLOG: i32 = 1024;

/// A socket of this kind at this address. The unspecified one of IPv6 takes IPv4, too.
pub(crate) fn bound(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if kind == Type::STREAM {
        // A server that is started again shouldn't wait for the last one's connections to expire. For
        // datagrams it would let a second server take the first one's.
        socket.set_reuse_address(true)?;
    }
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Sleeps until something can be read from one of these, or the time is up; says of which.
pub(crate) fn readable(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let watch = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
    let mut watched: Vec<_> = fds.iter().copied().map(watch).collect();
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) => Ok(watched.iter().map(|fd| !fd.revents().is_empty()).collect()),
        Err(Errno::INTR | Errno::NOMEM) => Ok(vec![false; fds.len()]),
        Err(error) => Err(error.into()),
    }
}
