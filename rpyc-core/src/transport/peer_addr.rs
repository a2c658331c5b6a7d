//! [`PeerAddr`]: who is at the other end, as the operating system says.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Who is at the other end of an accepted stream, as the operating system says.
///
/// A service reads it from [`Connection::peer`](crate::Connection::peer).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddr {
    /// Over TCP, from this address.
    Tcp(SocketAddr),
    /// Over a Unix socket; the process that connected, where the system tells.
    Unix(Option<UnixPeer>),
    /// Over pipes that this process was started with.
    Stdio,
}

/// The process that connected to a Unix socket, as it was at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnixPeer {
    /// Its process id. The process may have ended since, and another one may have this id.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl PeerAddr {
    /// The IP address, where there is one; an IPv4 address mapped into IPv6 (`::ffff:192.0.2.1`) is given as IPv4.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            PeerAddr::Tcp(address) => Some(address.ip().to_canonical()),
            PeerAddr::Unix(_) | PeerAddr::Stdio => None,
        }
    }

    /// Whether the peer is on this machine.
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddr::Tcp(address) => address.fmt(f),
            PeerAddr::Unix(Some(UnixPeer { pid, uid, .. })) => {
                write!(f, "process {pid} of user {uid}")
            }
            PeerAddr::Unix(None) => f.write_str("a local process"),
            PeerAddr::Stdio => f.write_str("stdio"),
        }
    }
}
