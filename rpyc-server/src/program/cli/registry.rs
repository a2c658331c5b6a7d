//! The `registry` command.

use std::time::Duration;

use crate::registry::Transport;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgMatches, Command, value_parser};
use ipnet::IpNet;

use super::arg::{
    flag, is_on, network, option, seconds, switch, value, with_opposites, with_variables,
};
use super::directory::{self, Etcd};
use super::help;
use super::logging::Logging;

/// The options of a registry.
#[derive(Debug)]
pub(crate) struct RegistryOptions {
    pub(crate) allow: Vec<IpNet>,
    pub(crate) check: bool,
    pub(crate) etcd: Etcd,
    pub(crate) etcd_host: Option<String>,
    pub(crate) foreign_hosts: bool,
    pub(crate) host: String,
    pub(crate) listing: bool,
    pub(crate) logging: Logging,
    pub(crate) max_entries: usize,
    pub(crate) port: u16,
    pub(crate) rate: u32,
    pub(crate) store_is_etcd: bool,
    pub(crate) timeout: Duration,
    pub(crate) transport: Transport,
}

impl RegistryOptions {
    pub(super) fn from_matches(matches: &ArgMatches) -> RegistryOptions {
        let any = if is_on(matches, "ipv6") {
            "::"
        } else {
            "0.0.0.0"
        };
        let host = matches.get_one::<String>("host").cloned();
        RegistryOptions {
            allow: matches
                .get_many("allow")
                .into_iter()
                .flatten()
                .copied()
                .collect(),
            check: is_on(matches, "check"),
            etcd: Etcd::from_matches(matches),
            etcd_host: matches.get_one::<String>("etcd-host").cloned(),
            foreign_hosts: is_on(matches, "foreign-hosts"),
            host: host.unwrap_or_else(|| any.to_owned()),
            listing: value(matches, "listing"),
            logging: Logging::from_matches(matches),
            max_entries: value::<u32>(matches, "max-entries") as usize,
            port: value(matches, "port"),
            rate: value(matches, "rate"),
            store_is_etcd: value::<String>(matches, "store") == "etcd",
            timeout: value(matches, "timeout"),
            transport: transport(matches, "mode"),
        }
    }
}

/// The transport that an option of [`transports`] names.
pub(super) fn transport(matches: &ArgMatches, name: &str) -> Transport {
    match value::<String>(matches, name).as_str() {
        "TCP" | "tcp" => Transport::Tcp,
        _ => Transport::Udp,
    }
}

pub(super) fn transports() -> PossibleValuesParser {
    PossibleValuesParser::new(["UDP", "TCP"])
}

pub(super) fn command(config: Arg) -> Command {
    Command::new("registry")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs a registry: servers register, clients ask where a service is")
        .after_help(help::REGISTRY)
        .args(args(config))
}

fn args(config: Arg) -> Vec<Arg> {
    let mut args = vec![
        option(
            "mode",
            "MODE",
            "Whether it is asked over UDP or TCP",
        )
        .short('m')
        .default_value("UDP")
        .ignore_case(true)
        .value_parser(transports()),
        option(
            "host",
            "ADDRESS",
            "Address or name to listen on; broadcasts are heard on 0.0.0.0 only [default: 0.0.0.0, \
             with --ipv6 ::]",
        )
        .value_parser(NonEmptyStringValueParser::new()),
        option(
            "port",
            "PORT",
            "Port to listen on; 0 takes a free one, which the log names",
        )
        .short('p')
        .default_value("18811")
        .value_parser(value_parser!(u16)),
        flag(option(
            "listing",
            "BOOL",
            "Tell which services there are, not only where a known one is",
        ))
        .short('l'),
        option(
            "timeout",
            "SECS",
            "How long servers not heard from are known",
        )
        .short('t')
        .default_value("240")
        .value_parser(seconds),
        option(
            "allow",
            "NETWORK",
            "Network that may ask and register (10.0.0.0/8); can be given several times \
             [default: everybody]",
        )
        .action(clap::ArgAction::Append)
        .value_delimiter(',')
        .value_parser(network),
        option(
            "rate",
            "N",
            "Questions a second that one source may ask, ten times as many at once; 0 sets no limit",
        )
        .default_value("100")
        .value_parser(value_parser!(u32)),
        option(
            "max-entries",
            "N",
            "Entries (services times servers) that it keeps, half of them for one host",
        )
        .default_value("10000")
        .value_parser(value_parser!(u32).range(1..=1_000_000)),
    ];
    args.extend([
        option(
            "store",
            "STORE",
            "Where it is kept who is where: in this process's memory, or in etcd, for which there \
             may be several copies of the registry",
        )
        .default_value("memory")
        .value_parser(PossibleValuesParser::new(["memory", "etcd"])),
        option("etcd-host", "HOSTS", "etcd's members: A:2379,B:2379,C:2379")
            .value_parser(NonEmptyStringValueParser::new()),
    ]);
    args.extend(directory::etcd_args());
    args.push(switch("ipv6", "Listen on IPv6, which takes IPv4, too").short('6'));
    args.push(switch(
        "foreign-hosts",
        "Let servers register another address than the one that they ask from \
         (--advertise-host); then everybody who may ask can redirect the services of others",
    ));
    args.push(switch(
        "check",
        "Say whether all of this makes sense, and start nothing",
    ));
    let mut args: Vec<Arg> = args
        .into_iter()
        .map(|arg| arg.help_heading("Registry"))
        .collect();
    let logging = Logging::options().into_iter();
    args.extend(logging.map(|option| option.arg));
    args.push(config);
    // Python's `rpyc_registry` has a `--quiet` that takes a value; so may this one.
    let with_value = |arg: Arg| match arg.get_id() == "quiet" {
        true => flag(arg),
        false => arg,
    };
    let args = with_opposites(args).into_iter().map(with_value);
    with_variables("RPYC_REGISTRY_", args.collect())
}
