//! [`Directory`]: what every kind of registry can be asked and told, and [`Watch`], which follows a
//! service.

use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use super::error::RegistryError;
use super::message::{MAX_NAMES, ServerAddress, ServiceName};

/// Where servers say what they offer, and clients ask who offers it.
///
/// [`RegistryClient`](super::RegistryClient) is one: a registry that is asked over UDP or TCP.
///
/// Each question waits for no longer than the time that the implementation's own options set, and no
/// answer takes more than a bounded amount of memory. What an answer
/// says is what somebody has registered: a claim, not a fact.
pub trait Directory: fmt::Debug + Send + Sync {
    /// Where the servers of a service are, those that registered longest ago first.
    ///
    /// # Errors
    /// [`RegistryError::NoServer`] when there are none, [`RegistryError::NoAnswer`] when nobody
    /// answered in time; the others as they say.
    fn discover(&self, name: &str) -> Result<Vec<ServerEntry>, RegistryError>;

    /// The names of the services that have a server, or a server at this IP address; sorted.
    ///
    /// # Errors
    /// [`RegistryError::ListingOff`] when the registry doesn't tell; as
    /// [`discover`](Self::discover).
    #[doc(alias = "list_services")]
    fn list(&self, host: Option<&str>) -> Result<Vec<String>, RegistryError>;

    /// Says that this server is there, or still is. Gives the time after which that has to be said
    /// again; one that isn't repeated is forgotten some time later.
    ///
    /// # Errors
    /// As [`discover`](Self::discover); [`RegistryError::Answer`] when the registry refuses.
    fn register(&self, offer: &Offer) -> Result<Duration, RegistryError>;

    /// Says that the server at this port is gone.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    fn unregister(&self, port: u16) -> Result<(), RegistryError>;

    /// Follows the servers of a service. It asks nothing yet.
    ///
    /// # Errors
    /// [`RegistryError::Misuse`] for what is no service's name.
    fn watch(&self, name: &str) -> Result<Box<dyn Watch>, RegistryError>;

    /// The servers of a service on this host, an IP address or a name. How long the name takes is the
    /// system's business.
    ///
    /// # Errors
    /// As [`discover`](Self::discover).
    fn discover_on(&self, name: &str, host: &str) -> Result<Vec<ServerEntry>, RegistryError> {
        let mut servers = self.discover(name)?;
        let addresses = (host, 0).to_socket_addrs();
        let addresses =
            addresses.map_err(|error| RegistryError::io(host, "resolving the host", error))?;
        let addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
        servers.retain(|server| {
            let ip = server.address.host.parse();
            ip.is_ok_and(|ip| addresses.contains(&ip))
        });
        if servers.is_empty() {
            return Err(RegistryError::NoServer {
                name: format!("{} on {host}", name.to_uppercase()),
            });
        }
        Ok(servers)
    }
}

/// Follows the servers of one service. Dropping it ends that.
pub trait Watch: fmt::Debug + Send {
    /// Waits until the servers are others than those that it gave last, and gives all of them; none
    /// of them is an empty list. The first time it gives those that are there, at once. `None` when
    /// nothing has changed within `limit`.
    ///
    /// It takes no longer than `limit` and the time of one question.
    ///
    /// # Errors
    /// As [`Directory::discover`], but that no server is no error. After an error the servers given
    /// last are still the best that is known. The next call goes on, and pauses first, within its
    /// limit: a loop needs no pause of its own. When the directory answers again, the servers are given
    /// whether they are others or not.
    fn next(&mut self, limit: Duration) -> Result<Option<Vec<ServerEntry>>, RegistryError>;
}

/// A server, as a directory knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerEntry {
    /// Where it is.
    pub address: ServerAddress,
    /// What it says of itself, where the directory keeps such a thing.
    pub facts: Option<ServerFacts>,
}

impl ServerEntry {
    /// A server of which no more is known than where it is.
    pub fn new(address: ServerAddress) -> ServerEntry {
        ServerEntry {
            address,
            facts: None,
        }
    }
}

