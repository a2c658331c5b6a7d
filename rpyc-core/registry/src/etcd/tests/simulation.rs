//! An etcd in memory whose clock is told what time it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

use super::super::gateway::Lines;
use super::super::messages::NOT_FOUND;
use super::super::*;

/// What is asked of it; each clone asks the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Etcd(Arc<Mutex<Store>>);

#[derive(Debug, Default)]
pub(super) struct Store {
    /// Milliseconds.
    pub(super) now: u64,
    pub(super) is_away: bool,
    /// What is asked there next is done, and its answer gets lost.
    pub(super) loses_answer: Option<&'static str>,
    /// What is asked there isn't done.
    pub(super) refuses: Option<&'static str>,
    /// Questions by their paths.
    pub(super) asked: HashMap<String, u64>,
    /// Changes that the members have to agree on.
    pub(super) written: u64,
    /// Messages to watches.
    pub(super) told: u64,
    revision: i64,
    pairs: BTreeMap<Vec<u8>, Stored>,
    leases: HashMap<i64, Held>,
    watches: Vec<(Vec<u8>, Vec<u8>, Vec<Value>)>,
}

#[derive(Debug)]
struct Stored {
    value: Vec<u8>,
    lease: i64,
    created: i64,
}

#[derive(Debug)]
struct Held {
    ttl: i64,
    ends: u64,
    keys: BTreeSet<Vec<u8>>,
}

impl Etcd {
    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock()
    }
}

impl Store {
    /// It is that late now: what has ended goes.
    pub(super) fn at(&mut self, now: u64) {
        self.now = now;
        let ended = self.leases.iter().filter(|(_, held)| held.ends <= now);
        let ended: Vec<i64> = ended.map(|(id, _)| *id).collect();
        ended.into_iter().for_each(|id| self.revoke(id));
    }

    /// Bytes of all keys and values.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |(key, stored): (&Vec<u8>, &Stored)| key.len() + stored.value.len();
        self.pairs.iter().map(bytes).sum()
    }

    /// Leases that there are.
    pub(super) fn leases(&self) -> usize {
        self.leases.len()
    }

    /// Names times servers.
    pub(super) fn entries(&self) -> usize {
        let services = self.pairs.keys();
        services
            .filter(|key| key.starts_with(b"/rpyc/services/"))
            .count()
    }

    fn revoke(&mut self, id: i64) {
        let Some(held) = self.leases.remove(&id) else {
            return;
        };
        self.written += 1;
        self.revision += 1;
        for key in held.keys {
            if self
                .pairs
                .get(&key)
                .is_some_and(|stored| stored.lease == id)
            {
                self.pairs.remove(&key);
                self.tell(&key, json!({"type": "DELETE", "kv": {"key": coded(&key)}}));
            }
        }
    }

    fn tell(&mut self, key: &[u8], event: Value) {
        for (begin, end, events) in &mut self.watches {
            if key >= &begin[..] && key < &end[..] {
                self.told += 1;
                events.push(event.clone());
            }
        }
    }

    fn range(&self, question: &Value) -> Value {
        let begin = decoded(&question["key"]);
        let mut end = decoded(&question["range_end"]);
        if end.is_empty() {
            end = [&begin[..], &[0]].concat();
        }
        let limit: usize = question["limit"]
            .as_str()
            .unwrap_or("0")
            .parse()
            .expect("a limit");
        let limit = if limit == 0 { usize::MAX } else { limit };
        let count = self.pairs.range(begin.clone()..end.clone()).count();
        if question["count_only"] == true {
            return json!({"count": count.to_string()});
        }
        let pairs = self
            .pairs
            .range(begin..end)
            .take(limit)
            .map(|(key, stored)| {
                let value = if question["keys_only"] == true {
                    ""
                } else {
                    &coded(&stored.value)
                };
                json!({"key": coded(key), "value": value, "lease": stored.lease.to_string(),
                   "create_revision": stored.created.to_string()})
            });
        json!({"header": {"revision": self.revision.to_string()}, "kvs": pairs.collect::<Vec<_>>(),
               "more": count > limit, "count": count.to_string()})
    }

    fn txn(&mut self, question: &Value) -> Result<Value, i64> {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let is_so = |compare: &Value| {
            let stored = self.pairs.get(&decoded(&compare["key"]));
            stored.is_some_and(|stored| match compare["target"].as_str() {
                Some("LEASE") => compare["lease"].as_str() == Some(&*stored.lease.to_string()),
                _ => decoded(&compare["value"]) == stored.value,
            })
        };
        let compare = list(&question["compare"]);
        let is_so = compare.iter().all(is_so);
        let done = list(&question[if is_so { "success" } else { "failure" }]);
        let looks = done.iter().filter_map(|op| op.get("request_range"));
        let looks = looks.map(|look| json!({"response_range": self.range(look)}));
        let responses: Vec<Value> = looks.collect();
        let puts: Vec<&Value> = done.iter().filter_map(|op| op.get("request_put")).collect();
        // etcd's own limits.
        assert!(compare.len() <= 128 && done.len() <= 128);
        if !puts.is_empty() {
            self.written += 1;
            self.revision += 1;
        }
        for put in puts {
            let (key, value) = (decoded(&put["key"]), decoded(&put["value"]));
            let lease = put["lease"]
                .as_str()
                .expect("a lease")
                .parse()
                .expect("a number");
            let held = self.leases.get_mut(&lease).ok_or(NOT_FOUND)?;
            held.keys.insert(key.clone());
            let created = self
                .pairs
                .get(&key)
                .map_or(self.revision, |stored| stored.created);
            let event = json!({"kv": {"key": coded(&key), "value": coded(&value),
                                      "create_revision": created.to_string()}});
            self.pairs.insert(
                key.clone(),
                Stored {
                    value,
                    lease,
                    created,
                },
            );
            self.tell(&key, event);
        }
        Ok(json!({"succeeded": is_so, "responses": responses}))
    }

    fn obey(&mut self, path: &str, question: &Value) -> Result<Value, i64> {
        let id = || {
            question["ID"]
                .as_str()
                .expect("a lease")
                .parse()
                .expect("a number")
        };
        match path {
            "/v3/kv/range" => Ok(self.range(question)),
            "/v3/kv/txn" => self.txn(question),
            "/v3/lease/grant" => {
                let ttl: i64 = question["TTL"]
                    .as_str()
                    .expect("a time")
                    .parse()
                    .expect("a number");
                self.written += 1;
                let id = id();
                let ends = self.now + ttl.unsigned_abs() * 1_000;
                let held = Held {
                    ttl,
                    ends,
                    keys: BTreeSet::new(),
                };
                self.leases.insert(id, held);
                Ok(json!({"ID": id.to_string(), "TTL": ttl.to_string()}))
            }
            "/v3/lease/keepalive" => {
                let ttl = self.leases.get_mut(&id()).map_or(0, |held| {
                    held.ends = self.now + held.ttl.unsigned_abs() * 1_000;
                    held.ttl
                });
                Ok(json!({"result": {"ID": "1", "TTL": ttl.to_string()}}))
            }
            "/v3/lease/timetolive" => {
                let Some(held) = self.leases.get(&id()) else {
                    return Ok(json!({"ID": question["ID"], "TTL": "-1"}));
                };
                let left = held.ends.saturating_sub(self.now) / 1_000;
                let is_there =
                    |key: &&Vec<u8>| self.pairs.get(*key).is_some_and(|pair| pair.lease == id());
                let keys: Vec<String> = held
                    .keys
                    .iter()
                    .filter(is_there)
                    .map(|key| coded(key))
                    .collect();
                Ok(json!({"ID": question["ID"], "TTL": left.to_string(), "keys": keys}))
            }
            "/v3/lease/revoke" => {
                self.revoke(id());
                Ok(json!({}))
            }
            other => panic!("nobody asks for {other}"),
        }
    }
}

