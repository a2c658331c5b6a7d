//! A thread for each client: from the accepted stream to the end of its connection.

use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use log::{debug, info, log, warn};
use rpyc_core::Config;
use rpyc_core::Connection;
use rpyc_core::service::Service;
use socket2::{SockRef, TcpKeepalive};

use super::Shared;
use super::clients::Place;

/// Takes up a client, or refuses it. Returns at once: what may take its time happens on the
/// client's thread.
pub(super) fn admit(shared: &Shared, stream: TcpStream, peer: SocketAddr) {
    // The service's own code must not end the accept loop.
    let admitted = catch_unwind(AssertUnwindSafe(|| try_admit(shared, stream, peer)));
    if let Err(reason) = admitted.unwrap_or_else(|_| Err(PANICKED.to_owned())) {
        warn!("client {peer} refused: {reason}");
    }
}

fn try_admit(shared: &Shared, stream: TcpStream, peer: SocketAddr) -> Result<(), String> {
    // Some systems pass the listener's mode on.
    stream
        .set_nonblocking(false)
        .map_err(|error| error.to_string())?;
    set_options(&stream, peer, shared.options.keepalive);

    let mut config = shared.options.connection.clone();
    let name = config.connid.clone().unwrap_or_else(next_name);
    config.connid = Some(name.clone());
    if let Ok(local) = stream.local_addr() {
        config.endpoints = Some((local, peer));
    }
    let place = shared
        .clients
        .admit(&name, peer)
        .map_err(|refusal| refusal.to_string())?;
    let service = shared
        .factory
        .0
        .create()
        .map_err(|exception| exception.to_string())?;

    // The service says which threads its connections are served on; opening the connection
    // configures again, from the same start.
    let mut configured = config.clone();
    service.configure(&mut configured);
    let job = Box::new(move || {
        let serve = || serve(stream, peer, &name, service, config, &place);
        if catch_unwind(AssertUnwindSafe(serve)).is_err() {
            warn!("{name} from {peer}: ended: {PANICKED}");
        }
    });
    configured
        .executor
        .execute(job)
        .map_err(|error| error.to_string())
}

/// A client's life, on its thread.
fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    name: &str,
    service: Arc<dyn Service>,
    config: Config,
    place: &Place,
) {
    info!("{name} from {peer}: connected");
    let start = Instant::now();
    let connection = match Connection::open(stream, service, config) {
        Ok(connection) => connection,
        Err(error) => {
            warn!("{name} from {peer}: ended: {}", with_sources(&error));
            return;
        }
    };
    place.serving(&connection);
    let reason = connection.serve_all();
    if place.is_given_up() {
        return;
    }
    let level = if reason.is_normal() {
        log::Level::Info
    } else {
        log::Level::Warn
    };
    log!(
        level,
        "{name} from {peer}: ended: {reason}, {} requests, {:.1} s",
        connection.requests_served(),
        start.elapsed().as_secs_f64()
    );
}

fn set_options(stream: &TcpStream, peer: SocketAddr, keepalive: Option<Duration>) {
    let nodelay = stream.set_nodelay(true);
    let keepalive = keepalive.map_or(Ok(()), |after| {
        let probes = TcpKeepalive::new()
            .with_time(after)
            .with_interval(Duration::from_secs(5))
            .with_retries(3);
        SockRef::from(stream).set_tcp_keepalive(&probes)
    });
    if let Err(error) = nodelay.and(keepalive) {
        // The connection works without, only slower.
        debug!("client {peer}: socket options: {error}");
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Names of this process's clients, whichever server they are of.
fn next_name() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("conn{}", LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

/// What ended a client whose service's own code panicked; the panic hook has told more.
const PANICKED: &str = "its service panicked";
