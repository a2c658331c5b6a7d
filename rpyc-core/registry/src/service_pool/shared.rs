//! [`Shared`]: what the handles of a pool and its threads have in common.
//!
//! One lock guards all of it. Nothing of other people's runs under it: connections and errors that are over
//! are dropped when it is free again.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpyc_core::Connection;
use rpyc_core::error::{Error, Timeout};
use rpyc_core::sync::{Condvar, Mutex, wait};

use super::servers::{Job, Policy, Servers, Ticket};
use super::status::PoolStatus;
use crate::{RegistryError, ServerAddress};

/// How a server is connected to.
pub(super) type Connect = Arc<dyn Fn(&ServerAddress) -> Result<Connection, Error> + Send + Sync>;

/// What a call waits for, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) server_timeout: Duration,
    pub(super) call_timeout: Duration,
}

/// How a call ended, as far as the server is concerned.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered,
    Unknown,
    Failed(Error),
}

pub(super) struct Shared {
    pub(super) service: String,
    pub(super) connect: Connect,
    pub(super) timing: Timing,
    state: Mutex<State>,
    // A server is connected, or the pool has ended, or there is something new to be done.
    changed: Condvar,
}

struct State {
    servers: Servers<Connection>,
    directory: DirectoryState,
    has_ended: bool,
}

/// What the directory has said.
enum DirectoryState {
    NotYet,
    Answered,
    Failed(RegistryError),
}

