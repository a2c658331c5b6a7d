//! Options of a server that registers with a registry.

use std::net::IpAddr;
use std::time::Duration;

use clap::{ArgAction, ArgMatches, value_parser};
use rpyc_core::registry::message::ServiceName;

use super::arg::{is_on, option, seconds, switch, value};
use super::directory::{self, Etcd, Kind};
use super::options::{Effect, ServeOption};

/// With which registry a server registers, and as what.
#[derive(Debug)]
pub(crate) struct Registering {
    pub(crate) advertise_host: Option<IpAddr>,
    pub(crate) advertise_port: Option<u16>,
    pub(crate) etcd: Etcd,
    pub(crate) host: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) lease: Duration,
    pub(crate) names: Vec<String>,
    pub(crate) port: u16,
    pub(crate) register: bool,
}

impl Registering {
    pub(super) fn from_matches(matches: &ArgMatches) -> Registering {
        let names = matches.get_many::<String>("service-name");
        Registering {
            advertise_host: matches.get_one("advertise-host").copied(),
            advertise_port: matches.get_one("advertise-port").copied(),
            etcd: Etcd::from_matches(matches),
            host: matches.get_one("registry-host").cloned(),
            kind: Kind::from_matches(matches),
            lease: value(matches, "etcd-lease"),
            names: names.into_iter().flatten().cloned().collect(),
            port: value(matches, "registry-port"),
            register: is_on(matches, "register"),
        }
    }
}

pub(super) fn options() -> Vec<ServeOption> {
    let mut args = vec![switch(
        "register",
        "Register with a registry each minute, or with etcd, and unregister at the end",
    )];
    args.extend(directory::args());
    args.extend([
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
    args.push(
        option(
            "etcd-lease",
            "SECS",
            "etcd: how long a server is known that has fallen silent; it says that it is there three times as often",
        )
        .default_value("30")
        .value_parser(seconds),
    );
    args.extend(directory::etcd_args());
    let headed = args.into_iter().map(|arg| {
        let effect = match arg.get_id() == "register" {
            true => Effect::Listening,
            false => Effect::Registering,
        };
        ServeOption::from(arg.help_heading("Registering")).counts(effect)
    });
    headed.collect()
}

fn service_name(text: &str) -> Result<String, String> {
    match ServiceName::new(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("a service's name has between 1 and 255 bytes".to_owned()),
    }
}
