//! Flags to config to a running server, until it is stopped.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use log::{info, warn};
use rpyc_core::Config;
use rpyc_server::{ListenError, Server};

use crate::classic::Evaluator;
use crate::cli::{ServeOptions, Serving};
use crate::failure::Failure;
use crate::{logging, signals};

/// Serves until a signal stops it.
pub(crate) fn run(options: &ServeOptions) -> Result<(), Failure> {
    let serving = &options.serving;
    if !serving.classic {
        return Err(Failure::usage("nothing to serve")
            .hint("Say --classic to serve classic mode; --help shows examples."));
    }
    let addresses = resolve(serving)?;
    let reachable = addresses.iter().any(|address| !is_loopback(address.ip()));
    if reachable && !serving.insecure {
        return Err(not_loopback(serving));
    }
    logging::start(&options.logging)?;
    let signals = signals::catch().map_err(broken)?;
    let evaluator = Evaluator::start(serving)
        .map_err(|error| Failure::new("the evaluator doesn't start").because(error))?;
    let server = Server::builder_from(evaluator.factory(serving))
        .connection_config(connection_config(serving))
        .max_clients(serving.max_clients)
        .listen(&addresses[..])
        .map_err(|error| cant_listen(serving, error))?;
    if let Some(address) = server.local_addr() {
        announce(address, reachable);
    }
    signals.stop_with(server.stopper()).map_err(broken)?;
    server.run().map_err(broken)?;
    evaluator.stop();
    info!("stopped");
    Ok(())
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new("the server can't go on").because(error)
}

fn cant_listen(serving: &Serving, error: ListenError) -> Failure {
    let in_use = error.is_in_use();
    let failure = Failure::new(format!("--port {} can't be had", serving.port)).because(error);
    if !in_use {
        return failure;
    }
    failure.hint(
        "Another program listens there: take another port with --port, or a free one with \
         --port 0.",
    )
}

fn not_loopback(serving: &Serving) -> Failure {
    Failure::usage(format!(
        "--host {} is reached from other machines, which classic mode isn't safe for",
        serving.host
    ))
    .hint(
        "Whoever connects can run any code as this user. Keep to 127.0.0.1 and come through a \
         tunnel (ssh -L 18812:127.0.0.1:18812 user@server), or accept that with --insecure.",
    )
}

fn resolve(serving: &Serving) -> Result<Vec<SocketAddr>, Failure> {
    let host = serving.host.trim_start_matches('[').trim_end_matches(']');
    match (host, serving.port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(Failure::new(format!(
            "--host {}: the name has no address",
            serving.host
        ))
        .because(error)),
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn connection_config(serving: &Serving) -> Config {
    let mut config = Config::default();
    config.include_local_traceback = !serving.no_traceback;
    config.sync_request_timeout = serving.sync_request_timeout;
    // A classic client asks for the root as soon as it is connected.
    config.handshake_timeout = Some(HANDSHAKE);
    config
}

fn announce(address: SocketAddr, reachable: bool) {
    info!("listening on {address}");
    let port = address.port();
    let host = match address.ip() {
        ip if ip.is_unspecified() => "this machine's name".to_owned(),
        ip => format!("\"{ip}\""),
    };
    let ipv6 = if address.is_ipv6() { ", ipv6=True" } else { "" };
    info!("from Python: import rpyc; conn = rpyc.classic.connect({host}, port={port}{ipv6})");
    if reachable {
        warn!("whoever reaches {address} can run any code as this user (--insecure)");
    }
}

/// How long a client may take for its first message.
const HANDSHAKE: Duration = Duration::from_secs(10);
