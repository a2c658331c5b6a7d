//! [`Authenticator`]: who may be a client, and over which stream.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rpyc_core::object::Any;
use rpyc_core::transport::{PeerAddr, Stream};

use super::raw::RawStream;

/// Decides whether an accepted client is served, over which stream, and as whom.
///
/// It runs on the client's own thread, before anything of the protocol, so it may block: after
/// the [handshake timeout](super::Builder::handshake_timeout) the socket is shut down under it,
/// and all that it reads or writes fails or ends. The log then names that time-out, whatever the
/// authenticator makes of it.
///
/// A closure is one, too:
///
/// ```
/// use rpyc_core::VoidService;
/// use rpyc_core::transport::PeerAddr;
/// use rpyc_server::{Authenticated, RawStream, Rejection, Server};
///
/// let my_network = |stream: RawStream, peer: &PeerAddr| match peer.ip() {
///     Some(ip) if ip.is_loopback() => Ok(Authenticated::new(stream.into_stream())),
///     _ => Err(Rejection::new("it isn't of this machine")),
/// };
/// let server = Server::builder(|| VoidService)
///     .authenticator(my_network)
///     .listen("127.0.0.1:0")?;
/// # Ok::<(), rpyc_server::ListenError>(())
/// ```
pub trait Authenticator: Send + Sync {
    /// Takes the client's socket and returns the stream to speak the protocol over.
    ///
    /// # Errors
    /// With the reason why the client isn't served; the server logs it. What the client is
    /// told is up to the authenticator.
    fn authenticate(&self, stream: RawStream, peer: &PeerAddr) -> Result<Authenticated, Rejection>;

    /// The part of it that needs the client's address alone, and no time. In
    /// [`Mode::Process`](super::Mode::Process) who is rejected here costs no process. Default:
    /// nobody is.
    ///
    /// # Errors
    /// As [`authenticate`](Authenticator::authenticate).
    fn admit(&self, peer: &PeerAddr) -> Result<(), Rejection> {
        let _ = peer;
        Ok(())
    }

    /// Whether every client has to send something before it is sent anything. In
    /// [`Mode::Process`](super::Mode::Process) it gets no process before that. Default: no.
    fn client_speaks_first(&self) -> bool {
        false
    }
}

impl<F> Authenticator for F
where
    F: Fn(RawStream, &PeerAddr) -> Result<Authenticated, Rejection> + Send + Sync,
{
    fn authenticate(&self, stream: RawStream, peer: &PeerAddr) -> Result<Authenticated, Rejection> {
        self(stream, peer)
    }
}

impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    fn authenticate(&self, stream: RawStream, peer: &PeerAddr) -> Result<Authenticated, Rejection> {
        (**self).authenticate(stream, peer)
    }

    fn admit(&self, peer: &PeerAddr) -> Result<(), Rejection> {
        (**self).admit(peer)
    }

    fn client_speaks_first(&self) -> bool {
        (**self).client_speaks_first()
    }
}

/// A client that may be served.
pub struct Authenticated {
    pub(super) stream: Arc<dyn Stream>,
    pub(super) credentials: Option<Any>,
}

impl Authenticated {
    /// To be served over this stream.
    pub fn new(stream: Arc<dyn Stream>) -> Authenticated {
        Authenticated {
            stream,
            credentials: None,
        }
    }

    /// What was found out about the client; the service finds it in its connection's
    /// [`PeerInfo::credentials`](rpyc_core::service::PeerInfo::credentials).
    #[must_use]
    pub fn credentials(mut self, credentials: impl Into<Any>) -> Authenticated {
        self.credentials = Some(credentials.into());
        self
    }
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// Why a client isn't served.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    reason: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Rejection {
    /// For a reason, as it stands in the log behind "client ... refused: ".
    pub fn new(reason: impl Into<String>) -> Rejection {
        Rejection {
            reason: reason.into(),
            source: None,
        }
    }

    /// For a reason that another error stands behind.
    pub fn caused(
        reason: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Rejection {
        Rejection {
            reason: reason.into(),
            source: Some(source.into()),
        }
    }
}

impl From<io::Error> for Rejection {
    fn from(error: io::Error) -> Rejection {
        // The server sets no time-out of the socket's: this one is the authenticator's own.
        if matches!(error.kind(), io::ErrorKind::WouldBlock) && error.raw_os_error().is_some() {
            return Rejection::new("it was silent for longer than the authenticator's time-out");
        }
        Rejection::caused("it couldn't be authenticated", error)
    }
}