impl fmt::Display for ServerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// What a server says of itself: for people, and for who has to choose among servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerFacts {
    /// The version of its program.
    pub version: Option<String>,
    /// When it was started, in seconds since 1970.
    pub started: Option<u64>,
    /// What runs its Python code.
    pub evaluator: Option<String>,
    /// How many clients it serves at most.
    pub max_clients: Option<u64>,
    /// How many there were when it last said so.
    pub clients: Option<u64>,
}

/// What a server registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    names: Vec<ServiceName>,
    port: u16,
    facts: ServerFacts,
}

impl Offer {
    /// These services, at this port. Which host that is on is a matter of the [`Directory`].
    ///
    /// # Errors
    /// [`RegistryError::Misuse`] for what no registry takes: no name, an empty or too long one, too
    /// many of them, port 0.
    pub fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        port: u16,
    ) -> Result<Offer, RegistryError> {
        let names: Vec<ServiceName> = names
            .into_iter()
            .map(service_name)
            .collect::<Result<_, _>>()?;
        if port == 0 || !(1..=MAX_NAMES).contains(&names.len()) {
            return Err(RegistryError::Misuse(TAKEN_BY_NONE));
        }
        Ok(Offer {
            names,
            port,
            facts: ServerFacts::default(),
        })
    }

    /// What the server says of itself. Directories that have no place for it leave it out.
    #[must_use]
    pub fn facts(mut self, facts: ServerFacts) -> Offer {
        self.facts = facts;
        self
    }

    /// The services.
    pub fn names(&self) -> &[ServiceName] {
        &self.names
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the server says of itself.
    pub fn known_facts(&self) -> &ServerFacts {
        &self.facts
    }
}

/// Follows a service by asking again and again: for directories that don't tell by themselves.
#[derive(Debug)]
pub(super) struct Polling<D> {
    directory: D,
    name: String,
    every: Duration,
    last: Option<Vec<ServerEntry>>,
    /// When the next question is due.
    due: Instant,
}

impl<D: Directory> Polling<D> {
    pub(super) fn new(
        directory: D,
        name: &str,
        every: Duration,
    ) -> Result<Polling<D>, RegistryError> {
        service_name(name)?;
        Ok(Polling {
            directory,
            name: name.to_owned(),
            every,
            last: None,
            due: Instant::now(),
        })
    }

    /// What has changed; `None` if nothing has.
    fn ask(&mut self) -> Result<Option<Vec<ServerEntry>>, RegistryError> {
        let servers = match self.directory.discover(&self.name) {
            Ok(servers) => servers,
            Err(RegistryError::NoServer { .. }) => Vec::new(),
            Err(error) => {
                self.last = None;
                return Err(error);
            }
        };
        // A registry gives its servers in the order in which they were last heard of.
        let is_same = self.last.as_ref().is_some_and(|last| {
            last.len() == servers.len() && servers.iter().all(|server| last.contains(server))
        });
        if is_same {
            return Ok(None);
        }
        self.last = Some(servers.clone());
        Ok(Some(servers))
    }
}

impl<D: Directory> Watch for Polling<D> {
    fn next(&mut self, limit: Duration) -> Result<Option<Vec<ServerEntry>>, RegistryError> {
        let end = Instant::now() + limit.min(LONGEST);
        loop {
            let now = Instant::now();
            if self.due > end {
                thread::sleep(end.saturating_duration_since(now)); // a registry tells of no news by itself
                return Ok(None);
            }
            thread::sleep(self.due.saturating_duration_since(now)); // it is asked at its time
            let news = self.ask();
            self.due = Instant::now() + self.every;
            match news {
                Ok(None) => {}
                told => return told,
            }
        }
    }
}

pub(super) fn service_name(name: &str) -> Result<ServiceName, RegistryError> {
    ServiceName::new(name).ok_or(RegistryError::Misuse(
        "a service's name has between 1 and 255 bytes",
    ))
}

pub(super) const TAKEN_BY_NONE: &str =
    "no registry takes this: no names, too many of them, or port 0";
