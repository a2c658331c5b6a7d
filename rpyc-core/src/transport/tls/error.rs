//! [`TlsError`]: why there is no TLS session, by whose fault.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

/// Why a TLS session can't be had, or broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// One of our files can't be used.
    #[error("the {what} file {} can't be used", path.display())]
    File {
        /// `certificate`, `key` or `CA`.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Our certificate and key can't be used, each or together.
    #[error("the certificate can't be used with the key")]
    Identity(#[source] rustls::Error),
    /// The system's own trusted authorities can't be read.
    #[error("the system has no trusted authorities: name a CA file")]
    NoNativeRoots,
    /// Neither a host name nor an address.
    #[error("{0:?} is neither a host name nor an address, so no certificate can be for it")]
    ServerName(String),
    /// The peer sent what isn't TLS.
    #[error("the peer doesn't speak TLS: it sent {0}")]
    NotTls(&'static str),
    /// The peer's certificate isn't accepted here.
    #[error("the peer's certificate isn't accepted: {}", fault(.0))]
    Certificate(CertificateError),
    /// The peer showed no certificate, though one is required.
    #[error("the peer showed no certificate, and one is required")]
    NoCertificate,
    /// The peer refused, by an alert.
    #[error("the peer refused: {}", meaning(*.0))]
    Refused(AlertDescription),
    /// The peer ended the stream before there was a session.
    #[error("the peer ended the stream within the TLS handshake")]
    Ended,
    /// The handshake wasn't done in time.
    #[error("no TLS handshake within {:?}", in_millis(*.0))]
    TooSlow(Duration),
    /// The stream below failed.
    #[error("the stream failed within the TLS handshake")]
    Io(#[source] io::Error),
    /// The peer broke the rules of TLS, or has no version or cipher in common with this side.
    #[error("TLS failed: {}", cause(.0))]
    Session(rustls::Error),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> TlsError {
        match error {
            rustls::Error::InvalidCertificate(fault) => TlsError::Certificate(fault),
            rustls::Error::NoCertificatesPresented => TlsError::NoCertificate,
            rustls::Error::AlertReceived(alert) => TlsError::Refused(alert),
            error => TlsError::Session(error),
        }
    }
}

/// The limit in milliseconds, rounded: the user gave it so, and part of it may have passed before it was measured.
fn in_millis(limit: Duration) -> Duration {
    let nanos = limit.subsec_nanos();
    let rest = Duration::from_nanos((nanos % 1_000_000).into());
    let whole = limit.saturating_sub(rest);
    match rest < Duration::from_micros(500) {
        true => whole,
        false => whole.saturating_add(Duration::from_millis(1)),
    }
}

/// What is wrong with a certificate, in words.
fn fault(error: &CertificateError) -> String {
    let words = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it isn't valid yet"
        }
        CertificateError::UnknownIssuer => "it isn't signed by an authority that is trusted here",
        CertificateError::BadSignature => {
            "its signature is not that of the trusted authority of this name"
        }
        CertificateError::NotValidForName => "it is for another name",
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let (expected, names) = (expected.to_str(), presented.join(", "));
            return match presented.is_empty() {
                true => format!("it names no host, so it isn't for {expected}"),
                false => format!("it is for {names}, not for {expected}"),
            };
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it isn't made for this side of a connection (extended key usage)"
        }
        // webpki's error isn't public: it is known by its text.
        CertificateError::Other(fault) if fault.to_string() == "CaUsedAsEndEntity" => {
            "it is an authority's, as self-signed ones are, and not trusted itself"
        }
        other => return other.to_string(),
    };
    words.to_owned()
}

/// Why the two sides have no session, in words.
fn cause(error: &rustls::Error) -> String {
    use PeerIncompatible::{SignatureAlgorithmsExtensionRequired, Tls12NotOfferedOrEnabled};
    match error {
        // A peer of TLS 1.1 is refused for an extension that it doesn't have.
        rustls::Error::PeerIncompatible(
            SignatureAlgorithmsExtensionRequired | Tls12NotOfferedOrEnabled,
        ) => "the peer speaks no version of it from 1.2 on".to_owned(),
        other => other.to_string(),
    }
}

/// What an alert says, in words and by its name in the standard.
fn meaning(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::UnknownCA => {
            "it doesn't trust the authority of this side's certificate (alert unknown_ca)"
        }
        AlertDescription::CertificateRequired => {
            "it asks for a certificate, and this side showed none (alert certificate_required)"
        }
        AlertDescription::CertificateExpired => {
            "this side's certificate has expired or isn't valid yet (alert certificate_expired)"
        }
        AlertDescription::CertificateRevoked => {
            "this side's certificate is revoked (alert certificate_revoked)"
        }
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it doesn't accept this side's certificate (alert bad_certificate)"
        }
        AlertDescription::UnsupportedCertificate => {
            "this side's certificate isn't of a kind that it takes (alert unsupported_certificate)"
        }
        AlertDescription::ProtocolVersion => {
            "there is no version of TLS that both sides speak (alert protocol_version)"
        }
        AlertDescription::HandshakeFailure => {
            "it found no common ground, or asks for a certificate (alert handshake_failure)"
        }
        other => return format!("alert {other:?}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // What else there is to be told is told by peers: tests/tls/refusals.rs.
    #[test]
    fn what_no_peer_of_the_tests_does_is_told_in_words_too() {
        let late = TlsError::TooSlow(Duration::from_nanos(2_999_886_111));
        assert_eq!(late.to_string(), "no TLS handshake within 3s");
        let alert = rustls::Error::AlertReceived(AlertDescription::BadRecordMac);
        let text = TlsError::from(alert).to_string();
        assert!(text.contains("alert BadRecordMac"), "{text}");
        let old = PeerIncompatible::Tls12NotOfferedOrEnabled;
        let text = TlsError::from(rustls::Error::from(old)).to_string();
        assert!(text.contains("no version of it from 1.2 on"), "{text}");
    }
}
