//! Servers' leases and entries: taken, kept, given back. A lease is held by one alone, who gives back
//! what is on it and nothing else.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::debug;
use parking_lot::Mutex;

use super::EtcdDirectory;
use super::gateway::Failed;
use super::keys::{self, end_of};
use super::messages::{
    ALREADY_THERE, Blob, Compare, Done, Grant, Ignored, Lease, LeaseQuestion, Long, NOT_FOUND, Op,
    Pair, Put, Range, Ranged, Streamed, Txn, encode,
};
use crate::directory::Offer;
use crate::error::RegistryError;
use crate::message::{MAX_NAMES, ServerAddress, ServiceName};

/// Who knows which lease a server has.
#[derive(Clone, Debug)]
pub(super) enum Holding {
    /// This process: the servers are its own.
    Own(Arc<Mutex<HashMap<ServerAddress, Held>>>),
    /// etcd: this is one of several copies of a registry, and the servers are others'.
    Copies {
        /// Names times servers that there may be.
        max_entries: usize,
        /// Leases on which nothing may be.
        unused: Arc<Mutex<Vec<i64>>>,
    },
}

/// The lease of an own server.
#[derive(Clone, Debug)]
pub(super) struct Held {
    id: i64,
    /// Whether etcd has said that it is there.
    is_granted: bool,
    /// How many times it has been renewed since the entries were looked at.
    renewed: u32,
    /// What the server's own entry says; `None` before anything is known to be written.
    written: Option<Blob>,
    /// The lease on which the entries were before, and when that is over, unless somebody renews it.
    rival: Option<(i64, Instant)>,
}

impl Held {
    /// The next renewal looks at the entries.
    fn looks_next(&mut self) {
        self.renewed = LOOK_EVERY - 1;
    }
}

impl Holding {
    pub(super) fn own() -> Holding {
        Holding::Own(Arc::default())
    }

    pub(super) fn copies(max_entries: usize) -> Holding {
        Holding::Copies {
            max_entries,
            unused: Arc::default(),
        }
    }
}

impl EtcdDirectory {
    /// Registers, or says once more that the server is there. Gives the time until that is to be said
    /// again.
    pub(super) fn hold(&self, offer: &Offer) -> Result<Duration, Failed> {
        let deadline = self.deadline();
        let server = self.address(offer.port(), deadline)?;
        match &self.holding {
            Holding::Own(leases) => self.hold_own(leases, server, offer, deadline),
            Holding::Copies {
                max_entries,
                unused,
            } => {
                let room = (*max_entries, &**unused);
                self.hold_for(room, &server, offer, deadline)?;
                self.give_back_unused(unused, deadline);
                Ok(self.lease / 3)
            }
        }
    }

    /// Gives the server's lease back, within a time of its own: it may be the end of the process.
    pub(super) fn release(&self, port: u16) -> Result<(), Failed> {
        let deadline = Instant::now() + self.timeout.min(LONGEST_END);
        match &self.holding {
            Holding::Own(leases) => {
                if leases.lock().is_empty() {
                    return Ok(());
                }
                let server = self.address(port, deadline)?;
                let held = leases.lock().remove(&server);
                match held.filter(|held| held.is_granted) {
                    Some(held) => self.revoke(held.id, deadline),
                    None => Ok(()),
                }
            }
            Holding::Copies { .. } => {
                let server = self.address(port, deadline)?;
                match self.find(&server, deadline)? {
                    Some(pair) if keys::is_registrys(&pair.value.0) => {
                        self.revoke(pair.lease.0, deadline)
                    }
                    // Those that are in etcd by themselves leave it by themselves.
                    _ => Ok(()),
                }
            }
        }
    }

    fn address(&self, port: u16, deadline: Instant) -> Result<ServerAddress, Failed> {
        let ip = match self.advertised {
            Some(ip) => ip,
            None => self.rpc.local_ip(deadline)?,
        };
        Ok(ServerAddress::new(ip.to_string(), port))
    }

