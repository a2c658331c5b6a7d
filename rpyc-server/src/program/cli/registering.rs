//! Options of a server that registers with a registry.

use std::net::IpAddr;
use std::time::Duration;

use clap::value_parser;
use rpyc_registry::message::ServiceName;

use super::arg::seconds;
use super::directory::{DirectoryOptions, Etcd};
use super::options::Effect::{self, Listening};
use super::options::{many, optional, options, switch, with_default};

options! {
    /// With which registry a server registers, and as what.
    Registering in "Registering" {
        register: bool = switch("register",
            "Register with a registry each minute, or with etcd, and unregister at the end")
            .counts(Listening);
        advertise_host: Option<IpAddr> = optional("advertise-host", "IP", parse_ip,
            "The address to register. Any registry takes one of this machine's; one that clients \
             see from outside (of a container, a router) takes a registry of rpyc-server with \
             --foreign-hosts").counts(Effect::Registering);
        advertise_port: Option<u16> = optional("advertise-port", "PORT", value_parser!(u16).range(1..),
            "The port to register, where it isn't the one listened on")
            .counts(Effect::Registering);
        names: Vec<String> = many("service-name", "NAME", service_name,
            "The name to register; can be given several times. With --service: those of the class \
             are the default")
            .with(|arg| arg.value_delimiter(',').default_value("SLAVE"))
            .counts(Effect::Registering);
        lease: Duration = with_default("etcd-lease", "SECS", "30", seconds,
            "etcd: how long a server is known that has fallen silent; it says that it is there \
             three times as often").counts(Effect::Registering);
    } with {
        directory: DirectoryOptions,
        etcd: Etcd,
    }
}

fn parse_ip(text: &str) -> Result<IpAddr, std::net::AddrParseError> {
    text.parse()
}

fn service_name(text: &str) -> Result<String, String> {
    match ServiceName::new(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("a service's name has between 1 and 255 bytes".to_owned()),
    }
}
