//! [`RegistryClient`]: asks a registry, and tells it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::DEFAULT_PORT;
use super::directory::{
    Directory, LONGEST, Offer, Polling, ServerEntry, TAKEN_BY_NONE, Watch, service_name,
};
use super::error::RegistryError;
use super::message::{
    AnswerError, Command, MAX_DATAGRAM, MAX_LISTING, decode_done, decode_names, decode_servers,
};
use super::resolve::Resolver;
use super::transport::{Kind, Question, Target};

/// How to reach a registry. Making one does nothing yet; each call asks anew.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    target: Target,
    advertised: Option<IpAddr>,
    poll_interval: Duration,
}

impl RegistryClient {
    /// Asks the whole network, over UDP: whichever registry answers.
    ///
    /// The system sends it on one interface, that of the default route; [`source`](Self::source)
    /// chooses another one. It doesn't cross routers, or leave a container's own network: there,
    /// name the registry ([`udp`](Self::udp), [`tcp`](Self::tcp)).
    pub fn broadcast() -> RegistryClient {
        RegistryClient::udp(Ipv4Addr::BROADCAST.to_string())
    }

    /// Asks the registry at this host, over UDP. The answer has to come from the very address
    /// that was asked. A network's own broadcast address (`192.168.1.255`) asks that network.
    pub fn udp(host: impl Into<String>) -> RegistryClient {
        RegistryClient::new(Kind::Udp, host.into())
    }

    /// Asks the registry at this host, over TCP.
    pub fn tcp(host: impl Into<String>) -> RegistryClient {
        RegistryClient::new(Kind::Tcp, host.into())
    }

    fn new(kind: Kind, host: String) -> RegistryClient {
        RegistryClient {
            target: Target {
                kind,
                host,
                port: DEFAULT_PORT,
                resolver: Resolver::default(),
                source: None,
                timeout: Duration::from_secs(2),
            },
            advertised: None,
            poll_interval: POLL,
        }
    }

    /// The registry's port. Default: 18811.
    #[must_use]
    pub fn port(mut self, port: u16) -> RegistryClient {
        self.target.port = port;
        self
    }

    /// How long to wait for an answer. Over UDP the question is repeated meanwhile. Default: 2 s; an
    /// hour at most.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> RegistryClient {
        self.target.timeout = timeout.min(Duration::from_secs(3600));
        self
    }

    /// The local address to ask from, which decides the interface; and a registry takes a server
    /// to be where its REGISTER comes from. Default: the system's choice.
    #[must_use]
    pub fn source(mut self, address: IpAddr) -> RegistryClient {
        self.target.source = Some(address);
        self
    }

    /// The address to register, where it is not one of this machine's: that of a container's
    /// host, or of a router that forwards. It takes a registry that allows it: Python's doesn't
    /// know it and gives no answer.
    #[must_use]
    pub fn advertise(mut self, address: IpAddr) -> RegistryClient {
        self.advertised = Some(address);
        self
    }

    /// How often a [`Watch`] of it asks. Default: 10 s; never more often than ten times a second.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> RegistryClient {
        self.poll_interval = interval.clamp(SHORTEST_POLL, LONGEST);
        self
    }

    fn tell(&self, command: &Command) -> Result<(), RegistryError> {
        self.ask(command, MAX_DATAGRAM, decode_done, |()| true)
    }

    fn ask<T>(
        &self,
        command: &Command,
        max_answer: usize,
        read: impl Fn(&[u8]) -> Result<T, AnswerError>,
        is_enough: impl Fn(&T) -> bool,
    ) -> Result<T, RegistryError> {
        let bytes = command.encode();
        if Command::decode(&bytes).is_err() {
            return Err(RegistryError::Misuse(TAKEN_BY_NONE));
        }
        let question = Question {
            bytes: &bytes,
            max_answer,
            read: &read,
            is_enough: &is_enough,
        };
        self.target.ask(&question)
    }
}

impl Directory for RegistryClient {
    fn discover(&self, name: &str) -> Result<Vec<ServerEntry>, RegistryError> {
        let query = Command::Query {
            name: service_name(name)?,
        };
        let servers = self.ask(&query, MAX_DATAGRAM, decode_servers, |servers| {
            !servers.is_empty()
        })?;
        if servers.is_empty() {
            return Err(RegistryError::NoServer {
                name: name.to_uppercase(),
            });
        }
        Ok(servers.into_iter().map(ServerEntry::new).collect())
    }

    fn list(&self, host: Option<&str>) -> Result<Vec<String>, RegistryError> {
        let list = Command::List {
            host: host.map(str::to_owned),
        };
        let names = self.ask(&list, MAX_LISTING, decode_names, |names| {
            names.as_ref().is_some_and(|names| !names.is_empty())
        })?;
        let mut names = names.ok_or_else(|| RegistryError::ListingOff {
            registry: self.target.label(),
        })?;
        names.sort();
        Ok(names)
    }

    /// It holds for four minutes with Python's registry; servers say it every minute. A registry
    /// keeps no facts.
    fn register(&self, offer: &Offer) -> Result<Duration, RegistryError> {
        self.tell(&Command::Register {
            names: offer.names().to_vec(),
            port: offer.port(),
            host: self.advertised,
        })?;
        Ok(REPEAT)
    }

    fn unregister(&self, port: u16) -> Result<(), RegistryError> {
        self.tell(&Command::Unregister {
            port,
            host: self.advertised,
        })
    }

    /// It asks again every [`poll_interval`](RegistryClient::poll_interval).
    fn watch(&self, name: &str) -> Result<Box<dyn Watch>, RegistryError> {
        let polling = Polling::new(self.clone(), name, self.poll_interval)?;
        Ok(Box::new(polling))
    }
}

/// As often as Python's servers register.
const REPEAT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_secs(10);
/// Stops an interval of nothing, which would be a flood.
const SHORTEST_POLL: Duration = Duration::from_millis(100);