    fn hold_own(
        &self,
        leases: &Mutex<HashMap<ServerAddress, Held>>,
        server: ServerAddress,
        offer: &Offer,
        deadline: Instant,
    ) -> Result<Duration, Failed> {
        let known = leases.lock().get(&server).cloned();
        let keep = |held: &Held| drop(leases.lock().insert(server.clone(), held.clone()));
        let alive = match known {
            Some(held) if gives_up(held.written.as_ref(), offer) => {
                self.revoke(held.id, deadline)?;
                None
            }
            Some(held) => self.keep_alive(held.id, deadline)?.then_some(held),
            None => None,
        };
        let mut pause = self.lease / 3;
        let mut held = match alive {
            Some(held) => Held {
                is_granted: true,
                renewed: (held.renewed + 1) % LOOK_EVERY,
                ..held
            },
            None => {
                let mut held = Held {
                    id: new_id(),
                    is_granted: false,
                    renewed: 0,
                    written: None,
                    rival: None,
                };
                // Before it is asked for: the answer may get lost.
                keep(&held);
                self.grant(held.id, deadline)?;
                held.is_granted = true;
                keep(&held);
                // Servers that have begun together don't stay together.
                pause = pause.mul_f64(chance());
                held
            }
        };
        if held.renewed == 0 {
            match self.write(&server, offer, &mut held, deadline) {
                Err(Failed::Refused(NOT_FOUND, error)) => {
                    // The lease has ended since.
                    leases.lock().remove(&server);
                    return Err(Failed::Refused(NOT_FOUND, error));
                }
                Err(failed) => {
                    // Whether it is written is to be asked next time.
                    held.looks_next();
                    keep(&held);
                    return Err(failed);
                }
                Ok(()) => {}
            }
        }
        if let Some((id, over)) = held.rival
            && Instant::now() >= over
            && let Ok(state) = self.lease_state(id, false, deadline)
        {
            held.rival = None;
            if state.ttl.0 > 0 {
                self.tell_of_rival(&server);
            }
        }
        keep(&held);
        Ok(pause)
    }

    /// Writes what isn't there as it should be; but nothing while another server's entry is there
    /// that has come later.
    fn write(
        &self,
        server: &ServerAddress,
        offer: &Offer,
        held: &mut Held,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let puts = self.puts(server, offer, held.id, false);
        let value = puts.first().map(|index| index.value.clone());
        let look = Op::RequestRange(self.index(server));
        if held.written.is_some() {
            let is_same = held.written == value;
            let compared = if is_same { &puts[..] } else { &puts[..1] };
            let success = if is_same { &[][..] } else { &puts[..] };
            let txn = Txn {
                compare: compared.iter().map(Compare::lease_of).collect(),
                success: success.iter().cloned().map(Op::RequestPut).collect(),
                failure: vec![look.clone()],
            };
            let done: Done = self.ask("/v3/kv/txn", &txn, deadline)?;
            if done.succeeded {
                held.written = value;
                return Ok(());
            }
            if done.first().is_some_and(|pair| pair.is_of_another(held.id)) {
                self.tell_of_rival(server);
                // Once the other has gone, clients are to find this one again.
                held.looks_next();
                return Ok(());
            }
        }
        let mut success = vec![look];
        success.extend(puts.into_iter().map(Op::RequestPut));
        let txn = Txn {
            compare: Vec::new(),
            success,
            failure: Vec::new(),
        };
        let done: Done = self.ask("/v3/kv/txn", &txn, deadline)?;
        held.written = value;
        if let Some(before) = done.first().filter(|pair| pair.is_of_another(held.id)) {
            // A server of that address which has been killed is known until its lease ends.
            let state = self.lease_state(before.lease.0, false, deadline);
            let left = state.map_or(0, |state| u64::try_from(state.ttl.0).unwrap_or(0));
            let left = Duration::from_secs(left).min(LONGEST_RIVAL) + RIVALS_GRACE;
            held.rival = Some((before.lease.0, Instant::now() + left));
        }
        Ok(())
    }

    fn tell_of_rival(&self, server: &ServerAddress) {
        self.tell(&format!(
            "another server is at {server}, too, and clients find one of the two: each needs an \
             address, or a port, of its own"
        ));
    }

