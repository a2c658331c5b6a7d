//! Options of a server that registers with a registry.

use std::net::IpAddr;

use crate::registry::Transport;
use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use rpyc_core::registry::message::ServiceName;

use super::arg::{is_on, option, switch, value};
use super::registry::{transport, transports};

/// With which registry a server registers, and as what.
#[derive(Debug)]
pub(crate) struct Registering {
    pub(crate) advertise_host: Option<IpAddr>,
    pub(crate) advertise_port: Option<u16>,
    pub(crate) host: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) port: u16,
    pub(crate) register: bool,
    pub(crate) transport: Transport,
}

impl Registering {
    pub(super) fn from_matches(matches: &ArgMatches) -> Registering {
        let names = matches.get_many::<String>("service-name");
        Registering {
            advertise_host: matches.get_one("advertise-host").copied(),
            advertise_port: matches.get_one("advertise-port").copied(),
            host: matches.get_one("registry-host").cloned(),
            names: names.into_iter().flatten().cloned().collect(),
            port: value(matches, "registry-port"),
            register: is_on(matches, "register"),
            transport: transport(matches, "registry-type"),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let mut args = vec![switch(
        "register",
        "Register with a registry each minute, and unregister at the end",
    )];
    args.extend([
        option(
            "registry-type",
            "TYPE",
            "Whether the registry is asked over UDP or TCP",
        )
        .default_value("UDP")
        .ignore_case(true)
        .value_parser(transports()),
        option(
            "registry-host",
            "HOST",
            "The registry's host; TCP needs it [default: 255.255.255.255, whichever registry hears \
             the broadcast]",
        )
        .value_parser(NonEmptyStringValueParser::new()),
        option("registry-port", "PORT", "The registry's port")
            .default_value("18811")
            .value_parser(value_parser!(u16).range(1..)),
        option(
            "advertise-host",
            "IP",
            "The address to register. Any registry takes one of this machine's; one that clients \
             see from outside (of a container, a router) takes a registry of rpyc-server with \
             --foreign-hosts",
        )
        .value_parser(value_parser!(IpAddr)),
        option(
            "advertise-port",
            "PORT",
            "The port to register, where it isn't the one listened on",
        )
        .value_parser(value_parser!(u16).range(1..)),
        option(
            "service-name",
            "NAME",
            "The name to register; can be given several times. With --service: those of the class are the \
             default",
        )
        .action(ArgAction::Append)
        .value_delimiter(',')
        .default_value("SLAVE")
        .value_parser(service_name),
    ]);
    let headed = args.into_iter().map(|arg| arg.help_heading("Registering"));
    headed.collect()
}

fn service_name(text: &str) -> Result<String, String> {
    match ServiceName::new(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("a service's name has between 1 and 255 bytes".to_owned()),
    }
}
