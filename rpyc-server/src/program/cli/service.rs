//! Options of a service that is written in Python.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches};

use super::arg::{is_on, option, switch};

/// Which class is served, and how.
#[derive(Debug)]
pub(crate) struct Service {
    /// `module:Class`
    pub(crate) place: Option<String>,
    pub(crate) protocol_config: Vec<String>,
    pub(crate) shared: bool,
}

impl Service {
    pub(super) fn from_matches(matches: &ArgMatches) -> Service {
        let config = matches.get_many::<String>("protocol-config");
        Service {
            place: matches.get_one("service").cloned(),
            protocol_config: config.into_iter().flatten().cloned().collect(),
            shared: is_on(matches, "shared"),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let args = [
        option(
            "service",
            "MODULE:CLASS",
            "Serve this class: clients use what has a name that begins with exposed_. Each client gets an \
             instance; an object that is no class serves all",
        )
        .value_parser(NonEmptyStringValueParser::new()),
        switch("shared", "With --service: one instance serves all clients"),
        option(
            "protocol-config",
            "NAME=VALUE",
            "With --service: an option of Python's rpyc for the clients' connections \
             (allow_public_attrs=true), or a dict of them by its place (module:NAME); can be given several \
             times",
        )
        .action(ArgAction::Append)
        .value_parser(NonEmptyStringValueParser::new()),
    ];
    let headed = args
        .into_iter()
        .map(|arg| arg.help_heading("Service in Python"));
    headed.collect()
}
