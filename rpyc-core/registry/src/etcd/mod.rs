//! [`EtcdDirectory`]: services in etcd.

mod builder;
mod gateway;
mod holding;
mod http;
mod keys;
mod left_out;
mod messages;
mod reading;
mod watch;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::builder::EtcdBuilder;
use self::gateway::{Failed, Rpc};
use self::holding::Holding;
use self::keys::Keys;
use self::left_out::{LeftOut, Told};
use self::messages::{decode, encode};
use self::watch::EtcdWatch;
use super::directory::{Directory, Offer, ServerEntry, Watch, service_name};
use super::error::RegistryError;
use super::message::AnswerError;

/// Services in etcd (version 3.4 or newer), by its JSON gateway.
///
/// A server's entries hang on a lease: who stops renewing it is gone when it ends. They say what
/// the server says of itself. A watch is told of changes by etcd.
///
/// Any of the members answers; one that doesn't is passed over. Clones share their connection.
#[derive(Clone, Debug)]
pub struct EtcdDirectory {
    rpc: Arc<dyn Rpc>,
    label: Arc<str>,
    keys: Keys,
    timeout: Duration,
    lease: Duration,
    advertised: Option<IpAddr>,
    holding: Holding,
    told: Told,
}

impl EtcdDirectory {
    /// The cluster with these members: each `HOST:PORT`, `[IPV6]:PORT` or `HOST`.
    ///
    /// # Errors
    /// [`RegistryError::Misuse`] for what is no such text, or for none.
    pub fn builder<'a>(
        endpoints: impl IntoIterator<Item = &'a str>,
    ) -> Result<EtcdBuilder, RegistryError> {
        EtcdBuilder::of(endpoints)
    }

    fn over(rpc: Arc<dyn Rpc>, label: &str, keys: Keys, lease: Duration) -> EtcdDirectory {
        EtcdDirectory {
            rpc,
            label: label.into(),
            keys,
            timeout: Duration::from_secs(5),
            lease,
            advertised: None,
            holding: Holding::own(),
            told: Told::default(),
        }
    }

    /// The address that servers have that register. Default: that of this machine which leads to
    /// etcd.
    #[must_use]
    pub fn advertise(mut self, address: IpAddr) -> EtcdDirectory {
        self.advertised = Some(address);
        self
    }

    /// Keeps nothing of who has registered, but asks etcd each time: for a registry of which there
    /// are several copies. Nothing more is taken once that would be more than `max_entries` entries
    /// (names times servers), or more than half of them on one host: about, as nobody counts under a
    /// lock.
    #[must_use]
    pub fn stateless(mut self, max_entries: usize) -> EtcdDirectory {
        self.holding = Holding::copies(max_entries);
        self
    }

    /// Who is told, in a line, of what is wrong in etcd: entries that are left out, say, once of the
    /// same. Default: the log. It is called by who asks.
    #[must_use]
    pub fn on_warning(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> EtcdDirectory {
        self.told.by(tell);
        self
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
        deadline: Instant,
    ) -> Result<T, Failed> {
        self.read(&self.rpc.post(path, &encode(question), deadline)?)
    }

    fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, Failed> {
        decode(answer).map_err(|problem| self.strange(&problem))
    }

    fn strange(&self, problem: &str) -> Failed {
        let problem = problem.chars().take(200).collect();
        Failed::Away(RegistryError::Answer {
            registry: self.label.to_string(),
            source: AnswerError::NotEtcd(problem),
        })
    }

    /// Says it, unless that has been done.
    fn tell(&self, line: &str) {
        self.told.tell(&self.label, line);
    }

    fn tell_left_out(&self, left_out: &LeftOut) {
        if !left_out.is_empty() {
            self.tell(&left_out.to_string());
        }
    }
}

impl Directory for EtcdDirectory {
    fn discover(&self, name: &str) -> Result<Vec<ServerEntry>, RegistryError> {
        let name = service_name(name)?;
        let front = self.keys.service(name.as_str());
        let mut servers = Vec::new();
        self.each_pair(&front, self.deadline(), |pair, left_out| {
            let entry = self.entry(&front, &pair, left_out);
            servers.extend(entry.map(|entry| (pair.create_revision, entry)));
        })?;
        servers.sort_by_key(|(created, _)| *created);
        let servers: Vec<ServerEntry> = servers.into_iter().map(|(_, entry)| entry).collect();
        if servers.is_empty() {
            return Err(RegistryError::NoServer {
                name: name.as_str().to_owned(),
            });
        }
        Ok(servers)
    }

    fn list(&self, host: Option<&str>) -> Result<Vec<String>, RegistryError> {
        let deadline = self.deadline();
        let Some(host) = host else {
            let names = self.names(deadline)?;
            return Ok(names.into_iter().collect());
        };
        let front = self.keys.servers_on(host);
        let mut names = BTreeSet::new();
        self.each_pair(&front, deadline, |pair, left_out| {
            match keys::names(&pair.value.0) {
                Ok(_) if names.len() >= MAX_NAMES_LISTED => left_out.limit = Some(MAX_NAMES_LISTED),
                Ok(of_server) => names.extend(of_server),
                Err(problem) => left_out.add(&pair.key, problem),
            }
        })?;
        let names = names.iter().map(|name| name.as_str().to_owned());
        Ok(names.collect())
    }

    /// To be said again after a third of the lease; the first time earlier, by chance, so that servers
    /// that begin together don't stay together. What the server says of itself is looked at each sixth
    /// time.
    ///
    /// A server has a lease of its own. If another one is at the same address, the one that came last
    /// is found, and that is told in the log.
    fn register(&self, offer: &Offer) -> Result<Duration, RegistryError> {
        Ok(self.hold(offer)?)
    }

    /// Revokes the lease: all entries of the server go with it. It takes 2 s at most, and none where
    /// nothing was registered.
    fn unregister(&self, port: u16) -> Result<(), RegistryError> {
        Ok(self.release(port)?)
    }

    /// etcd tells of each change. Where nothing is told for a minute, everything is asked for anew.
    fn watch(&self, name: &str) -> Result<Box<dyn Watch>, RegistryError> {
        let name = service_name(name)?;
        Ok(Box::new(EtcdWatch::new(self.clone(), name.as_str())))
    }
}

/// Names that a list has.
const MAX_NAMES_LISTED: usize = 20_000;

#[cfg(test)]
mod tests;
