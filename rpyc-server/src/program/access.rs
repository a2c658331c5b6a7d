//! Who gets in, made of the options.

use std::path::Path;

use rpyc_core::transport::{TlsClient, TlsClientBuilder};

use crate::auth::{Access, Networks, Secret, Tls};

use crate::program::cli::access::AccessOptions;
use crate::program::failure::Failure;

/// The TLS of the options, if they ask for it.
pub(crate) fn tls(options: &AccessOptions) -> Result<Option<Tls>, Failure> {
    let (certificate, key) = match (&options.ssl_certfile, &options.ssl_keyfile) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) if options.ssl_cafile.is_none() => return Ok(None),
        (Some(_), None) => return Err(lacking("--ssl-certfile needs --ssl-keyfile")),
        (None, Some(_)) => return Err(lacking("--ssl-keyfile needs --ssl-certfile")),
        (None, None) => {
            return Err(lacking(
                "--ssl-cafile needs --ssl-keyfile and --ssl-certfile",
            ));
        }
    };
    let tls = Tls::from_files(certificate, key, options.ssl_cafile.as_deref());
    let failed = |error| Failure::new("TLS can't be spoken with these files").because(error);
    tls.map(Some).map_err(failed)
}

/// Who gets in.
pub(crate) fn access(options: &AccessOptions, tls: Option<&Tls>) -> Result<Access, Failure> {
    let mut access = Access::new();
    if !options.allow.is_empty() {
        let networks = Networks::parse(options.allow.iter().map(ToString::to_string));
        access = access.networks(
            networks.map_err(|error| Failure::usage("--allow: no network").because(error))?,
        );
    }
    if let Some(tls) = tls {
        access = access.tls(tls.clone());
    }
    if let Some(path) = &options.secret_file {
        access = access.secret(secret(path)?);
    }
    Ok(access)
}

/// The secret in a file.
pub(crate) fn secret(path: &Path) -> Result<Secret, Failure> {
    Secret::from_file(path).map_err(|error| {
        let failure = Failure::new(format!("--secret-file {}: no secret", path.display()));
        failure.because(error)
    })
}

/// What is to be known for TLS as a client.
pub(crate) fn tls_client(
    cafile: Option<&Path>,
    certfile: Option<&Path>,
    keyfile: Option<&Path>,
) -> TlsClientBuilder {
    let mut builder = TlsClient::builder();
    if let Some(path) = cafile {
        builder = builder.ca_file(path);
    }
    if let (Some(certificate), Some(key)) = (certfile, keyfile) {
        builder = builder.certificate(certificate, key);
    }
    builder
}

fn lacking(message: &str) -> Failure {
    Failure::usage(message).hint("A server that speaks TLS has a key and the key's certificate.")
}
