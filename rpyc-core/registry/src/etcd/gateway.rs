//! The cluster, as somebody asks it: whichever member answers, with a token where it wants one.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rpyc_core::transport::TlsClient;

use super::http::{Answer, Link, Trouble, left};
use super::messages::{Login, Refusal, Token, UNAUTHENTICATED, decode, encode};
use crate::error::RegistryError;
use crate::message::{AnswerError, ServerAddress};
use crate::resolve::Resolver;

/// What asks etcd: the real one, or one of a test's.
pub(super) trait Rpc: fmt::Debug + Send + Sync {
    /// Asks, within the time. Every question may be asked twice.
    fn post(&self, path: &str, body: &[u8], deadline: Instant) -> Result<Vec<u8>, Failed>;

    /// Asks for an answer that goes on, line by line.
    fn stream(&self, path: &str, body: &[u8], deadline: Instant) -> Result<Box<dyn Lines>, Failed>;

    /// The address of this machine that leads to etcd: to the first member that isn't on this machine
    /// itself, and the same as long as this machine has it, whichever members answer.
    fn local_ip(&self, deadline: Instant) -> Result<IpAddr, Failed>;
}

/// An answer that goes on.
pub(super) trait Lines: fmt::Debug + Send {
    /// The next line; `None` if none comes in time.
    fn next(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>, Failed>;
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// No member could be asked, or the last one that was said that it can't.
    Away(RegistryError),
    /// Longer than what is read.
    TooLong(RegistryError),
    /// etcd says no: gRPC's number for why.
    Refused(i64, RegistryError),
}

impl From<Failed> for RegistryError {
    fn from(failed: Failed) -> RegistryError {
        match failed {
            Failed::Away(error) | Failed::TooLong(error) | Failed::Refused(_, error) => error,
        }
    }
}

/// The members of a cluster.
pub(super) struct Gateway {
    endpoints: Vec<Endpoint>,
    tls: Option<TlsClient>,
    login: Option<(String, String)>,
    /// The one that answered last.
    current: AtomicUsize,
    token: Mutex<Option<String>>,
    /// Connections for the next questions, those used last behind.
    idle: Mutex<Vec<Idle>>,
    resolver: Resolver,
    /// What [`Rpc::local_ip`] has found.
    own_ip: Mutex<Option<IpAddr>>,
}

/// A connection to a member.
struct Idle {
    member: usize,
    link: Link,
    since: Instant,
}

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Gateway {
    pub(super) fn new(
        endpoints: Vec<Endpoint>,
        tls: Option<TlsClient>,
        login: Option<(String, String)>,
    ) -> Gateway {
        Gateway {
            endpoints,
            tls,
            login,
            current: AtomicUsize::new(0),
            token: Mutex::new(None),
            idle: Mutex::new(Vec::new()),
            resolver: Resolver::default(),
            own_ip: Mutex::new(None),
        }
    }

    /// Asks one member after the other, beginning with the one that answered last, each with its token
    /// and within its share of the time.
    fn try_each<T>(
        &self,
        deadline: Instant,
        ask: impl Fn(usize, Option<&str>, Instant) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let limit = deadline.saturating_duration_since(Instant::now());
        let first = self.current.load(Ordering::Relaxed);
        let count = self.endpoints.len();
        let mut last = self.late(limit);
        for tried in 0..count {
            let Ok(left) = left(deadline) else { break };
            let share = Instant::now() + left / u32::try_from(count - tried).unwrap_or(1);
            let member = (first + tried) % count;
            let ask = |token: Option<&str>| ask(member, token, share);
            match self.with_token(member, share, ask) {
                Err(failed @ Failed::Away(_)) => last = failed,
                settled => {
                    self.current.store(member, Ordering::Relaxed);
                    return settled;
                }
            }
        }
        Err(self.in_all(last, limit))
    }

    /// Asks a member; with a new token where it doesn't know the old one.
    fn with_token<T>(
        &self,
        member: usize,
        deadline: Instant,
        ask: impl Fn(Option<&str>) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let Some((name, password)) = &self.login else {
            return ask(None);
        };
        let known = self.token.lock().clone();
        if let Some(token) = &known {
            match ask(Some(token)) {
                Err(Failed::Refused(UNAUTHENTICATED, _)) => {}
                settled => return settled,
            }
        }
        // Somebody else may have got a new one meanwhile.
        let other = self.token.lock().clone();
        if let Some(token) = other.filter(|other| known.as_ref() != Some(other)) {
            return ask(Some(&token));
        }
        let login = encode(&Login { name, password });
        let answer = self.ask(member, "/v3/auth/authenticate", &login, None, deadline)?;
        let Token { token } = self.read(member, &answer)?;
        *self.token.lock() = Some(token.clone());
        ask(Some(&token))
    }

    fn ask(
        &self,
        member: usize,
        path: &str,
        body: &[u8],
        token: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failed> {
        let (bytes, link) = self
            .open(member, path, body, token, deadline)?
            .read_to_end(MAX_ANSWER, deadline)
            .map_err(|trouble| self.failed(member, trouble))?;
        if let Some(link) = link {
            self.keep(member, link);
        }
        Ok(bytes)
    }

    /// Asks; an answer that isn't "here it is" is a failure.
    fn open(
        &self,
        member: usize,
        path: &str,
        body: &[u8],
        token: Option<&str>,
        deadline: Instant,
    ) -> Result<Answer, Failed> {
        let failed = |trouble| self.failed(member, trouble);
        let url = format!("http://{}{path}", self.endpoints[member].label());
        // The member may have ended one that is idle: then a new one is asked.
        let reused = self
            .idle_to(member)
            .and_then(|link| link.post(&url, token, body, deadline).ok());
        let answer = match reused {
            Some(answer) => answer,
            None => self
                .connect(member, deadline)
                .and_then(|link| link.post(&url, token, body, deadline))
                .map_err(failed)?,
        };
        let status = answer.status();
        if status == 200 {
            return Ok(answer);
        }
        let (bytes, _) = answer.read_to_end(MAX_REFUSAL, deadline).map_err(failed)?;
        Err(self.refused(member, status, &bytes))
    }

    fn connect(&self, member: usize, deadline: Instant) -> Result<Link, Trouble> {
        let addresses = self.addresses(member, deadline)?;
        let host = &self.endpoints[member].host;
        Link::connect(host, &addresses, self.tls.as_ref(), deadline)
    }

    fn addresses(&self, member: usize, deadline: Instant) -> Result<Vec<SocketAddr>, Trouble> {
        let Endpoint { host, port } = &self.endpoints[member];
        let addresses = self.resolver.resolve(host, *port, deadline);
        addresses.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Trouble::Late,
            _ => Trouble::Io("resolving its name", error),
        })
    }