impl Rpc for Etcd {
    fn post(&self, path: &str, body: &[u8], _: Instant) -> Result<Vec<u8>, Failed> {
        let mut store = self.lock();
        let away = || {
            Err(Failed::Away(RegistryError::NoServer {
                name: "etcd".to_owned(),
            }))
        };
        if store.is_away || store.refuses == Some(path) {
            return away();
        }
        *store.asked.entry(path.to_owned()).or_default() += 1;
        let question = serde_json::from_slice(body).expect("JSON");
        let obeyed = store.obey(path, &question);
        if store.loses_answer == Some(path) {
            store.loses_answer = None;
            return away();
        }
        match obeyed {
            Ok(answer) => Ok(answer.to_string().into_bytes()),
            Err(code) => Err(Failed::Refused(
                code,
                RegistryError::NoServer {
                    name: "lease".to_owned(),
                },
            )),
        }
    }

    fn stream(&self, _: &str, body: &[u8], _: Instant) -> Result<Box<dyn Lines>, Failed> {
        let question: Value = serde_json::from_slice(body).expect("JSON");
        let question = &question["create_request"];
        let (begin, end) = (decoded(&question["key"]), decoded(&question["range_end"]));
        let mut store = self.lock();
        store.watches.push((begin, end, Vec::new()));
        Ok(Box::new(Events(self.clone(), store.watches.len() - 1)))
    }

    fn local_ip(&self, _: Instant) -> Result<IpAddr, Failed> {
        Ok(Ipv4Addr::LOCALHOST.into())
    }
}

#[derive(Debug)]
struct Events(Etcd, usize);

impl Lines for Events {
    fn next(&mut self, _: Instant) -> Result<Option<Vec<u8>>, Failed> {
        let mut store = self.0.lock();
        let events = std::mem::take(&mut store.watches[self.1].2);
        let line = json!({"result": {"events": events}});
        Ok((!events.is_empty()).then(|| line.to_string().into_bytes()))
    }
}

fn coded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD
        .decode(value.as_str().unwrap_or_default())
        .expect("base64")
}
