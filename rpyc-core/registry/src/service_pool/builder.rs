//! [`Builder`]: the options of a pool.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rpyc_core::Config;
use rpyc_core::Connection;
use rpyc_core::Connector;
use rpyc_core::Error;

use super::servers::Policy;
use super::shared::{Connect, Shared, Timing};
use super::{Owned, ServicePool, workers};
use crate::{Directory, ServerAddress};

/// The options of a [`ServicePool`]; made by [`ServicePool::builder`].
#[derive(Clone)]
pub struct Builder {
    connect: Option<Connect>,
    policy: Policy,
    timing: Timing,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            connect: None,
            policy: Policy {
                max_servers: 256,
                max_connecting: MAX_CONNECTING,
                first_pause: Duration::from_millis(200),
                longest_pause: Duration::from_secs(30),
                check_interval: Duration::from_secs(30),
            },
            timing: Timing {
                server_timeout: Duration::from_secs(10),
                call_timeout: Duration::from_secs(30),
            },
        }
    }

    /// How to connect over TCP. Default: [`Connector::new`], and the config's `sync_request_timeout` is the
    /// [`call_timeout`](Self::call_timeout): that bounds what leases do, and how long a call may be
    /// in the sending, to a server that reads nothing. A config without one gets it, too.
    #[must_use]
    pub fn connector(mut self, connector: Connector) -> Builder {
        self.connect = Some(connect_by(connector));
        self
    }

    /// How to connect in any other way: over TLS, say. It runs on threads of the pool's, up to 16 at a time,
    /// and should have a limit in time: those that never return take the places of others. A connection
    /// whose config has no `sync_request_timeout` gets the [`call_timeout`](Self::call_timeout). The address is what somebody has registered.
    #[must_use]
    pub fn connect_with(
        mut self,
        connect: impl Fn(&ServerAddress) -> Result<Connection, Error> + Send + Sync + 'static,
    ) -> Builder {
        self.connect = Some(Arc::new(connect));
        self
    }

    /// How long a call waits for a server that is connected. Default: 10 s; an hour at most.
    #[must_use]
    pub fn server_timeout(mut self, timeout: Duration) -> Builder {
        self.timing.server_timeout = timeout.min(LONGEST);
        self
    }

    /// How long a call waits for its answer; a server that is late is left out until a new connection to it
    /// can be made. Default: 30 s; a day at most.
    #[must_use]
    pub fn call_timeout(mut self, timeout: Duration) -> Builder {
        self.timing.call_timeout = timeout.min(24 * LONGEST);
        self
    }

    /// The pauses after a server's first failure, and after many of them. Each is shortened by up to a half,
    /// by chance. Default: 200 ms, 30 s; an hour at most, and 10 ms at least: with none, a server that
    /// refuses would be tried without end.
    #[must_use]
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Builder {
        let first = first.clamp(SHORTEST_PAUSE, LONGEST);
        self.policy.first_pause = first;
        self.policy.longest_pause = longest.clamp(first, LONGEST);
        self
    }

    /// How long a server may be without a call until it is asked whether it is still there. Default: 30
    /// s; a day at most.
    #[must_use]
    pub fn check_interval(mut self, interval: Duration) -> Builder {
        self.policy.check_interval = interval.min(24 * LONGEST);
        self
    }

    /// How many servers are taken of those that the directory names: whoever may register can name any
    /// number of them, and each costs connections. Default: 256; one at least.
    #[must_use]
    pub fn max_servers(mut self, servers: usize) -> Builder {
        self.policy.max_servers = servers.max(1);
        self
    }

    /// Follows the service from now on. It doesn't wait for servers.
    ///
    /// # Errors
    /// A [`RegistryError`](crate::RegistryError) for what is no service's name; [`Error::Io`] when no thread can be had.
    pub fn start(self, directory: &dyn Directory, service: &str) -> Result<ServicePool, Error> {
        let watch = directory.watch(service)?;
        let pool = self.build(service);
        workers::follow(&pool.owned.0, watch)?;
        Ok(pool)
    }

    /// A pool of these servers, without a directory; `service` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Io`] when no thread can be had.
    pub fn start_on(
        self,
        servers: impl IntoIterator<Item = ServerAddress>,
        service: &str,
    ) -> Result<ServicePool, Error> {
        let pool = self.build(service);
        let shared = &pool.owned.0;
        shared.list(Ok(servers.into_iter().collect()));
        workers::look_after(shared)?;
        Ok(pool)
    }

    fn build(self, service: &str) -> ServicePool {
        let service = service.to_uppercase();
        let connect = self.connect.unwrap_or_else(|| {
            let config = Config::new().sync_request_timeout(Some(self.timing.call_timeout));
            connect_by(Connector::new().config(config))
        });
        let shared = Shared::new(service, connect, self.policy, self.timing);
        ServicePool {
            owned: Arc::new(Owned(Arc::new(shared))),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("policy", &self.policy)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

fn connect_by(connector: Connector) -> Connect {
    Arc::new(move |server| connector.connect((&*server.host, server.port)))
}

/// A flood of bad addresses takes no more threads than this, and keeps good ones waiting for their turn.
const MAX_CONNECTING: usize = 16;
const LONGEST: Duration = Duration::from_secs(3600);
/// Stops a pause of nothing, which would be a flood.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_refuses_isnt_tried_without_a_pause_whatever_the_options_say() {
        let pauses = Builder::new().pauses(Duration::ZERO, Duration::ZERO);
        for failures in [1, 2, 1_000] {
            let pause = pauses.policy.pause(failures, 0);
            assert!(pause >= Duration::from_millis(5), "{pause:?}");
        }
    }
}
