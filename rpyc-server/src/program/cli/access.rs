//! Who gets in: TLS, a secret, networks, or everybody.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use ipnet::IpNet;

use super::arg::{is_on, option, switch};
use super::registry::network;

/// Who gets in.
#[derive(Debug)]
pub(crate) struct AccessOptions {
    pub(crate) allow: Vec<IpNet>,
    pub(crate) insecure: bool,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) ssl_cafile: Option<PathBuf>,
    pub(crate) ssl_certfile: Option<PathBuf>,
    pub(crate) ssl_keyfile: Option<PathBuf>,
}

impl AccessOptions {
    pub(super) fn from_matches(matches: &ArgMatches) -> AccessOptions {
        let file = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let allow = matches.get_many("allow").into_iter().flatten();
        AccessOptions {
            allow: allow.copied().collect(),
            insecure: is_on(matches, "insecure"),
            secret_file: file("secret-file"),
            ssl_cafile: file("ssl-cafile"),
            ssl_certfile: file("ssl-certfile"),
            ssl_keyfile: file("ssl-keyfile"),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let mut args = vec![
        option(
            "ssl-keyfile",
            "FILE",
            "Speak TLS with this key (PEM); SIGHUP reads the files anew",
        )
        .value_parser(value_parser!(PathBuf)),
        option(
            "ssl-certfile",
            "FILE",
            "The certificate of the key (PEM), with those between it and its authority behind it",
        )
        .value_parser(value_parser!(PathBuf)),
        option(
            "ssl-cafile",
            "FILE",
            "Let in only clients that have a certificate of these authorities (PEM)",
        )
        .value_parser(value_parser!(PathBuf)),
        option(
            "secret-file",
            "FILE",
            "Let in only clients that know the secret in this file",
        )
        .value_parser(value_parser!(PathBuf)),
        option(
            "allow",
            "NETWORK",
            "Let in only clients of this network (10.0.0.0/8); can be given several times",
        )
        .action(ArgAction::Append)
        .value_delimiter(',')
        .value_parser(network),
    ];
    args.push(switch(
        "insecure",
        "Let in everybody, also from other machines, though classic mode lets every client run any \
         code as this user",
    ));
    let headed = args.into_iter().map(|arg| arg.help_heading("Access"));
    headed.collect()
}
