//! [`Store`]: a directory in place of a table of the registry's own, and what is asked of it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use log::debug;
use parking_lot::{Condvar, Mutex};
use rpyc_registry::message::{
    Command, MAX_DATAGRAM, ServiceName, encode_done, encode_names, encode_refusal, encode_servers,
};
use rpyc_registry::{Directory, Offer, RegistryError};

use crate::causes::with_causes;

/// Gives the directory as servers at an address use it.
#[derive(Clone)]
pub(super) struct Store {
    at: Arc<At>,
    places: Arc<Places>,
}

type At = dyn Fn(IpAddr, StoreLog) -> Box<dyn Directory> + Send + Sync;

/// For so many questions at a time: an answer may have thousands of servers.
struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

/// Given back when it is dropped.
struct QueueSlot<'p>(&'p Places);

impl Store {
    pub(super) fn new(
        at: impl Fn(IpAddr, StoreLog) -> Box<dyn Directory> + Send + Sync + 'static,
    ) -> Store {
        Store {
            at: Arc::new(at),
            places: Arc::new(Places {
                free: Mutex::new(AT_A_TIME),
                freed: Condvar::new(),
            }),
        }
    }
}

impl Places {
    fn take(&self) -> Option<QueueSlot<'_>> {
        let mut free = self.free.lock();
        let is_none = |free: &mut usize| *free == 0;
        self.freed.wait_while_for(&mut free, is_none, PATIENCE);
        *free = free.checked_sub(1)?;
        Some(QueueSlot(self))
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}

/// The registry's log, for what a directory has to say while it is asked: as many lines as the registry
/// writes of anything that others cause. For [`Builder::store`](super::Builder::store).
#[derive(Clone, Debug, Default)]
pub struct StoreLog(Arc<Mutex<Option<String>>>);

impl StoreLog {
    /// A warning; one for each question, the last one.
    pub fn warn(&self, text: String) {
        *self.0.lock() = Some(text);
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A question that the store has to be asked, while nothing else waits for it.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) store: Store,
    pub(super) command: Command,
    /// Who asks.
    pub(super) source: IpAddr,
    /// Where the server is that registers.
    pub(super) server: IpAddr,
    /// Bytes of a list.
    pub(super) max_listing: usize,
}

/// What the store says.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) source: IpAddr,
    pub(super) said: Said,
    /// What it says of what it holds.
    pub(super) warning: Option<String>,
}

/// What becomes of a question.
#[derive(Debug)]
pub(super) enum Said {
    Answer(Vec<u8>),
    /// The store is away, and why: another copy of the registry may know better.
    Away(String),
    /// It wasn't asked: too many questions wait for it. Who asks will ask again, or another copy.
    NotAsked,
}

impl Question {
    /// Asks; takes as long as the store does.
    pub(super) fn ask(self) -> Outcome {
        let source = self.source;
        let Some(_place) = self.store.places.take() else {
            return Outcome {
                source,
                said: Said::NotAsked,
                warning: None,
            };
        };
        let log = StoreLog::default();
        let directory = (self.store.at)(self.server, log.clone());
        let answer = match &self.command {
            Command::Query { name } => servers(&*directory, name),
            Command::List { host } => {
                let names = directory.list(host.as_deref());
                names.map(|names| encode_names(names.iter().map(String::as_str), self.max_listing))
            }
            Command::Register { names, port, .. } => {
                let names = names.iter().map(ServiceName::as_str);
                let done = Offer::new(names, *port).and_then(|offer| directory.register(&offer));
                done.map(|_| encode_done())
            }
            Command::Unregister { port, .. } => directory.unregister(*port).map(|()| encode_done()),
            _ => Ok(encode_refusal("not supported")),
        };
        let warning = log.0.lock().take();
        let said = match answer {
            Ok(answer) => Said::Answer(answer),
            Err(error) => {
                let why = with_causes(&error);
                debug!("{source}: {why}");
                match error {
                    RegistryError::Full { .. } => Said::Answer(encode_refusal(FULL)),
                    _ => Said::Away(why),
                }
            }
        };
        Outcome {
            source,
            said,
            warning,
        }
    }
}

fn servers(directory: &dyn Directory, name: &ServiceName) -> Result<Vec<u8>, RegistryError> {
    let servers = match directory.discover(name.as_str()) {
        Ok(servers) => servers,
        Err(RegistryError::NoServer { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let addresses = servers
        .iter()
        .map(|server| (&*server.address.host, server.address.port));
    Ok(encode_servers(addresses, MAX_DATAGRAM))
}

/// What the log says of a question that isn't asked, which isn't the store's fault.
pub(super) const TOO_MANY: &str = "a question isn't answered: too many wait for the store";
/// What a server is told that isn't taken.
const FULL: &str = "the registry holds no more services of this host";
/// Questions that the store is asked at a time: as many as there are threads that ask over UDP.
pub(super) const AT_A_TIME: usize = 16;
/// How long one more waits. Who asks will ask again, or another copy.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::answers::Answers;
    use super::super::answers::tests::options;
    use super::*;

    #[test]
    fn so_many_places_there_are_and_one_that_is_given_back_is_taken_again() {
        let store = Store::new(|_, _| unreachable!("nobody is asked"));
        let mut taken: Vec<Option<QueueSlot<'_>>> =
            (0..=AT_A_TIME).map(|_| store.places.take()).collect();
        assert!(taken.pop().is_some_and(|last| last.is_none()));
        assert!(taken.iter().all(Option::is_some));
        taken.pop();
        assert!(store.places.take().is_some());
    }

    #[test]
    fn that_too_many_ask_is_not_the_stores_fault() {
        let store = Store::new(|_, _| unreachable!("nobody is asked"));
        let taken: Vec<_> = (0..AT_A_TIME).map(|_| store.places.take()).collect();
        let here = IpAddr::from([127, 0, 0, 1]);
        let outcome = Question {
            store: store.clone(),
            command: Command::List { host: None },
            source: here,
            server: here,
            max_listing: MAX_DATAGRAM,
        }
        .ask();
        drop(taken);
        let now = Instant::now();
        let mut answers = Answers::new(options(), now);
        assert!(answers.told(outcome, now).is_none());
        let told = answers.take_lines();
        assert_eq!(told, [(log::Level::Warn, TOO_MANY.to_owned())]);
        // What was never away isn't back.
        let outcome = Outcome {
            source: here,
            said: Said::Answer(encode_done()),
            warning: None,
        };
        assert!(answers.told(outcome, now).is_some());
        assert!(answers.take_lines().is_empty());
    }
}
