//! The options of a server.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rpyc_core::Config;
use rpyc_core::service::ServiceFactory;

use super::listener::ListenError;
use super::{Factory, Server};

/// Options of a [`Server`], each with a default.
#[derive(Debug)]
pub struct Builder {
    factory: Factory,
    options: Options,
}

#[derive(Debug)]
pub(super) struct Options {
    pub(super) connection: Config,
    pub(super) grace: Duration,
    pub(super) keepalive: Option<Duration>,
    pub(super) max_clients: usize,
}

impl Builder {
    pub(super) fn new(factory: Arc<dyn ServiceFactory>) -> Builder {
        Builder {
            factory: Factory(factory),
            options: Options {
                connection: Config::default(),
                grace: Duration::from_secs(5),
                keepalive: Some(Duration::from_secs(60)),
                max_clients: 4000,
            },
        }
    }

    /// The config that each connection starts from, before its service's
    /// [`configure`](rpyc_core::service::Service::configure). Default: `Config::default()`.
    #[must_use]
    pub fn connection_config(mut self, config: Config) -> Builder {
        self.options.connection = config;
        self
    }

    /// How long running requests may take when the server stops. Default: 5 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Builder {
        self.options.grace = grace;
        self
    }

    /// After how much silence the system asks whether the client is still there, so that
    /// clients that vanished without a word don't stay for ever; `None` never asks.
    /// Default: 60 s, then three times every 5 s.
    #[must_use]
    pub fn keepalive(mut self, after: Option<Duration>) -> Builder {
        self.options.keepalive = after;
        self
    }

    /// How many clients may be connected at the same time; it stops whoever connects without
    /// end. Further ones are closed at once. Default: 4,000, below the 4,096 threads of
    /// `rpyc-core`'s shared pool.
    #[must_use]
    pub fn max_clients(mut self, max_clients: usize) -> Builder {
        self.options.max_clients = max_clients;
        self
    }

    /// Listens on the first of the addresses that can be had. Port 0 takes a free one;
    /// [`Server::local_addr`] tells which. An unspecified IPv6 address (`[::]`) takes IPv4
    /// clients, too.
    ///
    /// # Errors
    /// [`ListenError::Resolve`] when the name stands for no address, [`ListenError::Listen`]
    /// when the system refuses: most often because the port is in use.
    pub fn listen(self, address: impl ToSocketAddrs) -> Result<Server, ListenError> {
        let addresses: Vec<SocketAddr> = match address.to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(source) => return Err(ListenError::Resolve { source }),
        };
        Server::listen(&addresses, self.factory.0, self.options)
    }
}
