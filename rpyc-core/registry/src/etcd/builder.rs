//! [`EtcdBuilder`]: which cluster it is, and how it is asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rpyc_core::transport::TlsClient;

use super::EtcdDirectory;
use super::gateway::{Endpoint, Gateway};
use super::keys::Keys;
use crate::error::RegistryError;

/// Options of an [`EtcdDirectory`].
#[derive(Clone)]
#[must_use]
pub struct EtcdBuilder {
    endpoints: Vec<(String, Option<u16>)>,
    port: u16,
    tls: Option<TlsClient>,
    login: Option<(String, String)>,
    prefix: String,
    timeout: Duration,
    lease: Duration,
}

impl EtcdBuilder {
    /// What [`EtcdDirectory::builder`] gives.
    pub(super) fn of<'a>(
        endpoints: impl IntoIterator<Item = &'a str>,
    ) -> Result<EtcdBuilder, RegistryError> {
        let endpoints: Option<Vec<_>> = endpoints.into_iter().map(endpoint).collect();
        let endpoints = endpoints.filter(|endpoints| !endpoints.is_empty());
        Ok(EtcdBuilder {
            endpoints: endpoints.ok_or(RegistryError::Misuse(
                "etcd's members are given as HOST:PORT, [IPV6]:PORT or HOST",
            ))?,
            port: DEFAULT_ETCD_PORT,
            tls: None,
            login: None,
            prefix: DEFAULT_PREFIX.to_owned(),
            timeout: Duration::from_secs(5),
            lease: Duration::from_secs(30),
        })
    }

    /// The port of members that are given without one. Default: 2379.
    pub fn port(mut self, port: u16) -> EtcdBuilder {
        self.port = port;
        self
    }

    /// TLS to all members. Default: none.
    pub fn tls(mut self, tls: TlsClient) -> EtcdBuilder {
        self.tls = Some(tls);
        self
    }

    /// Who asks, where etcd wants to know.
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> EtcdBuilder {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// What all keys begin with. Default: `/rpyc/`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> EtcdBuilder {
        self.prefix = prefix.into();
        self
    }

    /// How long a question may take, with all members that are asked. Default: 5 s; an hour at most.
    pub fn timeout(mut self, timeout: Duration) -> EtcdBuilder {
        self.timeout = timeout.min(Duration::from_secs(3600));
        self
    }

    /// How long a server stays known that says nothing. It speaks up three times as often. Default:
    /// 30 s; between 2 s and a day, in whole seconds. etcd itself may take longer: its shortest is one
    /// and a half times the time in which members choose a leader.
    pub fn lease(mut self, lease: Duration) -> EtcdBuilder {
        self.lease = lease.clamp(Duration::from_secs(2), Duration::from_secs(24 * 3600));
        self
    }

    /// The directory. Nobody is asked yet.
    ///
    /// # Errors
    /// [`RegistryError::Misuse`] when the prefix is longer than 255 bytes.
    pub fn build(self) -> Result<EtcdDirectory, RegistryError> {
        let keys = Keys::below(&self.prefix);
        let keys = keys.ok_or(RegistryError::Misuse("a prefix has up to 255 bytes"))?;
        let endpoints = self.endpoints.into_iter().map(|(host, port)| Endpoint {
            host,
            port: port.unwrap_or(self.port),
        });
        let gateway = Gateway::new(endpoints.collect(), self.tls, self.login);
        let label = gateway.label();
        let mut directory = EtcdDirectory::over(Arc::new(gateway), &label, keys, self.lease);
        directory.timeout = self.timeout;
        Ok(directory)
    }
}

/// It has a password.
impl fmt::Debug for EtcdBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdBuilder")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

pub(super) fn endpoint(text: &str) -> Option<(String, Option<u16>)> {
    let text = text.trim();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            let is_port = port.is_empty() || port.starts_with(':');
            (host, is_port.then(|| port.strip_prefix(':'))?)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_host = !host.is_empty()
        && host.len() <= 255
        && host
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "-._:%".contains(char));
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|&port: &u16| port > 0)?),
        None => None,
    };
    is_host.then(|| (host.to_owned(), port))
}

const DEFAULT_PREFIX: &str = "/rpyc/";
const DEFAULT_ETCD_PORT: u16 = 2379;