    /// Registers a server that isn't this process's.
    fn hold_for(
        &self,
        (max_entries, unused): (usize, &Mutex<Vec<i64>>),
        server: &ServerAddress,
        offer: &Offer,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let names = offer.names();
        let found = self.find(server, deadline)?;
        // What is in etcd by itself has a lease of its own.
        let found = found.filter(|pair| keys::is_registrys(&pair.value.0));
        if let Some(pair) = found {
            if gives_up(Some(&pair.value), offer) {
                self.revoke(pair.lease.0, deadline)?;
            } else if self.keep_alive(pair.lease.0, deadline)? {
                let before = keys::names(&pair.value.0).unwrap_or_default();
                let added = names.iter().filter(|name| !before.contains(name)).count();
                self.need_room(max_entries, server, added, deadline)?;
                return self.write_for(server, offer, pair.lease.0, deadline);
            }
        }
        self.need_room(max_entries, server, names.len(), deadline)?;
        let id = new_id();
        let written = self
            .grant(id, deadline)
            .and_then(|()| self.write_for(server, offer, id, deadline));
        if written.is_err() {
            let mut unused = unused.lock();
            if unused.len() < MOST_UNUSED {
                unused.push(id);
            }
        }
        written
    }

    /// Writes what isn't there as it should be.
    fn write_for(
        &self,
        server: &ServerAddress,
        offer: &Offer,
        lease: i64,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let puts = self.puts(server, offer, lease, true);
        let mut compare: Vec<Compare> = puts.iter().map(Compare::lease_of).collect();
        compare.extend(puts.first().map(Compare::value_of));
        let txn = Txn {
            compare,
            success: Vec::new(),
            failure: puts.into_iter().map(Op::RequestPut).collect(),
        };
        self.ask::<Ignored>("/v3/kv/txn", &txn, deadline).map(drop)
    }

    /// Gives back leases that were taken for what then couldn't be written. One on which something is
    /// has been written after all, and was only not heard of.
    fn give_back_unused(&self, unused: &Mutex<Vec<i64>>, deadline: Instant) {
        for _ in 0..UNUSED_AT_ONCE {
            let Some(id) = unused.lock().pop() else {
                return;
            };
            let state = self.lease_state(id, true, deadline);
            let given = state.and_then(|state| match state.ttl.0 > 0 && state.keys.0.is_empty() {
                true => self.revoke(id, deadline),
                false => Ok(()),
            });
            if let Err(failed) = given {
                debug!("a lease isn't given back: {}", RegistryError::from(failed));
                return unused.lock().push(id);
            }
        }
    }

    /// An error unless that many entries of this server's host have room.
    fn need_room(
        &self,
        max: usize,
        server: &ServerAddress,
        added: usize,
        deadline: Instant,
    ) -> Result<(), Failed> {
        if added == 0 {
            return Ok(());
        }
        let host = self.keys.servers_on(&server.host);
        let has_room = self.count(&self.keys.services(), deadline)? + added <= max
            && self.has_room_below(&host, max.div_ceil(2), added, deadline)?;
        match has_room {
            true => Ok(()),
            false => Err(Failed::Refused(
                0,
                RegistryError::Full {
                    registry: self.label.to_string(),
                    host: server.host.clone(),
                },
            )),
        }
    }

    /// Whether the servers there have so few names. They are counted only where their number alone
    /// doesn't say so.
    fn has_room_below(
        &self,
        front: &str,
        max: usize,
        added: usize,
        deadline: Instant,
    ) -> Result<bool, Failed> {
        let servers = self.count(front, deadline)?;
        let most = servers.saturating_mul(MAX_NAMES).saturating_add(added);
        if most <= max || servers + added > max {
            return Ok(most <= max);
        }
        let (mut seen, mut names) = (0_usize, 0_usize);
        self.each_pair(front, deadline, |pair, _| {
            seen += 1;
            names += keys::names(&pair.value.0).map_or(1, |names| names.len());
        })?;
        let unseen = servers.saturating_sub(seen).saturating_mul(MAX_NAMES);
        Ok(names.saturating_add(unseen).saturating_add(added) <= max)
    }

    fn count(&self, front: &str, deadline: Instant) -> Result<usize, Failed> {
        let range = Range {
            key: Blob::of(front),
            range_end: Some(end_of(front)),
            count_only: true,
            ..Range::default()
        };
        let ranged: Ranged = self.ask("/v3/kv/range", &range, deadline)?;
        Ok(usize::try_from(ranged.count.0).unwrap_or(0))
    }

