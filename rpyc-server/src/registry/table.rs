//! What a registry knows: which services are where, since when. Pure: the time is a parameter.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rpyc_registry::message::ServiceName;

/// Where a server is.
pub(super) type Address = (String, u16);

/// The servers of each service.
#[derive(Debug)]
pub(super) struct Table {
    services: HashMap<ServiceName, HashMap<Address, Instant>>,
    /// Entries of each host, for its bound.
    hosts: HashMap<String, usize>,
    limits: Limits,
}

/// How much a table keeps.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// How long an entry lives that isn't repeated.
    pub(super) lifetime: Duration,
    /// Entries of all services: names times servers.
    pub(super) entries: usize,
    /// Entries of one host.
    pub(super) entries_of_host: usize,
}

/// Why something isn't registered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("the registry is full")]
    Registry,
    #[error("the registry holds no more services of this host")]
    Host,
}

impl Table {
    pub(super) fn new(limits: Limits) -> Table {
        Table {
            services: HashMap::new(),
            hosts: HashMap::new(),
            limits,
        }
    }

    /// Adds the server to each service, or lets it live on there. Gives the services that it is
    /// new to. When it doesn't fit, nothing is changed.
    pub(super) fn register(
        &mut self,
        names: &[ServiceName],
        server: &Address,
        now: Instant,
    ) -> Result<Vec<ServiceName>, Full> {
        let has = |name: &&ServiceName| {
            let servers = self.services.get(*name);
            servers.is_some_and(|servers| servers.contains_key(server))
        };
        let mut new: Vec<ServiceName> = names.iter().filter(|name| !has(name)).cloned().collect();
        new.sort();
        new.dedup();
        let of_host = self.hosts.get(&server.0).copied().unwrap_or(0);
        if !new.is_empty() && of_host + new.len() > self.limits.entries_of_host {
            return Err(Full::Host);
        }
        if !new.is_empty() && self.len() + new.len() > self.limits.entries {
            return Err(Full::Registry);
        }
        if !new.is_empty() {
            *self.hosts.entry(server.0.clone()).or_default() += new.len();
        }
        for name in names {
            let servers = self.services.entry(name.clone()).or_default();
            servers.insert(server.clone(), now);
        }
        Ok(new)
    }

    /// Removes the server from all services. Gives those that it was in.
    pub(super) fn unregister(&mut self, server: &Address) -> Vec<ServiceName> {
        if !self.hosts.contains_key(&server.0) {
            // Forged senders shouldn't have everything looked at.
            return Vec::new();
        }
        let removed = self.remove(|address, _| address == server);
        removed.into_iter().map(|(name, _)| name).collect()
    }

    /// Removes what hasn't been repeated in time.
    pub(super) fn prune(&mut self, now: Instant) -> Vec<(ServiceName, Address)> {
        let lifetime = self.limits.lifetime;
        self.remove(|_, since| !is_alive(since, lifetime, now))
    }

    /// The servers of a service, those that registered longest ago first.
    pub(super) fn query(&self, name: &ServiceName, now: Instant) -> Vec<&Address> {
        let lifetime = self.limits.lifetime;
        let servers = self.services.get(name).into_iter().flatten();
        let mut alive: Vec<_> = servers
            .filter(|&(_, &since)| is_alive(since, lifetime, now))
            .collect();
        alive.sort_by_key(|&(address, &since)| (since, address));
        alive.into_iter().map(|(address, _)| address).collect()
    }

    /// The services, or those with a server on this host, by name.
    pub(super) fn list(&self, host: Option<&str>, now: Instant) -> Vec<&ServiceName> {
        let lifetime = self.limits.lifetime;
        let has_server = |servers: &HashMap<Address, Instant>| {
            servers.iter().any(|(address, &since)| {
                is_alive(since, lifetime, now) && host.is_none_or(|host| host == address.0)
            })
        };
        let named = self
            .services
            .iter()
            .filter(|(_, servers)| has_server(servers));
        let mut names: Vec<_> = named.map(|(name, _)| name).collect();
        names.sort();
        names
    }

    /// Entries: names times servers.
    pub(super) fn len(&self) -> usize {
        self.hosts.values().sum()
    }

    fn remove(
        &mut self,
        mut is_over: impl FnMut(&Address, Instant) -> bool,
    ) -> Vec<(ServiceName, Address)> {
        let mut removed = Vec::new();
        self.services.retain(|name, servers| {
            servers.retain(|address, since| {
                let over = is_over(address, *since);
                if over {
                    removed.push((name.clone(), address.clone()));
                }
                !over
            });
            !servers.is_empty()
        });
        for (_, (host, _)) in &removed {
            if let Some(count) = self.hosts.get_mut(host) {
                *count -= 1;
                if *count == 0 {
                    self.hosts.remove(host);
                }
            }
        }
        removed
    }
}

