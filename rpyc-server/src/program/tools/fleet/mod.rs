//! Several servers at once: who they are, how many at a time, and what became of each.

mod ending;
mod members;
mod output;
mod run;
mod screen;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rpyc_registry::ServerAddress;

use super::connect::{ConnectOptions, Target};
use crate::program::cli::arg;
use crate::program::failure::Failure;

pub(super) use self::ending::Done;
use self::ending::Style;
pub(super) use self::run::Member;
pub(super) use self::screen::Stream;

/// The servers that a tool was given, where they may be several.
#[derive(Debug)]
pub(super) struct Fleet {
    servers: Vec<ConnectOptions>,
    jobs: usize,
    max_output: u64,
    style: Style,
}

/// The command with the options for several servers.
pub(super) fn with_args(command: Command) -> Command {
    let shows_output = ["eval", "exec"].contains(&command.get_name());
    let args = [
        arg::option(
            "all",
            "service:NAME",
            "Every server that the registry knows for the service, over TCP, or TLS with tls:service:NAME; may be given several times, and beside --connect",
        )
        .action(ArgAction::Append)
        .value_parser(Service::parse),
        arg::option("jobs", "N", "How many servers at a time")
            .default_value("64")
            .value_parser(value_parser!(u16).range(1..=1024)),
        Arg::new("json").long("json").action(ArgAction::SetTrue).help(
            "A JSON object on each line of the standard output, for each line of a server's, for the end of each server, and for the whole",
        ),
    ];
    let output = arg::option(
        "max-output",
        "SIZE",
        "With several servers: how much each may print (64KiB, 16MiB, 1GiB); more is its failure, and ends its connection",
    )
    .default_value("16MiB")
    .value_parser(arg::bytes);
    let output = shows_output.then_some(output);
    let headed = args.into_iter().chain(output);
    command
        .args(headed.map(|arg| arg.help_heading("Several servers")))
        .mut_arg("connect", |arg| arg.action(ArgAction::Append))
}

/// All servers of a service.
#[derive(Clone, Debug)]
struct Service {
    name: String,
    is_over_tls: bool,
}

impl Service {
    fn parse(text: &str) -> Result<Service, String> {
        let (rest, is_over_tls) = match text.strip_prefix("tls:") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        match rest.strip_prefix("service:") {
            Some(name) if !name.is_empty() => Ok(Service {
                name: name.to_owned(),
                is_over_tls,
            }),
            _ => Err("it is service: or tls:service: and the service's name".to_owned()),
        }
    }

    fn target(&self, server: ServerAddress) -> Target {
        let (host, port) = (server.host, server.port);
        match self.is_over_tls {
            true => Target::Tls { host, port },
            false => Target::Tcp { host, port },
        }
    }
}

impl Fleet {
    /// The servers of the command line; none where it names one server as any tool does.
    pub(super) fn from_matches(matches: &ArgMatches) -> Result<Option<Fleet>, Failure> {
        let services: Vec<&Service> = matches.get_many("all").into_iter().flatten().collect();
        let targets: Vec<&Target> = matches.get_many("connect").into_iter().flatten().collect();
        let json = matches.get_flag("json");
        if services.is_empty() && targets.len() < 2 && !json {
            return Ok(None);
        }
        let connect_options = ConnectOptions::from_matches(matches)?;
        let mut found = Vec::new();
        // Neither the default nor the environment adds a server to those of --all.
        if services.is_empty() || super::connect::is_on_command_line(matches) {
            found.extend(targets.into_iter().cloned());
        }
        for service in services {
            let servers = super::registry::servers(matches, &service.name)?;
            found.extend(servers.into_iter().map(|server| service.target(server)));
        }
        let mut servers: Vec<ConnectOptions> = Vec::new();
        for target in found {
            if servers.iter().all(|server| server.target != target) {
                servers.push(connect_options.to(target));
            }
        }
        let max_output = match matches.try_get_one::<usize>("max-output") {
            Ok(Some(&size)) => size as u64,
            _ => 0,
        };
        let quiet = matches.try_get_one::<bool>("quiet");
        Ok(Some(Fleet {
            servers,
            jobs: usize::from(*matches.get_one::<u16>("jobs").expect("has a default")),
            max_output,
            style: Style {
                json,
                quiet: matches!(quiet, Ok(Some(true))),
                is_table_result: false,
            },
        }))
    }

    /// The table at the end is the result, and not only what people want to know.
    #[must_use]
    pub(super) fn with_table_as_result(mut self) -> Fleet {
        self.style.is_table_result = true;
        self
    }
}