    fn index(&self, server: &ServerAddress) -> Range {
        Range {
            key: Blob::of(&self.keys.server(server)),
            ..Range::default()
        }
    }

    /// The entry of a server that has a lease.
    fn find(&self, server: &ServerAddress, deadline: Instant) -> Result<Option<Pair>, Failed> {
        let ranged: Ranged = self.ask("/v3/kv/range", &self.index(server), deadline)?;
        let pair = ranged.kvs.0.into_iter().next();
        Ok(pair.filter(|pair| pair.lease.0 != 0))
    }

    /// All entries of a server: its own first, then those of its services.
    fn puts(
        &self,
        server: &ServerAddress,
        offer: &Offer,
        lease: i64,
        is_registrys: bool,
    ) -> Vec<Put> {
        let lease = Long(lease);
        let facts = offer.known_facts();
        let mut puts = vec![Put {
            key: Blob::of(&self.keys.server(server)),
            value: keys::value(facts, offer.names(), is_registrys),
            lease,
        }];
        let value = keys::value(facts, &[], false);
        let mut names = offer.names().to_vec();
        names.sort();
        names.dedup();
        puts.extend(names.iter().map(ServiceName::as_str).map(|name| Put {
            key: Blob::of(&self.keys.service_of(name, server)),
            value: value.clone(),
            lease,
        }));
        puts
    }

    fn grant(&self, id: i64, deadline: Instant) -> Result<(), Failed> {
        let grant = Grant {
            id: Long(id),
            ttl: Long(self.lease.as_secs().try_into().unwrap_or(i64::MAX)),
        };
        match self.ask::<Lease>("/v3/lease/grant", &grant, deadline) {
            Ok(lease) if lease.id.0 == id => Ok(()),
            Ok(_) => Err(self.strange("a lease with another id")),
            // Another member has been asked before, whose answer got lost.
            Err(Failed::Refused(ALREADY_THERE, _)) => Ok(()),
            Err(failed) => Err(failed),
        }
    }

    /// Whether a lease was still there to be kept alive.
    fn keep_alive(&self, id: i64, deadline: Instant) -> Result<bool, Failed> {
        let question = encode(&LeaseQuestion {
            id: Long(id),
            keys: false,
        });
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

    fn lease_state(&self, id: i64, keys: bool, deadline: Instant) -> Result<Lease, Failed> {
        let question = LeaseQuestion { id: Long(id), keys };
        self.ask("/v3/lease/timetolive", &question, deadline)
    }

    fn revoke(&self, id: i64, deadline: Instant) -> Result<(), Failed> {
        let lease = LeaseQuestion {
            id: Long(id),
            keys: false,
        };
        match self.ask::<Ignored>("/v3/lease/revoke", &lease, deadline) {
            Err(Failed::Refused(NOT_FOUND, _)) => Ok(()),
            revoked => revoked.map(drop),
        }
    }
}

/// Whether there is a name in the server's value that it has no more: its entry goes with the lease.
fn gives_up(written: Option<&Blob>, offer: &Offer) -> bool {
    let before = written.and_then(|value| keys::names(&value.0).ok());
    let before = before.unwrap_or_default();
    before.iter().any(|name| !offer.names().contains(name))
}

/// An id that nobody else has: known before etcd is asked, so that a lease whose answer gets lost
/// isn't.
fn new_id() -> i64 {
    i64::try_from(RandomState::new().hash_one(0_u8) >> 1).map_or(1, |id| id.max(1))
}

/// A number between 0 and 1.
fn chance() -> f64 {
    f64::from(RandomState::new().hash_one(0_u8) as u32) / f64::from(u32::MAX)
}

/// Of the renewals of a lease, one in so many looks at the entries, too: those that somebody has
/// removed, and what the server says of itself.
const LOOK_EVERY: u32 = 6;
/// How long giving a lease back may take.
const LONGEST_END: Duration = Duration::from_secs(2);
/// How long another server's lease is waited for, and what etcd may be late with its end.
const LONGEST_RIVAL: Duration = Duration::from_secs(24 * 3600);
const RIVALS_GRACE: Duration = Duration::from_secs(2);
/// Leases without entries that are remembered; those beyond end by themselves.
const MOST_UNUSED: usize = 1_000;
/// How many of them are given back with one registration.
const UNUSED_AT_ONCE: usize = 4;
