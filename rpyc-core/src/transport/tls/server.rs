//! [`TlsServer`]: what a server shows of itself, and what it asks of its clients.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::verifier::ClientVerifier;
use super::{TlsError, TlsStream, files};
use crate::transport::Stream;

/// How a server makes its clients' streams TLS. Cheap to clone, good for any number of clients.
#[derive(Clone, Debug)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
}

impl TlsServer {
    /// Shows the certificate in a PEM file (with those between it and its authority behind it). With a CA file,
    /// clients must show a certificate that is signed by one in it, or is in it itself.
    ///
    /// # Errors
    /// [`TlsError::File`] or [`TlsError::Identity`].
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        ca: Option<&Path>,
    ) -> Result<TlsServer, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = match ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let (mut roots, mut trusted) = (RootCertStore::empty(), Vec::new());
                files::authorities(path, &mut roots, &mut trusted)?;
                let verifier = ClientVerifier::new(roots, trusted, provider);
                let verifier = verifier.map_err(|error| TlsError::File {
                    what: "CA",
                    path: path.to_owned(),
                    source: error.into(),
                })?;
                builder.with_client_cert_verifier(Arc::new(verifier))
            }
        };
        let chain = files::certificates("certificate", certificate.as_ref())?;
        let key = files::key(key.as_ref())?;
        let config = builder.with_single_cert(chain, key);
        Ok(TlsServer::from_config(config.map_err(TlsError::Identity)?))
    }

    /// The same from a configuration of rustls, for certificates that aren't in files.
    ///
    /// Sessions can't be resumed, and there is no early data, whatever it says: a stock client
    /// takes a session ticket for the beginning of a message, and a client's certificate is to be
    /// looked at each time.
    pub fn from_config(mut config: ServerConfig) -> TlsServer {
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        TlsServer {
            config: Arc::new(config),
        }
    }

    /// Makes a session of the server's side over `stream`; `None` waits for ever.
    ///
    /// What was wrong is told to the client by an alert. Call it on a thread of the client's own:
    /// it takes as long as the client does, within the limit.
    ///
    /// # Errors
    /// A [`TlsError`]: the client isn't accepted, doesn't take the server, doesn't speak TLS, or
    /// is too slow.
    pub fn accept(
        &self,
        stream: impl Stream + 'static,
        limit: Option<Duration>,
    ) -> Result<TlsStream, TlsError> {
        let session = ServerConnection::new(self.config.clone())?;
        let stream = TlsStream::new(Box::new(stream), session.into());
        stream.handshake(limit)?;
        Ok(stream)
    }
}
