//! From options to what is going to happen: resolved, checked, and nothing started yet.

use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use crate::Address;
use crate::auth::{Access, Tls};
use rpyc_core::Config;
use rpyc_registry::{Directory, EtcdDirectory, RegistryClient};

use crate::program::access;
use crate::program::classic;
use crate::program::cli::directory::Found;
use crate::program::cli::{Logging, Registering, ServeMode, ServeOptions, Socket};
use crate::program::exposure::Guard;
use crate::program::failure::Failure;
use crate::program::mode_options;

/// What a server is going to do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// TCP addresses, the first one that can be had; empty for none.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) access: Access,
    pub(crate) config: Config,
    pub(crate) port: u16,
    pub(crate) guard: Guard,
    pub(crate) registry: Option<Arc<dyn Directory>>,
    pub(crate) tls: Option<Tls>,
    /// What the operator is to be told of.
    pub(crate) warnings: Vec<String>,
}

impl Plan {
    /// Checks the options of all servers, and that they don't get in each other's way.
    pub(crate) fn of_all(servers: &[ServeOptions]) -> Result<Vec<Plan>, Failure> {
        let planned = servers.iter().map(|options| {
            let planned = check_among_several(options).and_then(|()| Plan::new(options));
            planned.map_err(|failure| options.failed(failure))
        });
        let plans = planned.collect::<Result<Vec<_>, _>>()?;
        check_apart(servers, &plans)?;
        Ok(plans)
    }

    /// Checks the options, and looks up what they name.
    pub(crate) fn new(options: &ServeOptions) -> Result<Plan, Failure> {
        let is_classic = options.serving.classic;
        match (is_classic, options.service.place.is_some()) {
            (true, false) | (false, true) => {}
            (false, false) => {
                return Err(Failure::usage("nothing to serve").hint(
                    "Say --classic to serve classic mode, or --service MODULE:CLASS; --help shows \
                     examples.",
                ));
            }
            (true, true) => {
                return Err(
                    Failure::usage("--classic and --service: a port serves one of them")
                        .hint("Start a server for each."),
                );
            }
        }
        let warnings = mode_options::check(options)?;
        check_user(options)?;
        check_logging(&options.logging)?;
        classic::check(&options.python)?;
        check_unix(options.socket.unix.as_deref())?;
        let (tls, access) = match options.serving.mode {
            // Who has the server's standard streams is in.
            ServeMode::Stdio => (None, Access::new()),
            _ => {
                let tls = access::tls(&options.access)?;
                let access = access::access(&options.access, tls.as_ref())?;
                (tls, access)
            }
        };
        let default_port = match (is_classic, tls.is_some()) {
            (true, false) => PORT,
            (true, true) => TLS_PORT,
            (false, _) => SERVICE_PORT,
        };
        let port = options.socket.port.unwrap_or(default_port);
        let addresses = match options.serving.mode {
            // Its server listens. What that has looked up isn't looked up for each client again: who
            // answers to names may be away by now.
            ServeMode::Child | ServeMode::Stdio => Vec::new(),
            _ => addresses(&options.socket, port)?,
        };
        let guard = Guard::new(&options.access, is_classic);
        let is_unsafe = |&address: &SocketAddr| !guard.suffices(&Address::Tcp(address));
        if addresses.iter().any(is_unsafe) {
            let host = options.socket.host.as_deref().unwrap_or_default();
            return Err(guard.refusal(&format!("--host {host}")));
        }
        if options.serving.mode == ServeMode::OneShot && addresses.is_empty() {
            return Err(Failure::usage("--mode oneshot prints a TCP address")
                .hint("Give it one with --port, beside --unix or instead of it."));
        }
        Ok(Plan {
            registry: match options.serving.mode {
                ServeMode::Child | ServeMode::Stdio => None,
                _ => registry(&options.registering, &addresses)?,
            },
            config: config(options),
            access,
            addresses,
            port,
            guard,
            tls,
            warnings,
        })
    }
}

/// Whether the mode is one of a server that has others beside it.
fn check_among_several(options: &ServeOptions) -> Result<(), Failure> {
    match options.serving.mode {
        _ if options.is_alone => Ok(()),
        ServeMode::Pool | ServeMode::Process | ServeMode::Threaded => Ok(()),
        mode @ (ServeMode::Child | ServeMode::OneShot | ServeMode::Stdio) => {
            let mode = mode.name();
            Err(
                Failure::usage(format!("--mode {mode} is for one server alone"))
                    .hint("Take another mode, or start a program for each server."),
            )
        }
    }
}

