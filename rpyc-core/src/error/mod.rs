//! [`Error`]: what can go wrong with a connection, by whose fault it is.

mod copy;
mod from_std;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use self::copy::CopyError;
use crate::exception::{ConversionError, Exception, PythonException};
use crate::wire::{DecodeError, Dialect, EncodeError, FrameError};

/// What most functions of this crate give: a value, or an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a call over a connection failed with.
///
/// `Display` shows one layer, and `source()` gives the next one. An error of the system is part of the first.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection is closed, or broke; every later call fails with the same reason.
    #[error("the connection is closed: {0}")]
    Closed(CloseReason),
    /// What came isn't of the Rust type that was asked for.
    #[error(transparent)]
    Conversion(#[from] ConversionError),
    /// A structure can't be copied to or from the serde type.
    #[error("the structure can't be copied: {0}")]
    Copy(#[from] CopyError),
    /// The operating system refused.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: Cow<'static, str>,
        /// The system's reason.
        error: Arc<io::Error>,
    },
    /// The program asked for what can't be done, or for more at once than its own limits let be kept.
    #[error("{0}")]
    Misuse(String),
    /// What code that stands on this crate failed with, such as a pool of servers that has none; made by
    /// [`Error::other`]. `downcast_ref` tells of which type it is.
    #[error(transparent)]
    Other(Arc<dyn std::error::Error + Send + Sync>),
    /// The peer answered a ping with something else than what it was sent.
    #[error("the peer's echo differs from what it was sent")]
    Ping,
    /// The peer answered, but not by the protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    /// The peer's code raised an exception.
    #[error("{0}")]
    Remote(Exception),
    /// There is no TLS session with the peer.
    #[cfg(feature = "tls")]
    #[error("no TLS session")]
    Tls(#[source] Arc<crate::transport::TlsError>),
    /// An answer didn't come in time.
    #[error(transparent)]
    Timeout(Box<Timeout>),
    /// A message can't be sent: see the reason.
    #[error("the message can't be sent")]
    Unsendable(#[from] EncodeError),
}

/// A wait that ran out of time, and what it waited for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} wasn't answered within {after:?}{detail}")]
#[non_exhaustive]
pub struct Timeout {
    /// The request: its handler and its seq.
    pub what: String,
    /// How long the wait was.
    pub after: Duration,
    /// What else was going on: who was reading, what was queued.
    pub detail: String,
}

/// Why a connection ended, or serving it did. The first reason sticks.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side closed it.
    #[error("closed by this side")]
    Local,
    /// This side has dropped the last handle of it.
    #[error(
        "closed by this side: the last Connection was dropped (keep one as long as its netrefs are used)"
    )]
    Dropped,
    /// The peer said that it closes.
    #[error("closed by the peer")]
    Peer,
    /// The peer ended the stream without saying that it closes.
    #[error("the peer ended the stream")]
    Eof,
    /// The peer ended the stream before it had said anything.
    #[error(
        "the peer ended the stream before its first word: a TLS server? Or it asks for a secret, or lets nobody in from here"
    )]
    CutOff,
    /// The peer vanished in the middle of a frame.
    #[error("the peer vanished within a frame, at byte {offset}")]
    Truncated {
        /// How many bytes had been read since the connection began.
        offset: u64,
    },
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Io(Arc<io::Error>),
    /// The peer sent what isn't the protocol.
    #[error("protocol error: {0}")]
    Wire(DecodeError),
    /// The peer speaks another version of the wire than this side began with.
    #[error("the peer speaks {theirs}, and was spoken to as {ours}")]
    Dialect {
        /// What this side spoke.
        ours: Dialect,
        /// What the peer speaks, as far as its first message shows.
        theirs: Dialect,
    },
    /// The peer sent what isn't a sequence of frames.
    #[error("protocol error: {0}{cause}", cause = cause(.0))]
    Frame(FrameError),
    /// The peer's code raised an exception that ends its connection (SystemExit or
    /// KeyboardInterrupt, by the config).
    #[error("ended by the peer's code: {0}")]
    Raised(Exception),
    /// The peer did what the protocol or a limit forbids.
    #[error("protocol error: {0}")]
    Conduct(String),
    /// The service refused the connection.
    #[error("refused by the service: {0}")]
    Refused(Exception),
    /// The peer took longer than it may.
    #[error("the peer {what} for {limit:?}")]
    TooSlow {
        /// What it did for so long.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// It hasn't ended: the thread that served it was interrupted (`executor::interruptible`). Only
    /// [`Connection::serve_all`](crate::Connection::serve_all) and
    /// [`serve_threaded`](crate::Connection::serve_threaded) give this.
    #[error("serving was interrupted; the connection is still there")]
    Interrupted,
}

