//! [`TlsClient`]: whom a client trusts, and what it shows of itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::verifier::{Check, ServerVerifier};
use super::{TlsError, TlsStream, files};
use crate::transport::Stream;

/// How a client makes its streams TLS: whom it trusts, and what it shows of itself. Cheap to
/// clone, good for any number of connections.
///
/// ```no_run
/// use rpyc_core::Connector;
/// use rpyc_core::transport::TlsClient;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = TlsClient::builder()
///     .ca_file("ca.pem")
///     .certificate("client.pem", "client.key")
///     .build()?;
/// let conn = Connector::new().connect_tls("server.example.org", 18821, &tls)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

/// Options of a [`TlsClient`]. Files are PEM and are read by [`build`](TlsClientBuilder::build).
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsClientBuilder {
    ca_files: Vec<PathBuf>,
    check: Check,
    identity: Option<(PathBuf, PathBuf)>,
    name: Option<String>,
}

impl TlsClient {
    /// Trusts servers whose certificate is for their name and signed by an authority that the
    /// system trusts; shows no certificate itself.
    pub fn builder() -> TlsClientBuilder {
        TlsClientBuilder {
            ca_files: Vec::new(),
            check: Check::Name,
            identity: None,
            name: None,
        }
    }

    /// Makes a session over `stream` with the server that is called `host`; `None` waits for ever.
    ///
    /// # Errors
    /// A [`TlsError`]: the server isn't trusted, doesn't take the client, doesn't speak TLS,
    /// or is too slow. With TLS 1.3 a server that doesn't take the client's certificate
    /// says so only later: reading from the stream fails then.
    pub fn connect(
        &self,
        stream: impl Stream + 'static,
        host: &str,
        limit: Option<Duration>,
    ) -> Result<TlsStream, TlsError> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => server_name(host)?,
        };
        let session = ClientConnection::new(self.config.clone(), name)?;
        let stream = TlsStream::new(Box::new(stream), session.into());
        stream.handshake(limit)?;
        Ok(stream)
    }
}

impl TlsClientBuilder {
    /// Trusts the authorities in this file, and the certificates in it themselves, instead
    /// of what the system trusts. May be given several times.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> TlsClientBuilder {
        self.ca_files.push(path.as_ref().to_owned());
        self
    }

    /// Shows this certificate (with those between it and its authority behind it) to servers that
    /// ask for one.
    pub fn certificate(
        mut self,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> TlsClientBuilder {
        let paths = (certificate.as_ref().to_owned(), key.as_ref().to_owned());
        self.identity = Some(paths);
        self
    }

    /// The name that the server's certificate must be for, where that isn't the host that is
    /// connected to.
    pub fn server_name(mut self, name: impl Into<String>) -> TlsClientBuilder {
        self.name = Some(name.into());
        self
    }

    /// Takes a certificate of the trusted authorities for any name, as Python's
    /// `rpyc.ssl_connect` does: each holder of a certificate can stand in for the server.
    pub fn any_server_name(mut self) -> TlsClientBuilder {
        self.check = Check::AnyName;
        self
    }

    /// Trusts any server. The stream is encrypted, but anybody may be at its other end.
    pub fn insecure_any_server(mut self) -> TlsClientBuilder {
        self.check = Check::Nothing;
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError::File`], [`TlsError::Identity`], [`TlsError::NoNativeRoots`] or
    /// [`TlsError::ServerName`].
    pub fn build(self) -> Result<TlsClient, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (mut roots, mut trusted) = (RootCertStore::empty(), Vec::new());
        for path in &self.ca_files {
            files::authorities(path, &mut roots, &mut trusted)?;
        }
        if self.check != Check::Nothing && self.ca_files.is_empty() {
            let native = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(native.certs);
            if roots.is_empty() {
                return Err(TlsError::NoNativeRoots);
            }
        }
        let verifier = ServerVerifier {
            roots,
            trusted,
            check: self.check,
            provider: provider.clone(),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = files::certificates("certificate", certificate)?;
                let config = builder.with_client_auth_cert(chain, files::key(key)?);
                config.map_err(TlsError::Identity)?
            }
        };
        // Certificates are verified for each session.
        config.resumption = Resumption::disabled();
        Ok(TlsClient {
            config: Arc::new(config),
            name: self.name.as_deref().map(server_name).transpose()?,
        })
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned());
    name.map_err(|_| TlsError::ServerName(host.to_owned()))
}
