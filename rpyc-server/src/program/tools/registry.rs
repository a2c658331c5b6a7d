//! What the registry knows: `services`, and where a service is.

use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use rpyc_core::registry::{Directory, RegistryClient, RegistryError, ServerAddress, ServerEntry};

use crate::printable::on_one_line;
use crate::program::cli::arg;
use crate::program::failure::Failure;

/// How to reach the registry.
pub(super) fn args() -> Vec<Arg> {
    let args = [
        arg::option(
            "registry-type",
            "TYPE",
            "Whether the registry is asked over UDP or TCP",
        )
        .default_value("UDP")
        .ignore_case(true)
        .value_parser(PossibleValuesParser::new(["UDP", "TCP"])),
        arg::option(
            "registry-host",
            "HOST",
            "The registry's host [default: whichever hears a UDP broadcast]",
        ),
        arg::option("registry-port", "PORT", "The registry's port")
            .default_value("18811")
            .value_parser(value_parser!(u16).range(1..)),
    ];
    let headed = args.map(|arg| arg.help_heading("Registry"));
    arg::with_variables("RPYC_CLIENT_", headed.into())
}

/// The registry of these options.
pub(super) fn client(matches: &ArgMatches) -> Result<Arc<dyn Directory>, Failure> {
    let kind = matches
        .get_one::<String>("registry-type")
        .expect("has a default");
    let host = matches.get_one::<String>("registry-host").cloned();
    let client = match (kind.eq_ignore_ascii_case("tcp"), host) {
        (true, Some(host)) => RegistryClient::tcp(host),
        (true, None) => {
            return Err(Failure::usage("--registry-type TCP needs --registry-host")
                .hint("Only over UDP a registry is found by itself, with a broadcast."));
        }
        (false, Some(host)) => RegistryClient::udp(host),
        (false, None) => RegistryClient::broadcast(),
    };
    let port = *matches
        .get_one::<u16>("registry-port")
        .expect("has a default");
    Ok(Arc::new(client.port(port).timeout(PATIENCE)))
}

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
    let names = client.list(None).map_err(failed)?;
    for name in &names {
        match client.discover(name) {
            Ok(servers) => print(name, servers)?,
            // One that has gone since, or with a name that a registry should not have taken.
            Err(RegistryError::NoServer { .. } | RegistryError::Misuse(_)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(u8::from(names.is_empty()))
}

/// Every server that the registry knows for a service.
pub(super) fn servers(matches: &ArgMatches, name: &str) -> Result<Vec<ServerAddress>, Failure> {
    let servers = client(matches)?.discover(name).map_err(failed)?;
    Ok(servers.into_iter().map(|server| server.address).collect())
}

/// Everybody may have registered anything.
fn print(name: &str, servers: Vec<ServerEntry>) -> Result<(), Failure> {
    for server in servers {
        let (name, server) = (on_one_line(name), on_one_line(&server.to_string()));
        crate::program::print(format!("{name}\t{server}\n").as_bytes())?;
    }
    Ok(())
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

const PATIENCE: Duration = Duration::from_secs(2);
