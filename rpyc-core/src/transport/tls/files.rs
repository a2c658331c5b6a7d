//! Certificates and keys from PEM files.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// The certificates of a file, at least one.
pub(super) fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    match read() {
        Ok(certificates) if certificates.is_empty() => {
            Err(unusable(what, path, "it holds no certificate"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable(what, path, error)),
    }
}

/// The private key of a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => unusable(
            "key",
            path,
            "it holds no private key, or one with a pass phrase, which isn't supported",
        ),
        error => unusable("key", path, error),
    })
}

/// What is trusted: the certificates of a file, as authorities and each for itself.
pub(super) fn authorities(
    path: &Path,
    roots: &mut RootCertStore,
    trusted: &mut Vec<CertificateDer<'static>>,
) -> Result<(), TlsError> {
    for certificate in certificates("CA", path)? {
        let added = roots.add(certificate.clone());
        added.map_err(|error| unusable("CA", path, error))?;
        trusted.push(certificate);
    }
    Ok(())
}

fn unusable(
    what: &'static str,
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> TlsError {
    TlsError::File {
        what,
        path: path.to_owned(),
        source: source.into(),
    }
}