    /// The address of this machine that leads to a member, whether that is there or not.
    fn route_to(&self, member: usize, deadline: Instant) -> Result<IpAddr, Trouble> {
        let mut last = io::ErrorKind::AddrNotAvailable.into();
        for address in self.addresses(member, deadline)? {
            match route_to(address) {
                Ok(ip) => return Ok(ip),
                Err(error) => last = error,
            }
        }
        Err(Trouble::Io("finding the way to it", last))
    }

    fn idle_to(&self, member: usize) -> Option<Link> {
        let mut idle = self.idle.lock();
        // What lies between may have forgotten an old one, which nobody would say.
        idle.retain(|idle| idle.since.elapsed() < LONGEST_IDLE);
        let last = idle.iter().rposition(|idle| idle.member == member)?;
        Some(idle.remove(last).link)
    }

    fn keep(&self, member: usize, link: Link) {
        let mut idle = self.idle.lock();
        if idle.len() >= MOST_IDLE {
            idle.remove(0);
        }
        let since = Instant::now();
        idle.push(Idle {
            member,
            link,
            since,
        });
    }

    fn refused(&self, member: usize, status: u16, body: &[u8]) -> Failed {
        let refusal: Refusal = decode(body).unwrap_or_default();
        let said = match refusal.message.is_empty() {
            true => &format!("HTTP status {status}"),
            false => &refusal.message,
        };
        let error = self.answer(member, AnswerError::Refused(shown(said)));
        if refusal.is_about_token() {
            return Failed::Refused(UNAUTHENTICATED, error);
        }
        match refusal.code {
            // Another member may know better: this one has lost the others, or has no time.
            CANCELLED | UNKNOWN | DEADLINE_EXCEEDED | ABORTED | INTERNAL | UNAVAILABLE | 0 => {
                Failed::Away(error)
            }
            code => Failed::Refused(code, error),
        }
    }

    fn read<T: serde::de::DeserializeOwned>(
        &self,
        member: usize,
        answer: &[u8],
    ) -> Result<T, Failed> {
        decode(answer).map_err(|problem| self.failed(member, Trouble::Malformed(problem)))
    }

    fn failed(&self, member: usize, trouble: Trouble) -> Failed {
        failed(self.endpoints[member].label(), trouble)
    }

    fn answer(&self, member: usize, source: AnswerError) -> RegistryError {
        RegistryError::Answer {
            registry: self.endpoints[member].label(),
            source,
        }
    }

    /// All members, for errors.
    pub(super) fn label(&self) -> String {
        let labels: Vec<String> = self.endpoints.iter().map(Endpoint::label).collect();
        labels.join(",")
    }

    /// The time that a question had, where a member's share of it is over.
    fn in_all(&self, failed: Failed, after: Duration) -> Failed {
        match failed {
            Failed::Away(RegistryError::NoAnswer { .. }) => self.late(after),
            failed => failed,
        }
    }

    /// No member has answered within the time.
    fn late(&self, after: Duration) -> Failed {
        Failed::Away(RegistryError::NoAnswer {
            registry: self.label(),
            after,
        })
    }
}