/// The cause behind an error that is told without one.
fn cause(error: &FrameError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(String::new, |cause| format!(": {cause}"))
}

impl CloseReason {
    /// Whether the connection ended as connections do: nobody is at fault.
    pub fn is_normal(&self) -> bool {
        matches!(
            self,
            CloseReason::Local | CloseReason::Dropped | CloseReason::Peer | CloseReason::Eof
        )
    }
}

impl Error {
    /// An error of another type.
    ///
    /// ```
    /// use rpyc_core::Error;
    ///
    /// let error = Error::other("nobody is in the laboratory");
    /// assert_eq!(error.to_string(), "nobody is in the laboratory");
    /// ```
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Other(error.into().into())
    }

    /// Whether the connection is gone for good.
    pub fn is_closed(&self) -> bool {
        matches!(self, Error::Closed(_))
    }

    /// Whether an answer didn't come in time.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Error::Timeout(_))
    }

    /// The exception that the peer's code raised, if that's what it is.
    pub fn as_remote(&self) -> Option<&Exception> {
        match self {
            Error::Remote(exception) => Some(exception),
            _ => None,
        }
    }

    /// The Rust type that stands for the class of the exception which the peer's code raised, made of
    /// it; see [`Exception::downcast`].
    pub fn downcast<T: PythonException>(&self) -> Option<T> {
        self.as_remote().and_then(Exception::downcast)
    }

    /// The exception that stands for it in Python: EOFError, TimeoutError, or the peer's own.
    pub fn into_exception(self) -> Exception {
        match self {
            Error::Remote(exception) => exception,
            Error::Closed(_) => Exception::eof_error(self.to_string()),
            Error::Timeout(_) => Exception::timeout_error(self.to_string()),
            Error::Unsendable(source) => Exception::value_error(source.to_string()),
            Error::Io { doing, error } => from_std::of_io(&error, Some(&doing)),
            #[cfg(feature = "tls")]
            Error::Tls(error) => Exception::builtin("ConnectionError").with_arg(error.to_string()),
            Error::Conversion(error) => Exception::from(error),
            Error::Copy(error) => Exception::type_error(error.to_string()),
            Error::Misuse(_) | Error::Other(_) | Error::Ping | Error::Protocol(_) => {
                Exception::runtime_error(self.to_string())
            }
        }
    }
}

impl Timeout {
    /// `what` wasn't answered within `after`.
    pub fn new(what: impl Into<String>, after: Duration) -> Timeout {
        Timeout {
            what: what.into(),
            after,
            detail: String::new(),
        }
    }
}

impl From<Error> for Exception {
    fn from(error: Error) -> Exception {
        error.into_exception()
    }
}

/// An exception that a client makes or passes on, as if the peer had raised it: `?` works on both.
impl From<Exception> for Error {
    fn from(exception: Exception) -> Error {
        Error::Remote(exception)
    }
}

impl From<Timeout> for Error {
    fn from(timeout: Timeout) -> Error {
        Error::Timeout(Box::new(timeout))
    }
}

#[cfg(feature = "tls")]
impl From<crate::transport::TlsError> for Error {
    fn from(error: crate::transport::TlsError) -> Error {
        Error::Tls(Arc::new(error))
    }
}
