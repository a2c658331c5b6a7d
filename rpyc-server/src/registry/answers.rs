//! From a datagram to its answer: who may ask, what is known, what is said.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use log::{debug, info, warn};
use rpyc_core::registry::ServerAddress;
use rpyc_core::registry::message::{
    Command, MAX_DATAGRAM, MAX_LISTING, ServiceName, encode_done, encode_names, encode_no_listing,
    encode_refusal, encode_servers,
};

use super::Transport;
use super::table::{Address, Limits, Table};
use crate::rate::Rate;

/// The options that answers depend on.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// Networks that may ask; empty lets all.
    pub(super) allow: Vec<IpNet>,
    /// Whether a server may register another address than the one that it asks from.
    pub(super) foreign_hosts: bool,
    pub(super) lifetime: Duration,
    pub(super) listing: bool,
    pub(super) max_entries: usize,
    pub(super) rate: u32,
}

/// A registry without its socket.
#[derive(Debug)]
pub(super) struct Answers {
    table: Table,
    rate: Rate,
    options: Options,
    next_prune: Instant,
    unheard: Unheard,
}

impl Answers {
    pub(super) fn new(options: Options, now: Instant) -> Answers {
        let limits = Limits {
            lifetime: options.lifetime,
            entries: options.max_entries,
            entries_of_host: options.max_entries.div_ceil(2),
        };
        Answers {
            table: Table::new(limits),
            rate: Rate::new(options.rate, options.rate.saturating_mul(BURST)),
            options,
            next_prune: now,
            unheard: Unheard::default(),
        }
    }

    /// Whether this source is heard at all.
    pub(super) fn hears(&mut self, source: IpAddr, now: Instant) -> bool {
        let source = source.to_canonical();
        let allow = &self.options.allow;
        if !allow.is_empty() && !allow.iter().any(|network| network.contains(&source)) {
            self.unheard.count(source, "not in an allowed network", now);
            return false;
        }
        if !self.rate.allows(source, now) {
            self.unheard.count(source, "more than its share", now);
            return false;
        }
        true
    }

    /// The answer to these bytes; none to what is no command.
    pub(super) fn answer(
        &mut self,
        bytes: &[u8],
        source: IpAddr,
        transport: Transport,
        now: Instant,
    ) -> Option<Vec<u8>> {
        let source = source.to_canonical();
        self.prune(now);
        let answer = match Command::decode(bytes) {
            Ok(command) => Some(self.obey(command, source, transport, now)),
            Err(error) => {
                self.unheard.count(source, &error.to_string(), now);
                None
            }
        };
        // An answer costs what it weighs: over UDP it goes to whoever the question's source says,
        // which may be the victim of somebody else.
        let weight = answer
            .as_ref()
            .map_or(0.0, |answer| answer.len() as f64 / BYTES);
        self.rate.take(source, weight, now);
        answer
    }

    /// Forgets who hasn't been heard of; at most once a second, because it looks at everything.
    pub(super) fn prune(&mut self, now: Instant) {
        if now < self.next_prune {
            return;
        }
        self.next_prune = now + Duration::from_secs(1);
        for (name, (host, port)) in self.table.prune(now) {
            let server = ServerAddress::new(host, port);
            info!(
                "{server} is no more offering {name}: silent for {:?}",
                self.options.lifetime
            );
        }
    }

    fn obey(
        &mut self,
        command: Command,
        source: IpAddr,
        transport: Transport,
        now: Instant,
    ) -> Vec<u8> {
        match command {
            Command::Query { name } => {
                let servers = self.table.query(&name, now);
                debug!("{source} asks for {name}: {} servers", servers.len());
                let servers = servers
                    .into_iter()
                    .map(|(host, port)| (host.as_str(), *port));
                encode_servers(servers, MAX_DATAGRAM)
            }
            Command::List { host } => self.list(host.as_deref(), source, transport, now),
            Command::Register { names, port, host } => {
                self.register(&names, host, source, port, now)
            }
            Command::Unregister { port, host } => self.unregister(host, source, port),
            // Commands that this registry doesn't know yet.
            _ => encode_refusal("not supported"),
        }
    }

    fn list(
        &self,
        host: Option<&str>,
        source: IpAddr,
        transport: Transport,
        now: Instant,
    ) -> Vec<u8> {
        if !self.options.listing {
            debug!("{source} asks for a list: listing is off");
            return encode_no_listing();
        }
        let names = self.table.list(host, now);
        debug!("{source} asks for a list: {} services", names.len());
        let max = match transport {
            Transport::Tcp => MAX_DATAGRAM,
            Transport::Udp => MAX_LISTING,
        };
        encode_names(names.into_iter().map(ServiceName::as_str), max)
    }

    fn register(
        &mut self,
        names: &[ServiceName],
        host: Option<IpAddr>,
        source: IpAddr,
        port: u16,
        now: Instant,
    ) -> Vec<u8> {
        let server = match self.server(host, source, port) {
            Ok(server) => server,
            Err(refusal) => return refusal,
        };
        match self.table.register(names, &server, now) {
            Ok(new) => {
                let server = ServerAddress::new(server.0, port);
                if !new.is_empty() {
                    info!("{server} offers {}", listed(&new));
                }
                encode_done()
            }
            Err(full) => {
                self.unheard.count(source, &full.to_string(), now);
                encode_refusal(&full.to_string())
            }
        }
    }

    fn unregister(&mut self, host: Option<IpAddr>, source: IpAddr, port: u16) -> Vec<u8> {
        let server = match self.server(host, source, port) {
            Ok(server) => server,
            Err(refusal) => return refusal,
        };
        let mut names = self.table.unregister(&server);
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        if !names.is_empty() {
            let server = ServerAddress::new(&*server.0, port);
            info!(
                "{server} is no more offering {}: unregistered",
                listed(&names)
            );
        }
        encode_done()
    }

    /// The server that registers: where it asks from, or where it says that it is.
    fn server(&self, host: Option<IpAddr>, source: IpAddr, port: u16) -> Result<Address, Vec<u8>> {
        match host {
            Some(host) if host != source && !self.options.foreign_hosts => {
                debug!("{source} would be {host}, which isn't allowed");
                Err(encode_refusal(FOREIGN))
            }
            host => Ok((host.unwrap_or(source).to_string(), port)),
        }
    }
}

/// What wasn't heard: told once in a while, so that a flood of it doesn't fill the log.
#[derive(Debug, Default)]
struct Unheard {
    since_told: u64,
    next: Option<Instant>,
}

impl Unheard {
    fn count(&mut self, source: IpAddr, reason: &str, now: Instant) {
        if self.next.is_some_and(|next| now < next) {
            self.since_told += 1;
            return;
        }
        match self.since_told {
            0 => warn!("not heard: {source}: {reason}"),
            others => warn!("not heard: {source}: {reason}; and {others} others before"),
        }
        self.since_told = 0;
        self.next = Some(now + TELL);
    }
}

/// The first of some names, and how many there are beside them: one line a datagram, however many
/// names are in it.
fn listed(names: &[ServiceName]) -> String {
    let (shown, rest) = names.split_at(names.len().min(SHOWN));
    let shown: Vec<&str> = shown.iter().map(ServiceName::as_str).collect();
    match rest.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// How many names a log line shows.
const SHOWN: usize = 3;

/// What a server is told that wants to be somewhere else.
const FOREIGN: &str = "this registry registers servers where they ask from only";
/// Questions that a source may ask at once, in seconds of its rate.
const BURST: u32 = 10;
/// Bytes of answer that cost as much as a question.
const BYTES: f64 = 1_500.0;
const TELL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
