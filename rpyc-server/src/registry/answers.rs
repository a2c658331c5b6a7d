//! From a datagram to its answer: who may ask, what is known, what is said.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use log::{Level, debug};
use rpyc_registry::ServerAddress;
use rpyc_registry::message::{
    Command, MAX_DATAGRAM, MAX_LISTING, ServiceName, encode_done, encode_names, encode_no_listing,
    encode_refusal, encode_servers,
};

use super::listening::Transport;
use super::store::{Outcome, Question, Said, Store, TOO_MANY};
use super::table::{Address, Limits, Table};
use crate::log_limiter::{Kind, LimitedLog, Line, LineRate, Noted, bounded_line};
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
    /// Where it is all kept, if it isn't here.
    pub(super) store: Option<Store>,
}

/// What becomes of a datagram.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is answered, or isn't.
    Answered(Option<Vec<u8>>),
    /// The store has to be asked, and then [`Answers::told`].
    Asks(Question),
}

/// A registry without its socket.
#[derive(Debug)]
pub(super) struct Answers {
    table: Table,
    rate: Rate,
    options: Options,
    next_prune: Instant,
    log: LimitedLog,
    /// The store didn't answer last time.
    is_store_away: bool,
    /// Log lines that are to be written.
    lines: Vec<Line>,
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
            log: LimitedLog::new(LINES),
            is_store_away: false,
            lines: Vec::new(),
        }
    }

    /// Whether this source is heard at all.
    pub(super) fn hears(&mut self, source: IpAddr, now: Instant) -> bool {
        let source = source.to_canonical();
        let allow = &self.options.allow;
        if !allow.is_empty() && !allow.iter().any(|network| network.contains(&source)) {
            self.not_heard(source, "not in an allowed network", now);
            return false;
        }
        if !self.rate.allows(source, now) {
            self.not_heard(source, "more than its share", now);
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
    ) -> Taken {
        let source = source.to_canonical();
        self.prune(now);
        let answer = match Command::decode(bytes) {
            Ok(command) => match self.question(&command, source, transport) {
                Some(question) => return Taken::Asks(question),
                None => Some(self.obey(command, source, transport, now)),
            },
            Err(error) => {
                self.not_heard(source, &error.to_string(), now);
                None
            }
        };
        Taken::Answered(self.weighed(answer, source, now))
    }

    /// What the store has said: the answer to the question.
    pub(super) fn told(&mut self, outcome: Outcome, now: Instant) -> Option<Vec<u8>> {
        let was_away = self.is_store_away;
        let answer = match outcome.said {
            Said::Answer(answer) => {
                self.is_store_away = false;
                if was_away {
                    self.note(Kind::News, Level::Info, UNKNOWN, "the store is back", now);
                }
                Some(answer)
            }
            Said::Away(why) => {
                self.is_store_away = true;
                if !was_away {
                    self.lacks(&format!("no answers: the store is away: {why}"), now);
                }
                None
            }
            Said::NotAsked => {
                self.lacks(TOO_MANY, now);
                None
            }
        };
        if let Some(warning) = &outcome.warning {
            self.lacks(&format!("the store: {warning}"), now);
        }
        self.weighed(answer, outcome.source, now)
    }

    /// What the store has to be asked, if there is one.
    fn question(
        &self,
        command: &Command,
        source: IpAddr,
        transport: Transport,
    ) -> Option<Question> {
        let store = self.options.store.clone()?;
        let server = match command {
            Command::List { .. } if !self.options.listing => return None,
            Command::Register { host, .. } | Command::Unregister { host, .. } => {
                let host = host.unwrap_or(source);
                if host != source && !self.options.foreign_hosts {
                    return None;
                }
                host
            }
            _ => source,
        };
        Some(Question {
            store,
            command: command.clone(),
            source,
            server,
            max_listing: max_listing(transport),
        })
    }

    fn weighed(
        &mut self,
        answer: Option<Vec<u8>>,
        source: IpAddr,
        now: Instant,
    ) -> Option<Vec<u8>> {
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
        let due = self.log.due(now);
        self.lines.extend(due);
        for (name, (host, port)) in self.table.prune(now) {
            // What a server says of its host is an address.
            let source = host.parse().unwrap_or(UNKNOWN);
            let server = ServerAddress::new(host, port);
            let lifetime = self.options.lifetime;
            let name = shown(&name);
            let text = format!("{server} is no more offering {name}: silent for {lifetime:?}");
            self.tell(source, &text, now);
        }
    }

    /// Something is short: descriptors, memory, threads.
    pub(super) fn lacks(&mut self, text: &str, now: Instant) {
        self.note(Kind::Refusal, Level::Warn, UNKNOWN, text, now);
    }

    /// The log lines of what has happened, to be written once nothing waits for this.
    #[must_use]
    pub(super) fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// The last log lines.
    #[must_use]
    pub(super) fn last_lines(&mut self) -> Vec<Line> {
        let rest = self.log.rest();
        self.lines.extend(rest);
        self.take_lines()
    }

    fn not_heard(&mut self, source: IpAddr, reason: &str, now: Instant) {
        let text = format!("not heard: {source}: {reason}");
        self.note(Kind::Refusal, Level::Warn, source, &text, now);
    }

    fn tell(&mut self, source: IpAddr, text: &str, now: Instant) {
        self.note(Kind::News, Level::Info, source, text, now);
    }

    fn note(&mut self, kind: Kind, level: Level, source: IpAddr, text: &str, now: Instant) {
        if let Noted::Lines(lines) = self.log.note(kind, level, source, text, now) {
            self.lines.extend(lines);
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
                let name = shown(&name);
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
            Command::Unregister { port, host } => self.unregister(host, source, port, now),
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
        let names = names.into_iter().map(ServiceName::as_str);
        encode_names(names, max_listing(transport))
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
                    let text = format!("{server} offers {}", listed(&new));
                    self.tell(source, &text, now);
                }
                encode_done()
            }
            Err(full) => {
                self.not_heard(source, &full.to_string(), now);
                encode_refusal(&full.to_string())
            }
        }
    }

    fn unregister(
        &mut self,
        host: Option<IpAddr>,
        source: IpAddr,
        port: u16,
        now: Instant,
    ) -> Vec<u8> {
        let server = match self.server(host, source, port) {
            Ok(server) => server,
            Err(refusal) => return refusal,
        };
        let mut names = self.table.unregister(&server);
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        if !names.is_empty() {
            let server = ServerAddress::new(&*server.0, port);
            let names = listed(&names);
            let text = format!("{server} is no more offering {names}: unregistered");
            self.tell(source, &text, now);
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

/// Bytes of a list: what Python's clients read.
fn max_listing(transport: Transport) -> usize {
    match transport {
        Transport::Tcp => MAX_DATAGRAM,
        Transport::Udp => MAX_LISTING,
    }
}

/// The first of some names, and how many there are beside them: one line a datagram, however many
/// names are in it.
fn listed(names: &[ServiceName]) -> String {
    let (first, rest) = names.split_at(names.len().min(SHOWN));
    let first: Vec<String> = first.iter().map(shown).collect();
    match rest.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A name as a part of a line.
fn shown(name: &ServiceName) -> String {
    bounded_line(name.as_str(), SHOWN_OF_NAME)
}

/// How many names a log line shows.
const SHOWN: usize = 3;
/// Bytes of each.
const SHOWN_OF_NAME: usize = 100;

/// What a server is told that wants to be somewhere else.
const FOREIGN: &str = "this registry registers servers where they ask from only";
/// Questions that a source may ask at once, in seconds of its rate.
const BURST: u32 = 10;
/// Bytes of answer that cost as much as a question.
const BYTES: f64 = 1_500.0;
/// Log lines of one source: a server has one when it comes and one when it goes.
const LINES: LineRate = LineRate {
    per_second: 1,
    at_once: 10,
};
/// Whose lines those are that nobody in particular has caused.
const UNKNOWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
pub(super) mod tests;
