//! Several servers at once: who they are, how many at a time, and what became of each.

mod members;
mod output;
mod run;
mod screen;

use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rpyc_core::registry::ServerAddress;
use serde_json::{Map, Value};

use super::connect::{Target, Way};
use crate::printable::on_one_line;
use crate::program::cli::arg;
use crate::program::failure::Failure;

pub(super) use self::output::Stream;
pub(super) use self::run::Member;

/// The servers that a tool was given, where they may be several.
#[derive(Debug)]
pub(super) struct Fleet {
    ways: Vec<Way>,
    jobs: usize,
    max_output: u64,
    style: Style,
}

/// How a fleet's outcome is shown.
#[derive(Clone, Copy, Debug, Default)]
struct Style {
    json: bool,
    quiet: bool,
    // The table is what was asked for, and goes where results go.
    is_table_result: bool,
}

/// What a tool has done with a server.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Not as it should be, although the server has answered: the code raised an exception, say.
    pub(super) failed: bool,
    /// In words, for the table.
    pub(super) text: String,
    /// The same in numbers, for programs.
    pub(super) details: Map<String, Value>,
}

/// How it ended with a server.
#[derive(Debug)]
struct Ending {
    kind: Kind,
    text: String,
    details: Map<String, Value>,
    took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ok,
    Failed,
    /// By Ctrl-C, before its end or before it began.
    Interrupted,
}

impl Ending {
    fn new(kind: Kind, text: &str, began: Instant) -> Ending {
        Ending {
            kind,
            text: shortened(&on_one_line(text), MAX_TEXT),
            details: Map::new(),
            took: began.elapsed(),
        }
    }
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
        let way = Way::from_matches(matches)?;
        let mut found = Vec::new();
        // Neither the default nor the environment adds a server to those of --all.
        if services.is_empty() || super::connect::is_on_command_line(matches) {
            found.extend(targets.into_iter().cloned());
        }
        for service in services {
            let servers = super::registry::servers(matches, &service.name)?;
            found.extend(servers.into_iter().map(|server| service.target(server)));
        }
        let mut ways: Vec<Way> = Vec::new();
        for target in found {
            if ways.iter().all(|way| way.target != target) {
                ways.push(way.to(target));
            }
        }
        let max_output = match matches.try_get_one::<usize>("max-output") {
            Ok(Some(&size)) => size as u64,
            _ => 0,
        };
        let quiet = matches.try_get_one::<bool>("quiet");
        Ok(Some(Fleet {
            ways,
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

/// The text, or its beginning and three dots.
fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A server has its say in how it ended; this keeps it to a line of the table.
const MAX_TEXT: usize = 300;
