//! Where a server listens.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, value_parser};

use super::arg::{is_on, option, switch, value};

/// Where a server listens.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) host: Option<String>,
    pub(crate) ipv6: bool,
    pub(crate) port: Option<u16>,
    pub(crate) unix: Option<PathBuf>,
    pub(crate) unix_mode: u32,
}

impl Socket {
    pub(super) fn from_matches(matches: &ArgMatches) -> Socket {
        Socket {
            host: matches.get_one("host").cloned(),
            ipv6: is_on(matches, "ipv6"),
            port: matches.get_one("port").copied(),
            unix: matches.get_one("unix").cloned(),
            unix_mode: value(matches, "unix-mode"),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let mut args = vec![
        option(
            "host",
            "ADDRESS",
            "Address or name to listen on; :: takes IPv4 and IPv6 [default: 127.0.0.1, with --ipv6 \
             ::1]",
        )
        .value_parser(NonEmptyStringValueParser::new()),
        option(
            "port",
            "PORT",
            "TCP port to listen on; 0 takes a free one, which the log names [default: 18812, with TLS \
             18821]",
        )
        .short('p')
        .value_parser(value_parser!(u16)),
    ];
    args.push(switch("ipv6", "Listen on an IPv6 address").short('6'));
    args.extend([
        option(
            "unix",
            "PATH",
            "Listen on a Unix socket; on TCP, too, only where --host or --port is given",
        )
        .value_parser(value_parser!(PathBuf)),
        option(
            "unix-mode",
            "MODE",
            "The Unix socket's permissions: whoever may write to it may connect",
        )
        .default_value("600")
        .value_parser(permissions),
    ]);
    let headed = args.into_iter().map(|arg| arg.help_heading("Socket"));
    headed.collect()
}

/// Permissions in octal.
fn permissions(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("not permissions in octal, like 600 or 660".to_owned()),
    }
}