fn is_alive(since: Instant, lifetime: Duration, now: Instant) -> bool {
    now.saturating_duration_since(since) <= lifetime
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServiceName {
        ServiceName::new(text).expect("a good name")
    }

    fn server(host: &str, port: u16) -> Address {
        (host.to_owned(), port)
    }

    fn table(entries: usize, entries_of_host: usize) -> Table {
        Table::new(Limits {
            lifetime: Duration::from_secs(240),
            entries,
            entries_of_host,
        })
    }

    fn seconds(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_query_gives_the_oldest_first_and_nothing_that_was_not_repeated_in_time() {
        let (mut table, start) = (table(10, 10), Instant::now());
        let names = [name("files"), name("prints")];
        let (first, second) = (server("10.0.0.1", 1), server("10.0.0.2", 1));
        table.register(&names, &first, start).expect("room");
        let later = seconds(start, 100);
        let new = table.register(&names[..1], &second, later).expect("room");
        assert_eq!(new, [name("FILES")]);
        assert_eq!(table.query(&names[0], later), [&first, &second]);
        // What is repeated isn't the oldest any more, and isn't new.
        let new = table
            .register(&names, &first, seconds(start, 200))
            .expect("room");
        assert_eq!(new, []);
        assert_eq!(table.query(&names[0], later), [&second, &first]);
        assert_eq!(
            table.query(&names[0], seconds(start, 340)),
            [&second, &first]
        );
        assert_eq!(table.query(&names[0], seconds(start, 341)), [&first]);
        assert_eq!(table.query(&name("nothing"), start), Vec::<&Address>::new());
    }

    #[test]
    fn a_list_has_the_services_with_a_live_server_or_one_on_a_host() {
        let (mut table, start) = (table(10, 10), Instant::now());
        table
            .register(&[name("b")], &server("10.0.0.1", 1), start)
            .expect("room");
        table
            .register(&[name("a")], &server("10.0.0.2", 1), start)
            .expect("room");
        assert_eq!(table.list(None, start), [&name("a"), &name("b")]);
        assert_eq!(table.list(Some("10.0.0.2"), start), [&name("a")]);
        assert!(table.list(Some("10.0.0.3"), start).is_empty());
        assert!(table.list(None, seconds(start, 241)).is_empty());
    }

    #[test]
    fn unregistering_and_pruning_make_room() {
        let (mut table, start) = (table(3, 3), Instant::now());
        let (one, two) = (server("10.0.0.1", 1), server("10.0.0.2", 2));
        let names = [name("a"), name("b"), name("c")];
        table.register(&names[..2], &one, start).expect("room");
        table
            .register(&names[..1], &two, seconds(start, 1))
            .expect("room");
        let refused = table.register(&names[1..2], &two, start);
        assert_eq!(refused, Err(Full::Registry));
        let mut gone = table.unregister(&one);
        gone.sort();
        assert_eq!((gone, table.len()), (names[..2].to_vec(), 1));
        assert!(table.unregister(&one).is_empty());
        assert!(table.prune(seconds(start, 241)).is_empty());
        assert_eq!(table.prune(seconds(start, 242)), [(name("a"), two)]);
        assert_eq!(table.len(), 0);
        assert!(table.hosts.is_empty() && table.services.is_empty());
    }

    #[test]
    fn one_host_cant_take_all_the_room_and_what_it_has_stays() {
        let (mut table, start) = (table(10, 2), Instant::now());
        let greedy = server("10.0.0.1", 1);
        let names = [name("a"), name("b"), name("c")];
        assert_eq!(table.register(&names, &greedy, start), Err(Full::Host));
        assert_eq!(table.len(), 0);
        table.register(&names[..2], &greedy, start).expect("room");
        assert_eq!(table.register(&names[2..], &greedy, start), Err(Full::Host));
        table
            .register(&names[..2], &greedy, start)
            .expect("repeated");
        table
            .register(&names, &server("::1", 1), start)
            .expect_err("three at once");
        table
            .register(&names[..1], &server("::1", 1), start)
            .expect("another host");
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn a_name_given_twice_counts_once() {
        let (mut table, start) = (table(10, 10), Instant::now());
        let names = [name("a"), name("A")];
        let new = table
            .register(&names, &server("h", 1), start)
            .expect("room");
        assert_eq!((new.len(), table.len()), (1, 1));
    }
}
