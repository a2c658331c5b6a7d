//! What is served, where, and to whom.

use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, RangedU64ValueParser};
use clap::{Arg, ArgMatches, value_parser};

use super::arg::{is_on, option, optional_seconds, switch, value};

/// What is served, where, and to whom.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) classic: bool,
    pub(crate) host: String,
    pub(crate) insecure: bool,
    pub(crate) max_clients: usize,
    pub(crate) no_pickle: bool,
    pub(crate) no_traceback: bool,
    pub(crate) port: u16,
    /// `None` lets requests run for ever.
    pub(crate) request_time_limit: Option<Duration>,
    /// `None` waits for ever.
    pub(crate) sync_request_timeout: Option<Duration>,
}

impl Serving {
    pub(super) fn from_matches(matches: &ArgMatches) -> Serving {
        Serving {
            classic: is_on(matches, "classic"),
            host: value(matches, "host"),
            insecure: is_on(matches, "insecure"),
            max_clients: value::<u64>(matches, "max-clients") as usize,
            no_pickle: is_on(matches, "no-pickle"),
            no_traceback: is_on(matches, "no-traceback"),
            port: value(matches, "port"),
            request_time_limit: value(matches, "request-time-limit"),
            sync_request_timeout: value(matches, "sync-request-timeout"),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let mut args = Vec::new();
    let mut group = |heading: &'static str, group: Vec<Arg>| {
        args.extend(group.into_iter().map(|arg| arg.help_heading(heading)));
    };
    group("Serving", serving());
    group("Socket", socket());
    group("Limits and deadlines", limits());
    args
}

fn serving() -> Vec<Arg> {
    let classic = switch(
        "classic",
        "RPYC_SERVER_CLASSIC",
        "no-classic",
        "Serve classic mode: clients import modules, evaluate and execute Python code here",
    );
    let no_pickle = switch(
        "no-pickle",
        "RPYC_SERVER_NO_PICKLE",
        "pickle",
        "Refuse to pickle: no obtain, no deliver",
    );
    let no_traceback = switch(
        "no-traceback",
        "RPYC_SERVER_NO_TRACEBACK",
        "traceback",
        "Send exceptions without their traceback",
    );
    [classic, no_pickle, no_traceback]
        .into_iter()
        .flatten()
        .collect()
}

fn socket() -> Vec<Arg> {
    let mut args = vec![
        option(
            "host",
            "RPYC_SERVER_HOST",
            "ADDRESS",
            "Address or name to listen on",
        )
        .default_value("127.0.0.1")
        .value_parser(NonEmptyStringValueParser::new()),
        option(
            "port",
            "RPYC_SERVER_PORT",
            "PORT",
            "TCP port to listen on; 0 takes a free one, which the log names",
        )
        .short('p')
        .default_value("18812")
        .value_parser(value_parser!(u16)),
    ];
    args.extend(switch(
        "insecure",
        "RPYC_SERVER_INSECURE",
        "no-insecure",
        "Listen on an address that other machines reach, though classic mode lets every client \
         run any code as this user",
    ));
    args
}

fn limits() -> Vec<Arg> {
    vec![
        option(
            "max-clients",
            "RPYC_SERVER_MAX_CLIENTS",
            "N",
            "Clients served at the same time; further ones are closed at once",
        )
        .default_value("1000")
        .value_parser(RangedU64ValueParser::<u64>::new().range(1..=4000)),
        option(
            "request-time-limit",
            "RPYC_SERVER_REQUEST_TIME_LIMIT",
            "SECS",
            "How long the code of one request may run until a TimeoutError is raised in it; 0 for \
             ever",
        )
        .default_value("0")
        .value_parser(optional_seconds),
        option(
            "sync-request-timeout",
            "RPYC_SERVER_SYNC_REQUEST_TIMEOUT",
            "SECS",
            "How long the server waits when it calls a client back; 0 waits for ever",
        )
        .default_value("30")
        .value_parser(optional_seconds),
    ]
}
