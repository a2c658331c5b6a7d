//! [`PeerInfo`]: the facts of one connection.

use std::net::SocketAddr;

use crate::object::Any;
use crate::transport::PeerAddr;

/// The facts of one connection, which are no options of it: who is at the other end, and what the
/// connection is called.
///
/// A server fills it in, a service may add to it in [`configure`](super::Service::configure), and
/// whoever has the connection reads it from [`Connection::peer`](crate::Connection::peer).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The connection's name in logs. Default: `conn1`, `conn2`, ...
    pub connid: Option<String>,
    /// What the authenticator found out about the peer.
    pub credentials: Option<Any>,
    /// The addresses of both ends, this side's first. Default: what the stream says.
    pub endpoints: Option<(SocketAddr, SocketAddr)>,
    /// Who connected, as the operating system says; a server sets it.
    pub address: Option<PeerAddr>,
}

impl PeerInfo {
    /// Nothing but the connection's name in logs.
    pub fn named(connid: impl Into<String>) -> PeerInfo {
        PeerInfo {
            connid: Some(connid.into()),
            ..PeerInfo::default()
        }
    }
}
