//! Flags to config to a running server, until it is stopped.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use log::{info, warn};
use rpyc_core::Config;
use rpyc_server::{ListenError, Server};

use crate::classic::Evaluator;
use crate::cli::Cli;
use crate::{logging, signals};

/// Why the program ends otherwise than by being told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("--host {host}: the name has no address")]
    Host { host: String, source: io::Error },
    #[error("--port {port} can't be had")]
    Listen { port: u16, source: ListenError },
    #[error("--logfile: can't write the log")]
    Logfile(#[source] io::Error),
    #[error("nothing to serve")]
    NoMode,
    #[error("--host {0} is reached from other machines, which classic mode isn't safe for")]
    NotLoopback(String),
    #[error("the server can't go on")]
    Run(#[source] io::Error),
    #[error("the evaluator doesn't start")]
    Start(#[source] rpyc_classic::rustpython::StartError),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::NoMode | Failure::NotLoopback(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Failure::Listen { source, .. } if source.is_in_use() => Some(
                "Another program listens there: take another port with --port, or a free one \
                 with --port 0.",
            ),
            Failure::NoMode => Some("Say --classic to serve classic mode; --help shows examples."),
            Failure::NotLoopback(_) => Some(
                "Whoever connects can run any code as this user. Keep to 127.0.0.1 and come \
                 through a tunnel (ssh -L 18812:127.0.0.1:18812 user@server), or accept that \
                 with --insecure.",
            ),
            _ => None,
        }
    }
}

/// Serves until a signal stops it.
pub(crate) fn run(cli: &Cli) -> Result<(), Failure> {
    if !cli.classic {
        return Err(Failure::NoMode);
    }
    let addresses = resolve(cli)?;
    let reachable = addresses.iter().any(|address| !is_loopback(address.ip()));
    if reachable && !cli.insecure {
        return Err(Failure::NotLoopback(cli.host.clone()));
    }
    logging::start(cli.quiet, cli.verbose, cli.logfile.as_deref()).map_err(Failure::Logfile)?;
    let signals = signals::catch().map_err(Failure::Run)?;
    let evaluator = Evaluator::start().map_err(Failure::Start)?;
    let server = Server::builder_from(evaluator.factory(cli))
        .connection_config(connection_config(cli))
        .max_clients(cli.max_clients)
        .listen(&addresses[..])
        .map_err(|source| Failure::Listen {
            port: cli.port,
            source,
        })?;
    announce(server.local_addr(), reachable);
    signals.stop_with(server.stopper()).map_err(Failure::Run)?;
    server.run().map_err(Failure::Run)?;
    evaluator.stop();
    info!("stopped");
    Ok(())
}

fn resolve(cli: &Cli) -> Result<Vec<SocketAddr>, Failure> {
    let host = cli.host.trim_start_matches('[').trim_end_matches(']');
    match (host, cli.port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(source) => Err(Failure::Host {
            host: cli.host.clone(),
            source,
        }),
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn connection_config(cli: &Cli) -> Config {
    let mut config = Config::default();
    config.include_local_traceback = !cli.no_traceback;
    config.sync_request_timeout = cli.sync_request_timeout;
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
