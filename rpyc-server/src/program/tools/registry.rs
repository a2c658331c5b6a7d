//! What the registry knows: `services`, and where a service is.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use rpyc_registry::{Directory, RegistryError, ServerAddress, ServerEntry, ServerFacts};

use crate::printable::on_one_line;
use crate::program::cli::arg;
use crate::program::cli::directory::{DirectoryOptions, Etcd, Found};
use crate::program::failure::Failure;

/// How to reach the registry.
pub(super) fn args() -> Vec<Arg> {
    let options = DirectoryOptions::options().into_iter();
    let args = options.chain(Etcd::options()).map(|option| option.arg);
    arg::with_variables("RPYC_CLIENT_", args.collect())
}

/// The registry of these options.
pub(super) fn client(matches: &ArgMatches) -> Result<Arc<dyn Directory>, Failure> {
    let options = DirectoryOptions::from_matches(matches);
    // A client holds no lease.
    let found = Found::new(&options, &Etcd::from_matches(matches), Duration::ZERO)?;
    Ok(match found {
        Found::Etcd(etcd) => {
            let told = AtomicUsize::new(0);
            Arc::new(
                etcd.on_warning(move |text| match told.fetch_add(1, Ordering::Relaxed) {
                    ..MAX_WARNINGS => warn(text),
                    MAX_WARNINGS => warn("there is more that is wrong in etcd, and isn't told"),
                    _ => {}
                }),
            )
        }
        found => found.into_directory(),
    })
}

/// Says that what is printed isn't all that somebody has registered.
fn warn(text: &str) {
    // Nothing is left to do when nobody listens.
    let _ = writeln!(io::stderr(), "rpyc-server: {}", on_one_line(text));
}

/// Lines about what is wrong in etcd, which is asked about each service. Who writes there must not
/// fill the terminal of whoever lists it.
const MAX_WARNINGS: usize = 10;

pub(super) fn command() -> Command {
    Command::new("services")
        .about("Lists what a registry knows: services, and where they are")
        .after_help("Examples:\n  rpyc-server services\n  rpyc-server services --registry-host registry.example calculator\n  rpyc-server shell --connect service:slave")
        .arg(Arg::new("name").value_name("NAME").help("Only this service"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    let client = client(matches)?;
    if let Some(name) = matches.get_one::<String>("name") {
        print(&name.to_uppercase(), client.discover(name).map_err(failed)?)?;
        return Ok(0);
    }
    let (mut printed, mut left_out) = (0, Vec::new());
    for name in client.list(None).map_err(failed)? {
        match client.discover(&name) {
            Ok(servers) => {
                print(&name, servers)?;
                printed += 1;
            }
            // One that has gone since, or with a name that a registry should not have taken.
            Err(error @ (RegistryError::NoServer { .. } | RegistryError::Misuse(_))) => {
                left_out.push(error);
            }
            Err(error) => return Err(failed(error)),
        }
    }
    if let Some(first) = left_out.first() {
        warn(&format!("{} services left out: {first}", left_out.len()));
    }
    Ok(u8::from(printed == 0))
}

/// Every server that the registry knows for a service.
pub(super) fn servers(matches: &ArgMatches, name: &str) -> Result<Vec<ServerAddress>, Failure> {
    let servers = client(matches)?.discover(name).map_err(failed)?;
    Ok(servers.into_iter().map(|server| server.address).collect())
}

/// Everybody may have registered anything.
fn print(name: &str, servers: Vec<ServerEntry>) -> Result<(), Failure> {
    for server in servers {
        let says = server.facts.as_ref().map_or(String::new(), said);
        let (name, server) = (on_one_line(name), on_one_line(&server.to_string()));
        let line = match says.is_empty() {
            true => format!("{name}\t{server}\n"),
            false => format!("{name}\t{server}\t{}\n", on_one_line(&says)),
        };
        crate::program::print::print(line.as_bytes())?;
    }
    Ok(())
}

/// What a server says of itself, as one more column.
fn said(facts: &ServerFacts) -> String {
    let clients = facts.clients.map(|clients| match facts.max_clients {
        Some(max) => format!("{clients} of {max} clients"),
        None => format!("{clients} clients"),
    });
    let version = facts
        .version
        .as_ref()
        .map(|version| format!("version {version}"));
    let parts: Vec<String> = [clients, version, facts.evaluator.clone()]
        .into_iter()
        .flatten()
        .collect();
    parts.join(", ")
}

fn failed(error: RegistryError) -> Failure {
    let hint = match &error {
        RegistryError::NoAnswer { .. } => {
            "--registry-host names the registry where a broadcast doesn't reach it; \
             `rpyc-server registry` runs one."
        }
        RegistryError::ListingOff { .. } => "Name the service, or run the registry with --listing.",
        _ => "--registry-host, --registry-port and --registry-type say which registry is asked.",
    };
    let is_silent = matches!(
        error,
        RegistryError::NoAnswer { .. } | RegistryError::Io { .. }
    );
    let failure = match is_silent {
        true => Failure::connection("the registry doesn't answer"),
        false => Failure::new("the registry can't tell"),
    };
    failure.because(error).hint(hint)
}