impl Rpc for Gateway {
    fn post(&self, path: &str, body: &[u8], deadline: Instant) -> Result<Vec<u8>, Failed> {
        self.try_each(deadline, |member, token, share| {
            self.ask(member, path, body, token, share)
        })
    }

    fn stream(&self, path: &str, body: &[u8], deadline: Instant) -> Result<Box<dyn Lines>, Failed> {
        self.try_each(deadline, |member, token, share| {
            let lines = HttpLines {
                answer: self.open(member, path, body, token, share)?,
                unread: Vec::new(),
                given: 0,
                member: self.endpoints[member].label(),
            };
            Ok(Box::new(lines) as Box<dyn Lines>)
        })
    }

    fn local_ip(&self, deadline: Instant) -> Result<IpAddr, Failed> {
        let limit = deadline.saturating_duration_since(Instant::now());
        let known = *self.own_ip.lock();
        if let Some(ip) = known.filter(|&ip| is_own(ip)) {
            return Ok(ip);
        }
        let (mut loopback, mut failed) = (None, None);
        let count = self.endpoints.len();
        for member in 0..count {
            let share = deadline.saturating_duration_since(Instant::now())
                / u32::try_from(count - member).unwrap_or(1);
            match self.route_to(member, Instant::now() + share) {
                // One on this machine says nothing of where others find it.
                Ok(ip) if ip.is_loopback() => loopback = Some(ip),
                Ok(ip) => {
                    *self.own_ip.lock() = Some(ip);
                    return Ok(ip);
                }
                Err(trouble) => failed = Some(self.failed(member, trouble)),
            }
        }
        let nobody = || Failed::Away(RegistryError::Misuse("etcd has no members"));
        match (failed, loopback) {
            (None, Some(ip)) => Ok(ip),
            (failed, _) => Err(self.in_all(failed.unwrap_or_else(nobody), limit)),
        }
    }
}

/// The address of this machine that leads to another one: nothing is sent.
fn route_to(address: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    Ok(socket.local_addr()?.ip().to_canonical())
}

/// Whether this machine still has the address.
fn is_own(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

impl Endpoint {
    fn label(&self) -> String {
        ServerAddress::new(&*self.host, self.port).to_string()
    }
}

/// It has a password.
impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct HttpLines {
    answer: Answer,
    unread: Vec<u8>,
    /// So many bytes of that have been given as lines.
    given: usize,
    member: String,
}

impl Lines for HttpLines {
    fn next(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>, Failed> {
        let mut looked_at = self.given;
        loop {
            let new = self.unread.get(looked_at..).unwrap_or(&[]);
            if let Some(end) = new.iter().position(|&byte| byte == b'\n') {
                let end = looked_at + end + 1;
                let line = self.unread.get(self.given..end).unwrap_or(&[]).to_vec();
                self.given = end;
                return Ok(Some(line));
            }
            self.unread.drain(..self.given);
            self.given = 0;
            looked_at = self.unread.len();
            let failed = |trouble| Err(failed(self.member.clone(), trouble));
            if looked_at > MAX_ANSWER {
                return failed(Trouble::TooLong);
            }
            match self.answer.read_some(&mut self.unread, deadline) {
                Ok(true) => {}
                Ok(false) => return failed(Trouble::Malformed("a watch ended".to_owned())),
                Err(Trouble::Late) => return Ok(None),
                Err(trouble) => return failed(trouble),
            }
        }
    }
}

/// Why this member gave no answer.
fn failed(registry: String, trouble: Trouble) -> Failed {
    let (source, fail): (_, fn(_) -> _) = match trouble {
        Trouble::Io(doing, source) => {
            return Failed::Away(RegistryError::io(&registry, doing, source));
        }
        Trouble::Late => {
            let after = Duration::ZERO;
            return Failed::Away(RegistryError::NoAnswer { registry, after });
        }
        Trouble::TooLong => (AnswerError::TooLong, Failed::TooLong),
        Trouble::Malformed(problem) => (AnswerError::NotEtcd(shown(&problem)), Failed::Away),
    };
    fail(RegistryError::Answer { registry, source })
}

/// What somebody else says, as a part of a line.
fn shown(text: &str) -> String {
    let line = text.chars().take(MAX_SHOWN);
    line.map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

/// Bytes of an answer, or of a line of one that goes on.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Bytes of one that says no.
const MAX_REFUSAL: usize = 64 * 1024;
/// Characters of what etcd says.
const MAX_SHOWN: usize = 200;

/// Connections that are kept for the next questions: as many as a registry's copy asks at a time.
const MOST_IDLE: usize = 16;
/// How long.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// gRPC's numbers.
const CANCELLED: i64 = 1;
const UNKNOWN: i64 = 2;
const DEADLINE_EXCEEDED: i64 = 4;
const ABORTED: i64 = 10;
const INTERNAL: i64 = 13;
const UNAVAILABLE: i64 = 14;