/// A wait that is as good as endless, and far from what a clock can't express.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::sync::mpsc::{self, Sender};

    use super::*;
    use crate::RegistryClient;
    use crate::message::encode_servers;

    /// A registry that answers each question with the servers that it was told last.
    fn registry() -> (RegistryClient, Sender<Vec<u16>>) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        let (tell, told) = mpsc::channel::<Vec<u16>>();
        thread::spawn(move || {
            let mut ports = Vec::new();
            let mut buffer = [0; 1_500];
            while let Ok((_, source)) = socket.recv_from(&mut buffer) {
                ports = told.try_iter().last().unwrap_or(ports);
                let servers = ports.iter().map(|&port| ("127.0.0.1", port));
                let _ = socket.send_to(&encode_servers(servers, 1_500), source);
            }
        });
        let client = RegistryClient::udp("127.0.0.1").port(port);
        (client.poll_interval(Duration::ZERO), tell)
    }

    fn ports(servers: &[ServerEntry]) -> Vec<u16> {
        servers.iter().map(|server| server.address.port).collect()
    }

    #[test]
    fn a_watch_gives_the_servers_at_first_and_when_they_change() {
        let (client, tell) = registry();
        let mut watch = client.watch("notes").expect("a good name");
        let mut next = |limit| watch.next(Duration::from_millis(limit)).expect("answered");
        assert_eq!(next(60_000), Some(Vec::new()));
        tell.send(vec![1, 2]).expect("it listens");
        assert_eq!(next(60_000).map(|news| ports(&news)), Some(vec![1, 2]));
        // The order alone is none.
        tell.send(vec![2, 1]).expect("it listens");
        assert_eq!(next(250), None);
        tell.send(vec![]).expect("it listens");
        assert_eq!(next(60_000), Some(Vec::new()));
    }

    #[test]
    fn a_watch_of_a_registry_that_is_away_says_so_and_goes_on() {
        let client = RegistryClient::tcp("127.0.0.1").port(1);
        let mut watch = client.poll_interval(Duration::ZERO).watch("notes");
        let watch = watch.as_mut().expect("a good name");
        for _ in 0..2 {
            assert!(watch.next(LONGEST).is_err());
        }
        assert!(matches!(watch.next(Duration::ZERO), Ok(None)));
        assert!(RegistryClient::broadcast().watch("").is_err());
    }

    /// It is away every other time.
    #[derive(Debug, Default)]
    struct Flaky(std::sync::atomic::AtomicU32);

    impl Directory for Flaky {
        fn discover(&self, _: &str) -> Result<Vec<ServerEntry>, RegistryError> {
            match self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 {
                0 => Ok(vec![ServerEntry::new(ServerAddress::new("host", 1))]),
                _ => Err(RegistryError::Misuse("away")),
            }
        }

        fn list(&self, _: Option<&str>) -> Result<Vec<String>, RegistryError> {
            Ok(Vec::new())
        }

        fn register(&self, _: &Offer) -> Result<Duration, RegistryError> {
            Ok(LONGEST)
        }

        fn unregister(&self, _: u16) -> Result<(), RegistryError> {
            Ok(())
        }

        fn watch(&self, _: &str) -> Result<Box<dyn Watch>, RegistryError> {
            Err(RegistryError::Misuse("it is followed by asking"))
        }
    }

    #[test]
    fn after_an_error_a_watch_gives_the_servers_again_so_that_it_is_known_to_be_over() {
        let watch = Polling::new(Flaky::default(), "notes", Duration::ZERO);
        let mut watch = watch.expect("a good name");
        for _ in 0..3 {
            let told = watch.next(LONGEST).expect("it is there");
            assert_eq!(told.map(|servers| ports(&servers)), Some(vec![1]));
            assert!(watch.next(LONGEST).is_err());
        }
    }

    #[test]
    fn an_offer_is_what_every_registry_takes() {
        let offered = Offer::new(["notes"], 1).expect("a good offer");
        assert_eq!((offered.names()[0].as_str(), offered.port()), ("NOTES", 1));
        let long = "n".repeat(256);
        for (names, port) in [
            (vec![], 1),
            (vec!["notes"], 0),
            (vec![""], 1),
            (vec![&*long], 1),
            (vec!["notes"; 65], 1),
        ] {
            assert!(Offer::new(names, port).is_err());
        }
    }
}