/// Whether no two servers want the same place.
fn check_apart(servers: &[ServeOptions], plans: &[Plan]) -> Result<(), Failure> {
    let mut taken: Vec<(Address, &str)> = Vec::new();
    for (options, plan) in servers.iter().zip(plans) {
        let tcp = plan.addresses.iter().filter(|address| address.port() != 0);
        let tcp = tcp.copied().map(Address::Tcp);
        let unix = options
            .socket
            .unix
            .clone()
            .map(|path| Address::Unix(Some(path)));
        let wanted: Vec<Address> = tcp.chain(unix).collect();
        for address in &wanted {
            if let Some((_, other)) = taken.iter().find(|(taken, _)| taken == address) {
                let both = format!("{} and {other} want {address}", options.name());
                return Err(Failure::usage(both).hint("Give each server a port of its own."));
            }
        }
        taken.extend(wanted.into_iter().map(|address| (address, options.name())));
    }
    Ok(())
}

/// Whether clients' processes can run as the user that they are to run as.
fn check_user(options: &ServeOptions) -> Result<(), Failure> {
    let spawns = options.serving.mode == ServeMode::Process;
    if spawns && options.limits.user.is_some() && !rustix::process::geteuid().is_root() {
        return Err(
            Failure::new("--user: only root can start processes as another user")
                .hint("Start the server as root, or as that user without --user."),
        );
    }
    Ok(())
}

/// Whether the log file can be written, without making it.
pub(crate) fn check_logging(logging: &Logging) -> Result<(), Failure> {
    let Some(path) = &logging.logfile else {
        return Ok(());
    };
    let failure = Failure::new(format!("--logfile {}: can't be written", path.display()));
    if path.exists() {
        let opened = File::options().append(true).open(path);
        return opened.map(drop).map_err(|error| failure.because(error));
    }
    check_folder(path, failure)
}

/// Whether the Unix socket has a place to be.
fn check_unix(path: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = path else {
        return Ok(());
    };
    let failure = || Failure::new(format!("--unix {} can't be had", path.display()));
    if fs::symlink_metadata(path).is_ok_and(|there| !there.file_type().is_socket()) {
        return Err(failure().because("there is a file that isn't a socket"));
    }
    check_folder(path, failure())
}

/// Whether there is a folder for that file.
fn check_folder(path: &Path, failure: Failure) -> Result<(), Failure> {
    match path.parent() {
        Some(folder) if folder != Path::new("") && !folder.is_dir() => {
            Err(failure.because(format!("there is no folder {}", folder.display())))
        }
        _ => Ok(()),
    }
}

fn addresses(socket: &Socket, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    if socket.unix.is_some() && socket.host.is_none() && socket.port.is_none() {
        return Ok(Vec::new());
    }
    let default = if socket.ipv6 { "::1" } else { "127.0.0.1" };
    let host = socket.host.as_deref().unwrap_or(default);
    let mut addresses = resolve("--host", host, port)?;
    choose_family(&mut addresses, socket.ipv6);
    if addresses.is_empty() {
        return Err(
            Failure::usage(format!("--ipv6: --host {host} has no IPv6 address"))
                .hint("Remove --ipv6, or name another host."),
        );
    }
    Ok(addresses)
}

/// A name may have addresses of both families. Python's clients ask for IPv4 unless they are told
/// otherwise, as this server is: then IPv6 it is.
fn choose_family(addresses: &mut Vec<SocketAddr>, ipv6: bool) {
    if ipv6 {
        addresses.retain(SocketAddr::is_ipv6);
    }
    addresses.sort_by_key(SocketAddr::is_ipv6);
}

