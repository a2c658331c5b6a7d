//! [`EtcdDirectory`]: services in etcd.

mod builder;
mod gateway;
mod http;
mod keys;
mod messages;
mod reading;
mod watch;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::{debug, warn};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::builder::EtcdBuilder;
use self::gateway::{Failed, Rpc};
use self::keys::{Keys, end_of};
use self::messages::{
    Blob, Compare, Grant, Ignored, Lease, LeaseId, Long, NOT_FOUND, Op, Pair, Put, Range, Ranged,
    Streamed, Txn, decode, encode,
};
use self::watch::EtcdWatch;
use super::directory::{Directory, Offer, ServerEntry, Watch, service_name};
use super::error::RegistryError;
use super::message::{AnswerError, ServerAddress};

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
    max_entries: Option<usize>,
    /// The leases of those that have registered here; `None` asks etcd for them each time.
    leases: Option<Arc<Mutex<HashMap<ServerAddress, Kept>>>>,
    told: Arc<Mutex<String>>,
}

/// A lease that is kept alive.
#[derive(Clone, Debug)]
struct Kept {
    id: i64,
    /// How many times it has been renewed since the entries were looked at.
    renewed: u32,
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
            max_entries: None,
            leases: Some(Arc::default()),
            told: Arc::default(),
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
    /// are several copies. A new server isn't taken once those of its host would have more than half
    /// of `max_entries` entries (names times servers), or all together more than all: about, as
    /// nobody counts under a lock.
    #[must_use]
    pub fn stateless(mut self, max_entries: usize) -> EtcdDirectory {
        self.leases = None;
        self.max_entries = Some(max_entries);
        self
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn rpc(&self) -> &dyn Rpc {
        &*self.rpc
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

    /// Says what is left out; once, as long as it is the same.
    fn tell(&self, text: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == text {
            return;
        }
        text.clone_into(&mut told);
        drop(told);
        warn!("etcd at {}: {text}", self.label);
    }

    /// The lease of a server, and its services, as etcd has them.
    fn find(&self, server: &ServerAddress, deadline: Instant) -> Result<Option<Pair>, Failed> {
        let range = Range {
            key: Blob::of(&self.keys.server(server)),
            ..Range::default()
        };
        let ranged: Ranged = self.ask("/v3/kv/range", &range, deadline)?;
        let pair = ranged.kvs.0.into_iter().next();
        Ok(pair.filter(|pair| pair.lease.0 != 0))
    }

    /// Whether a lease was still there to be kept alive.
    fn keep_alive(&self, id: i64, deadline: Instant) -> Result<bool, Failed> {
        let question = encode(&LeaseId { id: Long(id) });
        let answer = self.rpc.post("/v3/lease/keepalive", &question, deadline)?;
        // It is a stream of one.
        let streamed: Streamed<Lease> = self.read(answer.trim_ascii())?;
        match (streamed.result, streamed.error) {
            (Some(lease), None) => Ok(lease.ttl.0 > 0),
            (_, error) => {
                let why = error.map_or_else(String::new, |error| error.message);
                Err(self.strange(&format!("a lease isn't kept alive: {why}")))
            }
        }
    }

    fn revoke(&self, id: i64, deadline: Instant) -> Result<(), Failed> {
        let lease = LeaseId { id: Long(id) };
        match self.ask::<Ignored>("/v3/lease/revoke", &lease, deadline) {
            Err(Failed::Refused(NOT_FOUND, _)) => Ok(()),
            revoked => revoked.map(drop),
        }
    }

    /// Writes what isn't there as it should be.
    fn write(
        &self,
        server: &ServerAddress,
        offer: &Offer,
        lease: i64,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let lease = Long(lease);
        let index = Blob::of(&self.keys.server(server));
        let indexed = keys::value(offer.known_facts(), offer.names());
        let value = keys::value(offer.known_facts(), &[]);
        let mut puts = vec![Put {
            key: index.clone(),
            value: indexed.clone(),
            lease,
        }];
        let mut names = offer.names().to_vec();
        names.sort();
        names.dedup();
        puts.extend(names.iter().map(|name| Put {
            key: Blob::of(&self.keys.service_of(name.as_str(), server)),
            value: value.clone(),
            lease,
        }));
        let mut compare = vec![Compare::Value {
            key: index,
            value: indexed,
        }];
        compare.extend(puts.iter().map(|put| Compare::Lease {
            key: put.key.clone(),
            lease,
        }));
        let failure = puts.into_iter().map(|request_put| Op { request_put });
        let txn = Txn {
            compare,
            failure: failure.collect(),
        };
        self.ask::<Ignored>("/v3/kv/txn", &txn, deadline).map(drop)
    }

    /// Whether a new server has room, where that is bounded.
    fn has_room(&self, host: &str, names: usize, deadline: Instant) -> Result<bool, Failed> {
        let Some(max) = self.max_entries else {
            return Ok(true);
        };
        for (front, max) in [
            (self.keys.servers_on(host), max.div_ceil(2)),
            (self.keys.servers(), max),
        ] {
            let range = Range {
                key: Blob::of(&front),
                range_end: Some(end_of(&front)),
                count_only: true,
                ..Range::default()
            };
            let ranged: Ranged = self.ask("/v3/kv/range", &range, deadline)?;
            let servers = usize::try_from(ranged.count.0).unwrap_or(0);
            if servers.saturating_add(1).saturating_mul(names) > max {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn address(&self, port: u16, deadline: Instant) -> Result<ServerAddress, Failed> {
        let ip = match self.advertised {
            Some(ip) => ip,
            None => self.rpc.local_ip(deadline)?,
        };
        Ok(ServerAddress::new(ip.to_string(), port))
    }

    fn kept(&self, server: &ServerAddress) -> Option<Kept> {
        let leases = self.leases.as_ref()?;
        let leases = leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.get(server).cloned()
    }

    fn keep(&self, server: ServerAddress, kept: Option<Kept>) {
        let Some(leases) = &self.leases else { return };
        let mut leases = leases.lock().unwrap_or_else(PoisonError::into_inner);
        match kept {
            Some(kept) => drop(leases.insert(server, kept)),
            None => drop(leases.remove(&server)),
        }
    }

    /// The lease on which the server's entries hang, if it is still alive; of its renewals, only
    /// some look at the entries.
    fn renew(
        &self,
        server: &ServerAddress,
        offer: &Offer,
        deadline: Instant,
    ) -> Result<Option<Kept>, Failed> {
        if let Some(kept) = self.kept(server) {
            if self.keep_alive(kept.id, deadline)? {
                let renewed = (kept.renewed + 1) % LOOK_EVERY;
                return Ok(Some(Kept { renewed, ..kept }));
            }
            debug!("{server}: its lease is over");
            return Ok(None);
        }
        let Some(found) = self.find(server, deadline)? else {
            return Ok(None);
        };
        // A server of that address which has been killed, or who has registered it elsewhere.
        let before = keys::names(&found.value.0).unwrap_or_default();
        if before.iter().any(|name| !offer.names().contains(name)) {
            self.revoke(found.lease.0, deadline)?;
            return Ok(None);
        }
        let alive = self.keep_alive(found.lease.0, deadline)?;
        Ok(alive.then_some(Kept {
            id: found.lease.0,
            renewed: 0,
        }))
    }

    fn hold(&self, offer: &Offer) -> Result<Duration, Failed> {
        let deadline = self.deadline();
        let server = self.address(offer.port(), deadline)?;
        let kept = match self.renew(&server, offer, deadline)? {
            Some(kept) => kept,
            None => {
                self.keep(server.clone(), None);
                if !self.has_room(&server.host, offer.names().len(), deadline)? {
                    let error = RegistryError::Full {
                        registry: self.label.to_string(),
                        host: server.host,
                    };
                    return Err(Failed::Refused(0, error));
                }
                let ttl = Long(self.lease.as_secs().try_into().unwrap_or(i64::MAX));
                let lease: Lease = self.ask("/v3/lease/grant", &Grant { ttl }, deadline)?;
                if lease.id.0 == 0 {
                    return Err(self.strange("a lease without an id"));
                }
                Kept {
                    id: lease.id.0,
                    renewed: 0,
                }
            }
        };
        if kept.renewed == 0 {
            match self.write(&server, offer, kept.id, deadline) {
                // The lease has ended since.
                Err(Failed::Refused(NOT_FOUND, error)) => {
                    self.keep(server, None);
                    return Err(Failed::Refused(NOT_FOUND, error));
                }
                Err(failed) => {
                    // Whether it is written is to be asked next time.
                    let renewed = LOOK_EVERY - 1;
                    self.keep(server, Some(Kept { renewed, ..kept }));
                    return Err(failed);
                }
                Ok(()) => {}
            }
        }
        self.keep(server, Some(kept));
        Ok(self.lease / 3)
    }

    fn release(&self, port: u16) -> Result<(), Failed> {
        let deadline = self.deadline();
        let server = self.address(port, deadline)?;
        let id = match self.kept(&server) {
            Some(kept) => Some(kept.id),
            None => self.find(&server, deadline)?.map(|pair| pair.lease.0),
        };
        if let Some(id) = id {
            self.revoke(id, deadline)?;
        }
        self.keep(server, None);
        Ok(())
    }
}

impl Directory for EtcdDirectory {
    fn discover(&self, name: &str) -> Result<Vec<ServerEntry>, RegistryError> {
        let name = service_name(name)?;
        let front = self.keys.service(name.as_str());
        let mut servers = Vec::new();
        self.each_pair(&front, self.deadline(), |pair| {
            let entry = self.entry(&front, &pair);
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
        self.each_pair(&front, deadline, |pair| match keys::names(&pair.value.0) {
            Ok(_) if names.len() >= MAX_NAMES_LISTED => {}
            Ok(of_server) => names.extend(of_server),
            Err(problem) => self.left_out(&pair.key, problem),
        })?;
        let names = names.iter().map(|name| name.as_str().to_owned());
        Ok(names.collect())
    }

    /// To be said again after a third of the lease. What the server says of itself is looked at each
    /// sixth time.
    fn register(&self, offer: &Offer) -> Result<Duration, RegistryError> {
        Ok(self.hold(offer)?)
    }

    /// Revokes the lease: all entries of the server go with it.
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
/// Of the renewals of a lease, one in so many looks at the entries, too: those that somebody has
/// removed, and what the server says of itself.
const LOOK_EVERY: u32 = 6;

#[cfg(test)]
mod tests;
