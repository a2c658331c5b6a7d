//! A client's life, whichever thread leads it: admitted, authenticated, served, logged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use log::Level;
use rpyc_core::error::CloseReason;
use rpyc_core::executor::Executor;
use rpyc_core::service::{PeerInfo, Service};
use rpyc_core::transport::PeerAddr;
use rpyc_core::{Config, Connection};

use super::client_log::ClientLog;
use super::clients::ClientSlot;
use super::keepalive::set_options;
use super::raw::{Incoming, RawStream, Socket};
use super::refusal::Refused;
use super::shared::Shared;
use crate::causes::with_causes;

/// A client that was let in and isn't served yet.
pub(super) struct Admitted {
    stream: Incoming,
    peer: PeerAddr,
    name: String,
    info: PeerInfo,
    config: Config,
    service: Arc<dyn Service>,
    place: ClientSlot,
    /// Which threads its service wants its connections served on.
    pub(super) executor: Arc<dyn Executor>,
}

/// A client that is served.
pub(super) struct Served {
    pub(super) connection: Connection,
    client_log: Arc<ClientLog>,
    peer: PeerAddr,
    start: Instant,
    place: ClientSlot,
}

impl Admitted {
    /// Lets a client in, or refuses it. Runs in the accept loop: it returns at once, and what
    /// may take its time happens in [`open`](Admitted::open).
    pub(super) fn new(shared: &Shared, stream: Incoming, peer: PeerAddr) -> Option<Admitted> {
        // The service's own code must not end the accept loop.
        let admit = || Admitted::try_new(shared, stream, &peer);
        let outcome = catch_unwind(AssertUnwindSafe(admit));
        match outcome.unwrap_or_else(|_| Err((Refused::Service, PANICKED.to_owned()))) {
            Ok(admitted) => Some(admitted),
            Err((why, reason)) => {
                shared.refuse(why, &peer, &reason);
                None
            }
        }
    }

    fn try_new(
        shared: &Shared,
        stream: Incoming,
        peer: &PeerAddr,
    ) -> Result<Admitted, (Refused, String)> {
        let broken = |error: std::io::Error| (Refused::System, error.to_string());
        let options = &shared.options;
        let (config, mut info) = (options.connection.clone(), options.known.clone());
        let name = info.connid.get_or_insert_with(next_name).clone();
        if let Incoming::Raw(stream) = &stream {
            // Some systems pass the listener's mode on, and a server in process mode sees by it
            // that this process goes on from here.
            stream.set_nonblocking(false).map_err(broken)?;
            let write_timeout = options.connection.write_timeout;
            set_options(stream, peer, options.keepalive, write_timeout);
            if let (RawStream::Tcp(stream), PeerAddr::Tcp(peer)) = (stream, peer)
                && let Ok(local) = stream.local_addr()
            {
                info.endpoints = Some((local, *peer));
            }
        }
        info.address = Some(peer.clone());
        let place = shared
            .admit(&name, peer)
            .map_err(|refusal| (refusal.reason(), refusal.to_string()))?;
        let service = shared
            .factory
            .0
            .create()
            .map_err(|exception| (Refused::Service, exception.to_string()))?;
        if let (Some(_), Incoming::Raw(stream)) = (&options.authenticator, &stream) {
            // The accept loop ends it: one clock, which knows what it is the end of.
            let limit = options.handshake_timeout;
            let socket = stream.try_clone().map_err(broken)?;
            place.authenticating(
                socket,
                limit.and_then(|limit| Instant::now().checked_add(limit)),
            );
        }

        // Opening the connection configures again, from the same start.
        let mut configured = config.clone();
        service.configure(&mut configured, &mut info.clone());
        Ok(Admitted {
            stream,
            peer: peer.clone(),
            name,
            info,
            config,
            service,
            place,
            executor: configured.executor,
        })
    }

    /// Opens the connection on this thread, which may block: for the authenticator, and for the
    /// service's `on_connect`. What fails is logged.
    pub(super) fn open(self, shared: &Shared) -> Option<Served> {
        self.open_watched(shared).map(|(served, _)| served)
    }

