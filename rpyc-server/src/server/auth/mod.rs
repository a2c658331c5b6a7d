//! Authenticators: TLS, a shared secret, networks; alone or together as [`Access`].

mod certificate;
mod networks;
mod secret;
mod tls;

use std::sync::Arc;

use rpyc_core::transport::{PeerAddr, Stream};

pub use self::networks::{Networks, NetworksError};
pub use self::secret::{Secret, SecretError};
pub use self::tls::Tls;
use super::authenticator::{Authenticated, Authenticator, Rejection};
use super::raw::RawStream;

/// Who gets in: clients that pass every one of the tests that it has.
///
/// The networks are asked first, then TLS is spoken, and within it the secret is asked for. Nothing
/// of RPyC is said before all of them are passed. With no test at all everybody gets in.
///
/// ```
/// use rpyc_core::VoidService;
/// use rpyc_server::Server;
/// use rpyc_server::auth::{Access, Networks, Secret};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let access = Access::new()
///     .networks(Networks::parse(["127.0.0.0/8", "10.0.0.0/8"])?)
///     .secret(Secret::new("correct horse battery staple")?);
/// let server = Server::builder(|| VoidService)
///     .authenticator(access)
///     .listen("127.0.0.1:0")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Access {
    networks: Option<Networks>,
    tls: Option<Tls>,
    secret: Option<Secret>,
}

impl Access {
    /// Everybody gets in.
    #[must_use]
    pub fn new() -> Access {
        Access::default()
    }

    /// Clients of these networks, and of this machine's own sockets.
    #[must_use]
    pub fn networks(mut self, networks: Networks) -> Access {
        self.networks = Some(networks);
        self
    }

    /// Clients that speak TLS, with a certificate where one is required.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Access {
        self.tls = Some(tls);
        self
    }

    /// Clients that know the secret.
    #[must_use]
    pub fn secret(mut self, secret: Secret) -> Access {
        self.secret = Some(secret);
        self
    }

    /// Whether everybody gets in, for want of a test. TLS without a CA is none: it shows clients
    /// who the server is, not the other way round.
    pub fn is_open(&self) -> bool {
        let certificates = self.tls.as_ref().is_some_and(Tls::asks_for_certificates);
        self.networks.is_none() && self.secret.is_none() && !certificates
    }
}

impl Authenticator for Access {
    fn authenticate(&self, stream: RawStream, peer: &PeerAddr) -> Result<Authenticated, Rejection> {
        self.admit(peer)?;
        let mut credentials = None;
        let stream: Arc<dyn Stream> = match &self.tls {
            None => stream.into_stream(),
            Some(tls) => {
                let stream = tls.accept(stream)?;
                credentials = certificate::credentials(&stream)?;
                Arc::new(stream)
            }
        };
        if let Some(secret) = &self.secret {
            secret.ask(&*stream)?;
        }
        Ok(Authenticated {
            stream,
            credentials,
        })
    }

    fn admit(&self, peer: &PeerAddr) -> Result<(), Rejection> {
        match &self.networks {
            Some(networks) => networks.admit(peer),
            None => Ok(()),
        }
    }

    fn client_speaks_first(&self) -> bool {
        self.tls.is_some() || self.secret.is_none()
    }
}
