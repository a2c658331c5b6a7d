//! Calls to whichever server of a service is there: [`ServicePool`].
//!
//! A pool follows a service in a [`Directory`], and keeps a connection to each of its servers. A call
//! goes to the server that has the fewest of the pool's calls unanswered. A server that fails (its
//! connection can't be made, or breaks, or a call isn't answered in time) is left out, and tried
//! again after a pause, which doubles with each failure in a row and has some chance in it; until it has
//! answered again it gets one call at a time.
//!
//! ```no_run
//! use rpyc_registry::{RegistryClient, ServicePool};
//! use rpyc_core::args;
//!
//! # fn main() -> rpyc_core::Result<()> {
//! let registry = RegistryClient::udp("registry.example");
//! let pool = ServicePool::start(&registry, "calculator")?;
//! // From any number of threads.
//! let sum = pool.call("add", args![1, 2])?.extract::<i64>()?;
//! // This one does no harm when it is done twice: it may be given to another server, too.
//! let sum = pool.retryable().call("add", args![1, 2])?.extract::<i64>()?;
//! // Several calls to one server, and references that it returns.
//! let lease = pool.lease()?;
//! let cursor = lease.root()?.call_method("open", args!["measurements"])?;
//! let first = cursor.call_method("fetch", args![])?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is called how often
//!
//! A call that has been sent isn't sent again: when its connection breaks, nobody knows whether the
//! server has done it. It fails then, and the program decides. A call that hasn't been sent goes to
//! another server by itself. With [`retryable`](ServicePool::retryable) the program says
//! beforehand that doing it twice does no harm.
//!
//! # How long it takes
//!
//! No call waits for ever: it waits for a server that is connected for as long as
//! [`server_timeout`](Builder::server_timeout), and for its answer for as long as
//! [`call_timeout`](Builder::call_timeout). What a lease does is bounded by the `sync_request_timeout` of
//! its connection: where that is none, the pool sets the call's time-out, and never more than a day.

mod builder;
mod lease;
mod servers;
mod shared;
mod status;
mod workers;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use rpyc_core::{Any, Args, Error};

use self::shared::{Outcome, Shared};
use crate::Directory;

pub use self::builder::Builder;
pub use self::lease::Lease;
pub use self::status::{PoolStatus, ServerStatus};

/// The servers of a service, of which each call takes one; see the [module](self). Clones are the same
/// pool, which ends with the last of them: leases stay as they are then.
///
/// It has two threads: one follows the directory, one has connections made, at most 16 at a time on
/// threads of their own, and looks after those that there are.
#[derive(Clone)]
pub struct ServicePool {
    // Dropping it, and not what the threads hold, ends the pool.
    owned: Arc<Owned>,
}

struct Owned(Arc<Shared>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl ServicePool {
    /// Follows the service with everything at its default; [`builder`](Self::builder) has the options. It
    /// doesn't wait for servers.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start(directory: &dyn Directory, service: &str) -> Result<ServicePool, Error> {
        ServicePool::builder().start(directory, service)
    }

    /// A pool with options.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Calls a method of the service, at the server with the fewest unanswered calls of this pool.
    ///
    /// References in the result are of that server's connection, which the pool may let go of when it
    /// fails; a [`lease`](Self::lease) keeps it.
    ///
    /// # Errors
    /// A [`RegistryError`](crate::RegistryError) when no server is connected within
    /// [`server_timeout`](Builder::server_timeout): the directory knows none, or can't be asked, or
    /// none can be reached. Nothing was sent then. [`Error::Timeout`] when the answer doesn't come
    /// within [`call_timeout`](Builder::call_timeout), [`Error::Closed`] when the connection breaks
    /// before: the server may have done it. [`Error::Remote`] when the method raises; as
    /// [`Netref::call`](rpyc_core::Netref::call).
    pub fn call(&self, method: &str, args: Args) -> Result<Any, Error> {
        self.call_over(method, args).map_err(|failed| failed.error)
    }

    /// For calls that do no harm when they are done twice: where a connection breaks or an answer
    /// doesn't come in time, they are given to another server, three in all.
    pub fn retryable(&self) -> Retryable<'_> {
        Retryable(self)
    }

    /// A server for several calls: the one with the fewest unanswered ones of this pool. The lease counts
    /// as one, until it is dropped.
    ///
    /// # Errors
    /// A [`RegistryError`](crate::RegistryError), as [`call`](Self::call).
    pub fn lease(&self) -> Result<Lease, Error> {
        let shared = &self.owned.0;
        Lease::take(shared, Instant::now() + shared.timing.server_timeout)
    }

    /// What the pool knows of its servers at the moment.
    pub fn status(&self) -> PoolStatus {
        self.owned.0.status()
    }

    fn call_over(&self, method: &str, args: Args) -> Result<Any, Failed> {
        let shared = &self.owned.0;
        let until = Instant::now() + shared.timing.server_timeout;
        loop {
            let lease = Lease::take(shared, until).map_err(Failed::before)?;
            // Should the call not be sent, the arguments are wanted again.
            let root = lease.root_within(Some(shared.timing.call_timeout));
            let sent = root.and_then(|root| {
                let root = root.netref()?.clone();
                root.async_call_method(method, args.clone())
            });
            let running = match sent {
                Ok(running) => running,
                // The call wasn't sent, and another server may be better.
                Err(error) if is_loss(&error) => {
                    lease.end(Outcome::Failed(error.clone()));
                    match until <= Instant::now() {
                        true => return Err(Failed::before(error)),
                        false => continue,
                    }
                }
                Err(error) => return Err(Failed::before(error)),
            };
            running.set_expiry(Some(shared.timing.call_timeout));
            return match running.value() {
                Err(error) if is_loss(&error) => {
                    lease.end(Outcome::Failed(error.clone()));
                    let is_lost = true;
                    Err(Failed { error, is_lost })
                }
                answer => {
                    lease.end(Outcome::Answered);
                    answer.map_err(Failed::before)
                }
            };
        }
    }
}

impl fmt::Debug for ServicePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServicePool")
            .field("service", &self.owned.0.service)
            .field("status", &self.status())
            .finish()
    }
}

/// Calls that may be done twice; made by [`ServicePool::retryable`].
#[derive(Clone, Copy, Debug)]
pub struct Retryable<'a>(&'a ServicePool);

impl Retryable<'_> {
    /// Calls a method of the service; each try has [`ServicePool::call`]'s time.
    ///
    /// # Errors
    /// As [`ServicePool::call`], of the last try.
    pub fn call(&self, method: &str, args: Args) -> Result<Any, Error> {
        for _ in 1..TRIES {
            match self.0.call_over(method, args.clone()) {
                Err(failed) if failed.is_lost => {}
                outcome => return outcome.map_err(|failed| failed.error),
            }
        }
        self.0.call(method, args)
    }
}

/// Why there is no result.
struct Failed {
    error: Error,
    // The call was sent, and whether it was done isn't known.
    is_lost: bool,
}

impl Failed {
    fn before(error: Error) -> Failed {
        Failed {
            error,
            is_lost: false,
        }
    }
}

/// Whether it is the server's failure, and not its answer.
fn is_loss(error: &Error) -> bool {
    error.is_closed() || error.is_timeout()
}

/// How often a call is sent that may be.
const TRIES: usize = 3;
