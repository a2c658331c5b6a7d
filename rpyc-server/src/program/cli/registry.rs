//! The `registry` command.

use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Arg, Command, value_parser};
use ipnet::IpNet;

use super::arg::{flag, network, seconds, with_opposites, with_variables};
use super::directory::Etcd;
use super::help;
use super::logging::Logging;
use super::options::{many, one_of, options, switch, text, with_default};
use crate::registry::Transport;

options! {
    /// The options of a registry.
    RegistryOptions in "Registry" {
        transport: Transport = with_default("mode", "MODE", "UDP", one_of(TRANSPORTS),
            "Whether it is asked over UDP or TCP").with(|arg| arg.short('m').ignore_case(true));
        given_host: Option<String> = text("host", "ADDRESS",
            "Address or name to listen on; broadcasts are heard on 0.0.0.0 only [default: 0.0.0.0, \
             with --ipv6 ::]");
        port: u16 = with_default("port", "PORT", "18811", value_parser!(u16),
            "Port to listen on; 0 takes a free one, which the log names")
            .with(|arg| arg.short('p'));
        listing: bool = switch("listing",
            "Tell which services there are, not only where a known one is")
            .with(|arg| flag(arg.short('l')));
        timeout: Duration = with_default("timeout", "SECS", "240", seconds,
            "How long servers not heard from are known").with(|arg| arg.short('t'));
        allow: Vec<IpNet> = many("allow", "NETWORK", network,
            "Network that may ask and register (10.0.0.0/8); can be given several times \
             [default: everybody]").with(|arg| arg.value_delimiter(','));
        rate: u32 = with_default("rate", "N", "100", value_parser!(u32),
            "Questions a second that one source may ask, ten times as many at once; 0 sets no limit");
        max_entries: usize = with_default(
            "max-entries", "N", "10000", RangedU64ValueParser::<usize>::new().range(1..=1_000_000),
            "Entries (services times servers) that it keeps, half of them for one host");
        store_is_etcd: bool = with_default("store", "STORE", "memory", one_of(STORES),
            "Where it is kept who is where: in this process's memory, or in etcd, for which there \
             may be several copies of the registry");
        etcd_host: Option<String> = text("etcd-host", "HOSTS",
            "etcd's members: A:2379,B:2379,C:2379");
        ipv6: bool = switch("ipv6", "Listen on IPv6, which takes IPv4, too")
            .with(|arg| arg.short('6'));
        foreign_hosts: bool = switch("foreign-hosts",
            "Let servers register another address than the one that they ask from \
             (--advertise-host); then everybody who may ask can redirect the services of others");
        check: bool = switch("check", "Say whether all of this makes sense, and start nothing");
    } with {
        etcd: Etcd,
        logging: Logging,
    }
}

impl RegistryOptions {
    /// Where it listens.
    pub(crate) fn host(&self) -> &str {
        let any = if self.ipv6 { "::" } else { "0.0.0.0" };
        self.given_host.as_deref().unwrap_or(any)
    }
}

const TRANSPORTS: &[(&str, Transport)] = &[("UDP", Transport::Udp), ("TCP", Transport::Tcp)];
const STORES: &[(&str, bool)] = &[("memory", false), ("etcd", true)];

pub(super) fn command(config: Arg) -> Command {
    Command::new("registry")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs a registry: servers register, clients ask where a service is")
        .after_help(help::REGISTRY)
        .args(args(config))
}

fn args(config: Arg) -> Vec<Arg> {
    let options = RegistryOptions::options().into_iter();
    let args = options.map(|option| option.arg).chain([config]);
    // Python's `rpyc_registry` has a `--quiet` that takes a value; so may this one.
    let with_value = |arg: Arg| match arg.get_id() == "quiet" {
        true => flag(arg),
        false => arg,
    };
    let args = with_opposites(args.collect()).into_iter().map(with_value);
    with_variables("RPYC_REGISTRY_", args.collect())
}
