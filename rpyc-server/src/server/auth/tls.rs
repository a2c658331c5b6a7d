//! [`Tls`]: certificates from files, which can be read again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rpyc_core::transport::{PeerAddr, TlsError, TlsServer, TlsStream};

use super::super::authenticator::{Authenticated, Authenticator, Rejection};
use super::super::raw::RawStream;
use super::certificate;

/// TLS with certificates from PEM files. Cheap to clone; clones are the same.
///
/// Where a CA file is given, clients must show a certificate. What it says reaches the service as
/// [`PeerInfo::credentials`](rpyc_core::service::PeerInfo::credentials): the dict that Python's
/// `getpeercert()` gives, and so `SSLAuthenticator`. Python clients connect with `rpyc.ssl_connect`.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    ca: Option<PathBuf>,
    server: RwLock<TlsServer>,
}

impl Tls {
    /// Reads the files: the certificate with those between it and its authority behind it, its
    /// key, and the authorities of the clients.
    ///
    /// # Errors
    /// A [`TlsError`] that names the file.
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        ca: Option<&Path>,
    ) -> Result<Tls, TlsError> {
        let server = TlsServer::from_files(&certificate, &key, ca)?;
        Ok(Tls(Arc::new(Inner {
            certificate: certificate.as_ref().to_owned(),
            key: key.as_ref().to_owned(),
            ca: ca.map(Path::to_owned),
            server: RwLock::new(server),
        })))
    }

    /// Reads the files again, for the clients that come from now on; those that are connected
    /// stay.
    ///
    /// # Errors
    /// As [`from_files`](Tls::from_files); what was read before stays in force then.
    pub fn reload(&self) -> Result<(), TlsError> {
        let inner = &*self.0;
        let ca = inner.ca.as_deref();
        let server = TlsServer::from_files(&inner.certificate, &inner.key, ca)?;
        *inner.server.write() = server;
        Ok(())
    }

    /// Whether clients must show a certificate.
    pub fn asks_for_certificates(&self) -> bool {
        self.0.ca.is_some()
    }

    /// Speaks TLS with a client. The server's handshake timeout ends it.
    pub(super) fn accept(&self, stream: RawStream) -> Result<TlsStream, Rejection> {
        let server = self.0.server.read().clone();
        let accepted = match stream {
            RawStream::Tcp(stream) => server.accept(stream, None),
            RawStream::Unix(stream) => server.accept(stream, None),
        };
        accepted.map_err(|error| Rejection::caused("no TLS session with it", error))
    }
}

impl Authenticator for Tls {
    fn authenticate(&self, stream: RawStream, _: &PeerAddr) -> Result<Authenticated, Rejection> {
        let stream = self.accept(stream)?;
        let credentials = certificate::credentials(&stream)?;
        let stream = Arc::new(stream);
        Ok(Authenticated {
            stream,
            credentials,
        })
    }

    fn client_speaks_first(&self) -> bool {
        true
    }
}