impl Shared {
    pub(super) fn new(service: String, connect: Connect, policy: Policy, timing: Timing) -> Shared {
        Shared {
            service,
            connect,
            timing,
            state: Mutex::new(State {
                servers: Servers::new(policy),
                directory: DirectoryState::NotYet,
                has_ended: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Changes the state, and wakes all who wait for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = self.change_quietly(change);
        self.changed.notify_all();
        result
    }

    /// Changes what nobody waits for.
    fn change_quietly<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let discarded = state.servers.take_discarded();
        drop(state);
        drop(discarded);
        result
    }

    /// The server that a call goes to. Waits until one is connected.
    pub(super) fn choose(&self, until: Instant) -> Result<(Ticket, Connection), Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(chosen) = state.servers.choose() {
                return Ok(chosen);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.why_none(&state));
            }
            state = wait(&self.changed, state, Some(left));
        }
    }

    /// Why no server is connected.
    pub(super) fn no_server(&self) -> Error {
        self.why_none(&self.state.lock())
    }

    fn why_none(&self, state: &State) -> Error {
        let name = self.service.clone();
        let (error, servers) = state.servers.failure();
        match (error, &state.directory) {
            (Some(source), _) => RegistryError::AllDown {
                name,
                servers,
                source,
            }
            .into(),
            (None, DirectoryState::Failed(error)) => error.clone().into(),
            (None, DirectoryState::Answered) if servers == 0 => {
                RegistryError::NoServer { name }.into()
            }
            (None, DirectoryState::Answered) => {
                let what = format!("connecting to a server of {name}");
                Timeout::new(what, self.timing.server_timeout).into()
            }
            (None, DirectoryState::NotYet) => {
                let what = format!("asking the registry for {name}");
                Timeout::new(what, self.timing.server_timeout).into()
            }
        }
    }

    /// A call is over.
    pub(super) fn end_call(&self, ticket: Ticket, outcome: Outcome) {
        let now = Instant::now();
        match outcome {
            Outcome::Answered => self.change_quietly(|state| {
                state.servers.answered(ticket, now);
                state.servers.ended(ticket);
            }),
            Outcome::Unknown => self.change_quietly(|state| state.servers.ended(ticket)),
            Outcome::Failed(error) => self.change(|state| {
                let error = Arc::new(error);
                state.servers.failed(ticket, error, now, chance());
                state.servers.ended(ticket);
            }),
        }
    }

    /// What the directory says of the servers.
    pub(super) fn list(&self, answer: Result<Vec<ServerAddress>, RegistryError>) {
        let now = Instant::now();
        let before = self.change(|state| {
            let directory = match answer {
                Ok(addresses) => {
                    state.servers.list(addresses, now);
                    DirectoryState::Answered
                }
                Err(error) => DirectoryState::Failed(error),
            };
            std::mem::replace(&mut state.directory, directory)
        });
        drop(before);
    }

    /// A connection was made, or not.
    pub(super) fn connected(&self, ticket: Ticket, outcome: Result<Connection, Error>) {
        let (now, chance) = (Instant::now(), chance());
        self.change(|state| match outcome {
            // What comes after the end is dropped.
            Ok(connection) => state.servers.connected(ticket, connection, now),
            Err(error) => state.servers.failed(ticket, Arc::new(error), now, chance),
        });
    }

    /// A server showed that it is there, or not.
    pub(super) fn checked(&self, ticket: Ticket, outcome: Result<(), Error>) {
        let (now, chance) = (Instant::now(), chance());
        self.change(|state| match outcome {
            Ok(()) => state.servers.seen(ticket, now),
            Err(error) => state.servers.failed(ticket, Arc::new(error), now, chance),
        });
    }

    /// Waits until there is something to be done, for as long as `limit`; `None` once the pool has ended.
    pub(super) fn jobs(&self, limit: Duration) -> Option<Vec<Job<Connection>>> {
        let until = Instant::now() + limit;
        let mut state = self.state.lock();
        loop {
            if state.has_ended {
                return None;
            }
            let now = Instant::now();
            let jobs = state.servers.due(now);
            if !jobs.is_empty() || until <= now {
                return Some(jobs);
            }
            let due = state.servers.next_due();
            let next = due.map_or(until, |due| due.min(until));
            let left = next.saturating_duration_since(now);
            state = wait(&self.changed, state, Some(left));
        }
    }

    pub(super) fn connections(&self) -> Vec<(Ticket, Connection)> {
        self.state.lock().servers.connections()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().has_ended
    }

    /// The last handle is gone.
    pub(super) fn end(&self) {
        self.change(|state| {
            state.has_ended = true;
            state.servers.clear();
        });
    }

    pub(super) fn status(&self) -> PoolStatus {
        let state = self.state.lock();
        let servers = state.servers.statuses(Instant::now());
        let directory_error = match &state.directory {
            DirectoryState::Failed(error) => Some(error.clone()),
            _ => None,
        };
        PoolStatus {
            servers,
            directory_error,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// Some number that nobody expects.
fn chance() -> u64 {
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rpyc_core::executor::is_unlocked;

    use super::*;

    /// An error's cause, which may be anybody's code.
    #[derive(Debug, thiserror::Error)]
    #[error("it looks for locks when it is dropped")]
    struct Looks(Arc<AtomicUsize>);

    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(is_unlocked());
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_over_is_dropped_under_no_lock() {
        let policy = Policy {
            max_servers: 1,
            max_connecting: 1,
            first_pause: Duration::ZERO,
            longest_pause: Duration::ZERO,
            check_interval: Duration::from_secs(1),
        };
        let timing = Timing {
            server_timeout: Duration::ZERO,
            call_timeout: Duration::ZERO,
        };
        let connect: Connect = Arc::new(|_| unreachable!("the test connects"));
        let shared = Shared::new("service".to_owned(), connect, policy, timing);
        shared.list(Ok(vec![ServerAddress::new("host", 1)]));
        let dropped = Arc::new(AtomicUsize::new(0));
        for failures in 0..3 {
            assert_eq!(dropped.load(Ordering::Relaxed), failures.max(1) - 1);
            let jobs = shared.jobs(Duration::ZERO).expect("it goes on");
            let Some(Job::Connect(ticket, _)) = jobs.first() else {
                panic!("{} jobs", jobs.len());
            };
            let error = io::Error::other(Looks(dropped.clone()));
            let error = Error::Io {
                doing: "connecting".into(),
                error: Arc::new(error),
            };
            shared.connected(*ticket, Err(error));
        }
        shared.end();
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
    }
}
