//! The client that a process was started for: by a server in
//! [`Mode::Process`](super::Mode::Process), or by the client itself.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rpyc_core::channel::{PeerAddr, PipeStream};
use socket2::Socket;

use super::client::Incoming;
use super::listener::unix_peer;

/// The client that this process was started for, by a server in
/// [`Mode::Process`](super::Mode::Process) or by the client itself, for
/// [`Builder::serve_client`](super::Builder::serve_client).
#[derive(Debug)]
pub struct InheritedClient {
    pub(super) stream: Incoming,
    pub(super) peer: PeerAddr,
    /// What the server that has started this process calls the connection.
    pub(super) name: Option<String>,
}

/// The variable by which a process is told that name.
pub(super) const NAME: &str = "RPYC_CONNID";

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
        let mut client = InheritedClient::from_fd(socket)?;
        client.name = std::env::var(NAME).ok();
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(client)
    }

    /// Takes whoever started this process, over its standard input and output. From now on they
    /// are the connection's alone: the standard input reads nothing, and what is printed, by
    /// children, too, goes to the standard error.
    ///
    /// # Errors
    /// What the system says.
    pub fn stdio() -> io::Result<InheritedClient> {
        let stream = Incoming::Given(Arc::new(PipeStream::stdio()?));
        let (peer, name) = (PeerAddr::Stdio, None);
        Ok(InheritedClient { stream, peer, name })
    }

    fn from_fd(descriptor: OwnedFd) -> io::Result<InheritedClient> {
        let socket = Socket::from(descriptor);
        let peer = socket.peer_addr()?;
        let (is_unix, peer) = (peer.is_unix(), peer.as_socket());
        let descriptor = OwnedFd::from(socket);
        if is_unix {
            let stream = UnixStream::from(descriptor);
            let peer = PeerAddr::Unix(unix_peer(&stream));
            let (stream, name) = (Incoming::Raw(stream.into()), None);
            return Ok(InheritedClient { stream, peer, name });
        }
        let Some(peer) = peer else {
            let what = "standard input is neither a TCP nor a Unix socket";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        Ok(InheritedClient {
            stream: Incoming::Raw(TcpStream::from(descriptor).into()),
            peer: PeerAddr::Tcp(peer),
            name: None,
        })
    }

    /// Who it is.
    pub fn peer(&self) -> &PeerAddr {
        &self.peer
    }
}
