//! [`TransferError`]: what a transfer can fail with.

use std::io;
use std::path::{Path, PathBuf};

use rpyc_core::Error;

/// Why a transfer ended early. What had been copied by then stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The server, or the connection to it: what its file system refuses is an
    /// [`Error::Remote`] with an OSError.
    #[error(transparent)]
    Connection(#[from] Error),
    /// This side's file system.
    #[error("{}: {doing} failed", path.display())]
    Local {
        /// The file or directory.
        path: PathBuf,
        /// What was being done with it.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// What should be copied is neither file nor directory, or isn't there.
    #[error("{0}: neither a file nor a directory")]
    NothingToCopy(String),
    /// The server named a file in a way that could lead out of the directory.
    #[error("the server has a file with the name {0:?}, which isn't taken")]
    Name(String),
    /// A limit of the transfer's.
    #[error("more than {limit} {what}: the transfer's limit")]
    Limit {
        /// Of what there was too much.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The server sends more of a file than it has announced, and than files may grow meanwhile.
    /// [`Transfer::max_bytes`](super::Transfer::max_bytes) sets another limit.
    #[error(
        "{}: the server announced {announced} bytes and sends more than {limit}", path.display()
    )]
    Longer {
        /// The file, as it is called on this side.
        path: PathBuf,
        /// Its size as the server had it.
        announced: u64,
        /// The bytes that were taken at most.
        limit: u64,
    },
    /// The file isn't the same on both sides: it was changed meanwhile, or wasn't written.
    #[error("{}: the copy differs (SHA-256 {here} here, {there} there)", path.display())]
    Differs {
        /// The file, as it is called on this side.
        path: PathBuf,
        /// The digest here.
        here: String,
        /// The digest at the server.
        there: String,
    },
}

impl TransferError {
    /// The server's exception, if that's what it is.
    pub fn as_remote(&self) -> Option<&rpyc_core::Exception> {
        match self {
            TransferError::Connection(error) => error.as_remote(),
            _ => None,
        }
    }

    pub(super) fn local(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> TransferError {
        move |source| TransferError::Local {
            path: path.to_path_buf(),
            doing,
            source,
        }
    }
}