    /// The same, with the socket, if it is one, for somebody who watches it.
    pub(super) fn open_watched(self, shared: &Shared) -> Option<(Served, Option<Socket>)> {
        let (name, peer) = (self.name.clone(), self.peer.clone());
        match catch_unwind(AssertUnwindSafe(|| self.try_open(shared))) {
            Ok(served) => served,
            Err(_) => {
                let ended = format_args!("ended: {PANICKED}");
                shared.client_log.session(Level::Warn, &name, &peer, ended);
                None
            }
        }
    }

    fn try_open(self, shared: &Shared) -> Option<(Served, Option<Socket>)> {
        let Admitted {
            stream,
            peer,
            name,
            mut info,
            mut config,
            service,
            place,
            ..
        } = self;
        let (stream, socket) = match (stream, &shared.options.authenticator) {
            (Incoming::Given(stream), _) => (stream, None),
            (Incoming::Raw(stream), None) => {
                let (stream, socket) = stream.into_shared();
                (stream, Some(socket))
            }
            (Incoming::Raw(stream), Some(authenticator)) => {
                let socket = stream.try_clone();
                let authenticated = authenticator.0.authenticate(stream, &peer);
                match (authenticated, place.authenticated(), socket) {
                    (Ok(authenticated), Ok(()), Ok(socket)) => {
                        info.credentials = authenticated.credentials;
                        (authenticated.stream, Some(Arc::new(socket) as Socket))
                    }
                    (Err(rejection), Ok(()), _) => {
                        let reason = with_causes(&rejection);
                        shared.refuse(Refused::Authentication, &peer, &reason);
                        return None;
                    }
                    (_, Ok(()), Err(error)) => {
                        shared.refuse(Refused::System, &peer, &error);
                        return None;
                    }
                    (_, Err(cut), _) => {
                        let limit = shared.options.handshake_timeout.unwrap_or_default();
                        let late = format_args!("it wasn't authenticated within {limit:?}");
                        shared.cut(cut, &peer, &late);
                        return None;
                    }
                }
            }
        };
        match place.let_in() {
            Ok(is_the_only_one) if is_the_only_one => shared.wake(),
            Ok(_) => {}
            Err(refusal) => {
                shared.turn_away(&peer, &refusal);
                return None;
            }
        }
        let stream = match &shared.options.metrics {
            Some(metrics) => metrics.count(stream, &mut config),
            None => stream,
        };
        let observer = config.observer.clone();
        let connected = format_args!("connected");
        shared
            .client_log
            .session(Level::Info, &name, &peer, connected);
        let start = Instant::now();
        match Connection::over(stream, service, config, info) {
            Ok(connection) => {
                if let Some(metrics) = &shared.options.metrics {
                    metrics.stay(&connection, observer.as_ref());
                }
                place.serving(&connection);
                let served = Served {
                    connection,
                    client_log: shared.client_log.clone(),
                    peer,
                    start,
                    place,
                };
                Some((served, socket))
            }
            Err(error) => {
                let ended = format_args!("ended: {}", with_causes(&error));
                shared.client_log.session(Level::Warn, &name, &peer, ended);
                None
            }
        }
    }
}

impl Served {
    /// Serves the client on this thread until its connection closes.
    pub(super) fn serve(self) {
        let reason = self.connection.serve_all();
        self.ended(&reason);
    }

    /// The connection has closed, and its service knows.
    pub(super) fn ended(self, reason: &CloseReason) {
        if self.place.is_given_up() {
            return;
        }
        let level = if reason.is_normal() {
            Level::Info
        } else {
            Level::Warn
        };
        let requests = self.connection.requests_served();
        let seconds = self.start.elapsed().as_secs_f64();
        let ended = format_args!("ended: {reason}, {requests} requests, {seconds:.1} s");
        let name = self.connection.connid();
        self.client_log.session(level, name, &self.peer, ended);
    }
}

/// Names of this process's clients, whichever server they are of.
pub(super) fn next_name() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("conn{}", LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

/// What ended a client whose service's own code panicked; the panic hook has told more.
const PANICKED: &str = "its service panicked";
