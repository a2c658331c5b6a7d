//! What a server was told: its [`Mode`], and the rest that [`Builder`](super::Builder) sets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rpyc_core::Config;
use rpyc_core::service::{PeerInfo, ServiceFactory};

use super::authenticator::Authenticator;
use super::child_command::ChildCommand;
use super::metrics::Metrics;

/// The options of a server.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) authenticator: Option<AnyAuthenticator>,
    pub(super) connection: Config,
    /// What is known of the one client, where there is no other.
    pub(super) known: PeerInfo,
    pub(super) grace: Duration,
    pub(super) handshake_timeout: Option<Duration>,
    pub(super) keepalive: Option<Duration>,
    pub(super) max_clients: usize,
    pub(super) max_clients_per_address: Option<usize>,
    pub(super) metrics: Option<Metrics>,
    pub(super) mode: Mode,
}

/// Which threads or processes serve the clients.
///
/// | mode | a client costs | for |
/// |---|---|---|
/// | [`Threaded`](Mode::Threaded) | a thread | most servers: hundreds of clients, each answered without a hand-over |
/// | [`Pool`](Mode::Pool) | memory; a thread only while it is served | thousands of clients, most of them idle |
/// | [`Process`](Mode::Process) | a process | clients that are kept apart: what one of them breaks, or uses up, is its own |
/// | [`OneShot`](Mode::OneShot) | the server | a server that another program starts for itself |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// A thread for each client.
    #[default]
    Threaded,
    /// So many threads for all clients: a client that has sent something is served by one that is
    /// free. While a request waits for a client, another thread takes its place. Requests that keep all threads busy keep all clients waiting. Only on Linux.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Pool {
        /// How many threads.
        workers: usize,
    },
    /// A process for each client, in which this command runs: started anew, with the socket as
    /// its standard input, which it takes over by
    /// [`InheritedClient::take`](super::InheritedClient::take). Authentication happens there.
    ///
    /// The process is started when the client's first bytes come, so a service that speaks first
    /// (in its `on_connect`) isn't for this mode; a client that sends nothing within the handshake
    /// timeout is closed. Where an authenticator may speak first, as [`Secret`](super::auth::Secret)
    /// does, it is started at once. Either way a client has its process before it is authenticated
    /// ([`InheritedClient::authenticate`](super::InheritedClient::authenticate) keeps it small):
    /// `max_clients` bounds what strangers cost.
    ///
    /// On Linux a process that is still there a while after its client has gone (the
    /// grace period or five seconds, whichever is longer, and two more) is killed: its client may have
    /// stopped it. A server that stops sends its processes SIGTERM, and kills those that are still
    /// there after the grace period. What a process has started and left in its process group is killed
    /// when it has ended; on Linux [`ChildCommand::adopt_orphans`] has all of it killed.
    Process(ChildCommand),
    /// One client is served, the first one that is let in, and the server ends with it. Whom the
    /// authenticator refuses is nobody.
    OneShot,
}

/// A factory, which needs no `Debug` of its own.
pub(super) struct Factory(pub(super) Arc<dyn ServiceFactory>);

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Factory")
    }
}

/// An authenticator, which needs none, either.
pub(super) struct AnyAuthenticator(pub(super) Arc<dyn Authenticator>);

impl fmt::Debug for AnyAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}
