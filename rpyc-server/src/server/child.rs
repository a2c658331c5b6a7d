//! The client that a process was started for: by a server in
//! [`Mode::Process`](super::Mode::Process), or by the client itself.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use rpyc_core::object::Any;
use rpyc_core::transport::{PeerAddr, PipeStream};
use socket2::SockRef;

use super::authenticator::{Authenticator, Rejection};
use super::listener::unix_peer;
use super::process_tree::end_with_server;
use super::raw::{Incoming, RawStream};
use crate::causes::none_left;

/// The client that this process was started for, by a server in
/// [`Mode::Process`](super::Mode::Process) or by the client itself, for
/// [`Builder::serve_client`](super::Builder::serve_client).
#[derive(Debug)]
pub struct InheritedClient {
    pub(super) stream: Incoming,
    pub(super) peer: PeerAddr,
    /// The socket's own address and the client's, where they are TCP's.
    pub(super) endpoints: Option<(SocketAddr, SocketAddr)>,
    /// What was found out about the client.
    pub(super) credentials: Option<Any>,
    /// What the server that has started this process calls the connection.
    pub(super) name: Option<String>,
}

/// The variable by which a process is told that name.
pub(super) const NAME: &str = "RPYC_CONNID";

impl InheritedClient {
    /// Takes the client's socket, which is this process's standard input; that reads nothing
    /// from then on. On Linux this process, and all that it starts, end with the server from then on,
    /// whatever ends that.
    ///
    /// # Errors
    /// When standard input isn't a connected TCP or Unix socket: no server in process mode has
    /// started this process, or it has ended already.
    pub fn take() -> io::Result<InheritedClient> {
        // A descriptor of its own, which children of this process don't inherit.
        end_with_server()?;
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
        Ok(InheritedClient::new(stream, PeerAddr::Stdio))
    }

    /// Authenticates the client here and now, before anything is made ready to serve it: a stranger
    /// costs no more than that. The server doesn't ask an authenticator again. After `limit` the
    /// client's socket is shut down. A process that then ends with
    /// [`ChildCommand::REFUSED`](super::ChildCommand::REFUSED) has the
    /// refusal counted by the server that started it.
    ///
    /// Whoever has started this process for itself isn't asked at all.
    ///
    /// # Errors
    /// With the reason why the client isn't served.
    ///
    /// ```no_run
    /// use std::process::exit;
    /// use std::time::Duration;
    /// use rpyc_core::VoidService;
    /// use rpyc_server::auth::Secret;
    /// use rpyc_server::{ChildCommand, InheritedClient, Server};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let secret = Secret::from_file("secret")?;
    /// let client = InheritedClient::take()?;
    /// let client = match client.authenticate(&secret, Some(Duration::from_secs(10))) {
    ///     Ok(client) => client,
    ///     Err(rejection) => {
    ///         eprintln!("refused: {rejection}");
    ///         exit(ChildCommand::REFUSED.into());
    ///     }
    /// };
    /// Server::builder(|| VoidService).serve_client(client)?.run()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn authenticate(
        self,
        authenticator: &impl Authenticator,
        limit: Option<Duration>,
    ) -> Result<InheritedClient, Rejection> {
        let InheritedClient { stream, peer, .. } = &self;
        let Incoming::Raw(stream) = stream else {
            return Ok(self);
        };
        let (socket, stream) = (stream.try_clone()?, stream.try_clone()?);
        // A server in process mode sees by it that this process goes on from here.
        socket.set_nonblocking(false)?;
        let endpoints = match (&stream, &peer) {
            (RawStream::Tcp(stream), PeerAddr::Tcp(peer)) => Some((stream.local_addr()?, *peer)),
            _ => None,
        };
        let authenticated = thread::scope(|scope| {
            // One clock, which knows what it is the end of.
            let (done, over) = bounded::<()>(0);
            let socket = &socket;
            let watch = limit.map(|limit| {
                thread::Builder::new().spawn_scoped(scope, move || {
                    let late = over.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
                    late.then(|| socket.shutdown()).is_some()
                })
            });
            let watch = watch.transpose().map_err(none_left("threads"))?;
            let authenticated = authenticator.authenticate(stream, peer);
            drop(done);
            match watch.is_some_and(|watch| watch.join().unwrap_or_default()) {
                true => Err(Rejection::new(format!(
                    "it wasn't authenticated within {:?}",
                    limit.unwrap_or_default()
                ))),
                false => authenticated,
            }
        })?;
        Ok(InheritedClient {
            stream: Incoming::Given(authenticated.stream),
            endpoints,
            credentials: authenticated.credentials,
            ..self
        })
    }

    fn new(stream: Incoming, peer: PeerAddr) -> InheritedClient {
        InheritedClient {
            stream,
            peer,
            endpoints: None,
            credentials: None,
            name: None,
        }
    }

    fn from_fd(descriptor: OwnedFd) -> io::Result<InheritedClient> {
        let peer = SockRef::from(&descriptor).peer_addr()?.as_socket();
        let stream = RawStream::from_fd(descriptor)?;
        let peer = match (&stream, peer) {
            (RawStream::Unix(stream), _) => PeerAddr::Unix(unix_peer(stream)),
            (RawStream::Tcp(_), Some(peer)) => PeerAddr::Tcp(peer),
            (RawStream::Tcp(_), None) => {
                let what = "standard input is neither a TCP nor a Unix socket";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
        };
        Ok(InheritedClient::new(Incoming::Raw(stream), peer))
    }

    /// Who it is.
    pub fn peer(&self) -> &PeerAddr {
        &self.peer
    }
}
