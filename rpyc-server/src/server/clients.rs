//! The clients that are connected: how many, and how to end them all.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::warn;
use rpyc_core::Connection;
use rpyc_core::executor::ThreadPool;

/// The set of connected clients.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    max: usize,
    set: Mutex<Set>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Set {
    last: u64,
    closing: bool,
    present: HashMap<u64, Client>,
}

#[derive(Debug)]
struct Client {
    name: String,
    peer: SocketAddr,
    /// None while the connection is being opened: then it is closed as soon as it is there.
    connection: Option<Connection>,
}

/// Why a client isn't let in.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0} clients are connected, which is the maximum")]
    Full(usize),
    #[error("the server is stopping")]
    Stopping,
}

impl Clients {
    pub(super) fn new(max: usize) -> Clients {
        Clients {
            inner: Arc::new(Inner {
                max,
                set: Mutex::default(),
                left: Condvar::new(),
            }),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.inner.set().present.len()
    }

    /// Takes up a client; it is in the set until its [`Place`] is dropped.
    pub(super) fn admit(&self, name: &str, peer: SocketAddr) -> Result<Place, Refusal> {
        let mut set = self.inner.set();
        if set.closing {
            return Err(Refusal::Stopping);
        }
        if set.present.len() >= self.inner.max {
            return Err(Refusal::Full(self.inner.max));
        }
        set.last += 1;
        let number = set.last;
        let client = Client {
            name: name.to_owned(),
            peer,
            connection: None,
        };
        set.present.insert(number, client);
        Ok(Place {
            clients: self.clone(),
            number,
        })
    }

    /// Ends all connections and waits until they have ended: `grace` for their requests, and a
    /// moment for the rest.
    pub(super) fn close_all(&self, grace: Duration) {
        // One that can't be counted never comes.
        let deadline = Instant::now().checked_add(grace.saturating_add(WIND_UP));
        let mut set = self.inner.set();
        set.closing = true;
        for client in set.present.values() {
            if let Some(connection) = &client.connection {
                end_elsewhere(connection.clone(), grace);
            }
        }
        while !set.present.is_empty() {
            set = match deadline {
                None => {
                    let waited = self.inner.left.wait(set);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
                Some(deadline) => {
                    let rest = deadline.saturating_duration_since(Instant::now());
                    if rest.is_zero() {
                        break;
                    }
                    let waited = self.inner.left.wait_timeout(set, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        // The last handle of a connection may do work: not under the lock.
        let left = std::mem::take(&mut set.present);
        drop(set);
        for client in left.into_values() {
            warn!(
                "{} from {}: ended: still busy {} s after the server was told to stop",
                client.name,
                client.peer,
                grace.as_secs_f32()
            );
        }
    }
}

impl Inner {
    /// The set is never left half changed, so a thread that panicked has done no harm to it.
    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ending waits for the requests that run; one connection must not wait for another's.
fn end_elsewhere(connection: Connection, grace: Duration) {
    let name = connection.connid().to_owned();
    let job = Box::new(move || connection.shut_down(grace));
    if let Err(error) = ThreadPool::shared().execute(job) {
        warn!("{name}: no thread to end it in order: {error}");
    }
}

/// A client's place in the set.
#[derive(Debug)]
pub(super) struct Place {
    clients: Clients,
    number: u64,
}

impl Place {
    /// The client is served from now on.
    pub(super) fn serving(&self, connection: &Connection) {
        let mut set = self.clients.inner.set();
        if set.closing {
            // It was opened while the others were being ended.
            end_elsewhere(connection.clone(), Duration::ZERO);
        }
        if let Some(client) = set.present.get_mut(&self.number) {
            client.connection = Some(connection.clone());
        }
    }

    /// Whether the server has given the client up: it has been told that it ended.
    pub(super) fn is_given_up(&self) -> bool {
        !self.clients.inner.set().present.contains_key(&self.number)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let removed = self.clients.inner.set().present.remove(&self.number);
        self.clients.inner.left.notify_all();
        // After the lock is given back, as in close_all.
        drop(removed);
    }
}

/// What connections need to end when nothing runs any more.
const WIND_UP: Duration = Duration::from_secs(1);
