//! [`RegistryError`]: why a registry was of no help.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::message::AnswerError;

/// Why a registry was of no help.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// It answered something else than was asked, or refused.
    #[error("the registry at {registry} doesn't do it")]
    Answer {
        /// Who was asked.
        registry: String,
        /// What is wrong with the answer.
        source: AnswerError,
    },
    /// Servers offer the service, and none of them could be connected to.
    #[error("none of the {servers} servers of {name} can be reached")]
    AllDown {
        /// The service.
        name: String,
        /// How many servers the registry knows.
        servers: usize,
        /// What the last one failed with.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// It takes no more servers of this host, or no more at all.
    #[error("the registry at {registry} takes no more servers of {host}")]
    Full {
        /// Who was asked.
        registry: String,
        /// The server's host.
        host: String,
    },
    /// The network, or the system, refused.
    #[error("asking the registry at {registry}: {doing}")]
    Io {
        /// Who was asked.
        registry: String,
        /// What was being done.
        doing: &'static str,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The registry doesn't list services: that is an option of it.
    #[error("the registry at {registry} doesn't list its services")]
    ListingOff {
        /// Who was asked.
        registry: String,
    },
    /// The caller asked for what no registry can take: an empty name, or too many.
    #[error("{0}")]
    Misuse(&'static str),
    /// Nobody answered in time.
    #[error("no registry at {registry} answered within {after:?}")]
    NoAnswer {
        /// Who was asked.
        registry: String,
        /// How long the wait was.
        after: Duration,
    },
    /// No server offers the service.
    #[error("no server offers {name}")]
    NoServer {
        /// The service.
        name: String,
    },
}

impl RegistryError {
    /// What is in an error of a call, if the registry was of no help in it.
    pub fn of(error: &rpyc_core::Error) -> Option<&RegistryError> {
        match error {
            rpyc_core::Error::Other(error) => error.downcast_ref(),
            _ => None,
        }
    }

    pub(super) fn io(registry: &str, doing: &'static str, source: io::Error) -> RegistryError {
        RegistryError::Io {
            registry: registry.to_owned(),
            doing,
            source: Arc::new(source),
        }
    }
}

impl From<RegistryError> for rpyc_core::Error {
    fn from(error: RegistryError) -> rpyc_core::Error {
        rpyc_core::Error::Other(Arc::new(error))
    }
}