/// The addresses of a host that an option names.
pub(crate) fn resolve(option: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match (bare, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => {
            Err(Failure::new(format!("{option} {host}: the name has no address")).because(error))
        }
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn config(options: &ServeOptions) -> Config {
    let limits = &options.limits;
    let mut config = Config::default();
    config.compress = options.serving.compress;
    config.frame_timeout = limits.frame_timeout;
    // A classic client asks for the root as soon as it is connected.
    config.handshake_timeout = limits.handshake_timeout;
    config.idle_timeout = limits.idle_timeout;
    config.include_local_traceback = !options.serving.no_traceback;
    config.limits = config
        .limits
        .max_frame(limits.max_frame)
        .max_inflated(limits.max_inflated);
    config.max_first_frame = config.max_first_frame.min(limits.max_frame);
    config.max_nested = limits.max_nested;
    config.max_objects = limits.max_objects;
    config.max_pending = limits.max_pending;
    config.max_queued = limits.max_queued;
    config.sync_request_timeout = limits.sync_request_timeout;
    config.write_timeout = limits.write_timeout;
    config
}

/// How to reach the registry, if the server is to register.
fn registry(
    options: &Registering,
    addresses: &[SocketAddr],
) -> Result<Option<Arc<dyn Directory>>, Failure> {
    if !options.register {
        return Ok(None);
    }
    if addresses.is_empty() {
        return Err(
            Failure::usage("--register: a registry knows TCP ports only")
                .hint("Listen on one with --port, beside --unix or instead of it."),
        );
    }
    let Registering { directory, .. } = options;
    let found = Found::new(directory, &options.etcd, options.lease)?;
    let client = match found {
        Found::Etcd(directory) => {
            let own = etcd_address(options, addresses)?;
            let directory = own.into_iter().fold(directory, EtcdDirectory::advertise);
            return Ok(Some(Arc::new(directory)));
        }
        Found::Registry(client) => client,
    };
    let is_near = match &directory.host {
        None => false,
        Some(host) => {
            let registries = resolve("--registry-host", host, directory.port)?;
            registries.iter().all(|registry| is_loopback(registry.ip()))
        }
    };
    let client = match options.advertise_host {
        Some(ip) if is_of_this_machine(ip) => client.source(ip),
        Some(ip) => client.advertise(ip),
        None if is_near => client,
        None if addresses.iter().all(|address| is_loopback(address.ip())) => {
            return Err(unfindable());
        }
        // A registry takes a server to be where it asks from.
        None => own_address(addresses)
            .into_iter()
            .fold(client, RegistryClient::source),
    };
    Ok(Some(Arc::new(client)))
}

/// The address that etcd is told, where it isn't the one that leads to it.
fn etcd_address(
    options: &Registering,
    addresses: &[SocketAddr],
) -> Result<Option<IpAddr>, Failure> {
    let own = options.advertise_host.or_else(|| own_address(addresses));
    let members = options.directory.host.as_deref().unwrap_or_default();
    let is_near = members.split(',').all(|member| {
        ["127.", "localhost", "[::1]"]
            .iter()
            .any(|near| member.trim().starts_with(near))
    });
    match own {
        Some(ip) if is_loopback(ip) && options.advertise_host.is_none() && !is_near => {
            Err(unfindable())
        }
        own => Ok(own),
    }
}

/// The address that a server listens on, if it isn't all of them.
fn own_address(addresses: &[SocketAddr]) -> Option<IpAddr> {
    let mut ips = addresses.iter().map(SocketAddr::ip);
    ips.find(|ip| !ip.is_unspecified())
}

fn unfindable() -> Failure {
    Failure::usage("--register: the server listens on loopback, where nobody finds it").hint(
        "Listen on another address with --host, name the registry of this machine with \
         --registry-host, or say with --advertise-host where the server is reached.",
    )
}

fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// The port of Python's classic server, and the one that it has with TLS.
const PORT: u16 = 18812;
const TLS_PORT: u16 = 18821;
/// What most services of Python's rpyc have.
const SERVICE_PORT: u16 = 18861;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_with_both_the_ipv4_address_is_taken_unless_ipv6_is_asked_for() {
        let chosen = |addresses: &[&str], ipv6| {
            let parse = |text: &&str| text.parse::<SocketAddr>().expect("an address");
            let mut addresses: Vec<SocketAddr> = addresses.iter().map(parse).collect();
            choose_family(&mut addresses, ipv6);
            addresses.first().map(ToString::to_string)
        };
        let both = ["[::1]:1", "127.0.0.1:1"];
        assert_eq!(chosen(&both, false).as_deref(), Some("127.0.0.1:1"));
        assert_eq!(chosen(&both, true).as_deref(), Some("[::1]:1"));
        assert_eq!(chosen(&["[::]:1"], false).as_deref(), Some("[::]:1"));
        assert_eq!(chosen(&["127.0.0.1:1"], true), None);
    }
}
