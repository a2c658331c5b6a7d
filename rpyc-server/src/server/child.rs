//! The client that a process was started for: the child's side of
//! [`Mode::Process`](super::Mode::Process).

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rpyc_core::channel::PeerAddr;
use socket2::Socket;

use super::RawStream;
use super::listener::unix_peer;

/// The client that this process was started for by a server in
/// [`Mode::Process`](super::Mode::Process), for
/// [`Builder::serve_client`](super::Builder::serve_client).
#[derive(Debug)]
pub struct InheritedClient {
    pub(super) stream: RawStream,
    pub(super) peer: PeerAddr,
}

impl InheritedClient {
    /// Takes the client's socket, which is this process's standard input; that reads nothing
    /// from then on.
    ///
    /// # Errors
    /// When standard input isn't a connected TCP or Unix socket: no server in process mode has
    /// started this process.
    pub fn take() -> io::Result<InheritedClient> {
        // A descriptor of its own, which children of this process don't inherit.
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        let client = InheritedClient::from_fd(socket)?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(client)
    }

    fn from_fd(descriptor: OwnedFd) -> io::Result<InheritedClient> {
        let socket = Socket::from(descriptor);
        let peer = socket.peer_addr()?;
        let (is_unix, peer) = (peer.is_unix(), peer.as_socket());
        let descriptor = OwnedFd::from(socket);
        if is_unix {
            let stream = UnixStream::from(descriptor);
            let peer = PeerAddr::Unix(unix_peer(&stream));
            let stream = stream.into();
            return Ok(InheritedClient { stream, peer });
        }
        let Some(peer) = peer else {
            let what = "standard input is neither a TCP nor a Unix socket";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        Ok(InheritedClient {
            stream: TcpStream::from(descriptor).into(),
            peer: PeerAddr::Tcp(peer),
        })
    }

    /// Who it is.
    pub fn peer(&self) -> &PeerAddr {
        &self.peer
    }
}
