//! Options that bound what clients can do: each of them stops an attack, or a mistake that looks
//! like one.

use std::time::Duration;

use crate::ProcessLimits;
use clap::builder::RangedU64ValueParser;
use clap::{Arg, ArgMatches, value_parser};

use super::arg::{bytes, option, optional_seconds, value};
use crate::program::user::{self, User};

/// What clients can do at most. A time of `None` is no limit.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) frame_timeout: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) max_clients: usize,
    pub(crate) max_clients_per_address: Option<usize>,
    pub(crate) process: ProcessLimits,
    pub(crate) max_frame: usize,
    pub(crate) max_inflated: usize,
    pub(crate) max_nested: usize,
    pub(crate) max_objects: usize,
    pub(crate) max_pending: usize,
    pub(crate) max_queued: usize,
    pub(crate) request_time_limit: Option<Duration>,
    pub(crate) sync_request_timeout: Option<Duration>,
    /// As whom clients' processes run.
    pub(crate) user: Option<User>,
    pub(crate) write_timeout: Option<Duration>,
}

impl Limits {
    pub(super) fn from_matches(matches: &ArgMatches) -> Limits {
        let count = |name: &str| value::<u32>(matches, name) as usize;
        let per_address = matches.get_one::<u32>("max-clients-per-address");
        let memory = matches.get_one::<usize>("max-memory");
        let process = ProcessLimits {
            memory: memory.map(|&bytes| bytes as u64),
            cpu_time: value(matches, "max-cpu"),
            lifetime: value(matches, "max-lifetime"),
        };
        Limits {
            process,
            frame_timeout: value(matches, "frame-timeout"),
            grace: value::<Option<Duration>>(matches, "grace").unwrap_or_default(),
            handshake_timeout: value(matches, "handshake-timeout"),
            idle_timeout: value(matches, "idle-timeout"),
            keepalive: value(matches, "keepalive"),
            max_clients: count("max-clients"),
            max_clients_per_address: per_address.map(|&count| count as usize),
            max_frame: value(matches, "max-frame"),
            max_inflated: value(matches, "max-inflated"),
            max_nested: count("max-nested"),
            max_objects: count("max-objects"),
            max_pending: count("max-pending"),
            max_queued: count("max-queued"),
            request_time_limit: value(matches, "request-time-limit"),
            sync_request_timeout: value(matches, "sync-request-timeout"),
            user: matches.get_one("user").copied(),
            write_timeout: value(matches, "write-timeout"),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let mut args = clients();
    args.extend(deadlines());
    args.extend(sizes());
    args.extend(process());
    let headed = args
        .into_iter()
        .map(|arg| arg.help_heading("Limits and deadlines (0 seconds: none)"));
    headed.collect()
}

fn clients() -> Vec<Arg> {
    vec![
        option(
            "max-clients",
            "N",
            "Clients served at the same time; one that has said nothing makes room, or else the next is closed",
        )
        .default_value("1000")
        .value_parser(value_parser!(u32).range(1..)),
        option(
            "max-clients-per-address",
            "N",
            "Those from one address (IPv6: one /64 network); this machine's are not counted [default: half of \
             --max-clients]",
        )
        .value_parser(value_parser!(u32).range(1..)),
    ]
}

fn deadlines() -> Vec<Arg> {
    vec![
        option(
            "handshake-timeout",
            "SECS",
            "How long a client may take to authenticate, and then for its first message",
        )
        .default_value("10")
        .value_parser(optional_seconds),
        option(
            "frame-timeout",
            "SECS",
            "How long a client may take for the rest of a message that it has begun",
        )
        .default_value("30")
        .value_parser(optional_seconds),
        option(
            "write-timeout",
            "SECS",
            "How long a client may leave its answers unread",
        )
        .default_value("60")
        .value_parser(optional_seconds),
        option("idle-timeout", "SECS", "How long a client may do nothing")
            .default_value("0")
            .value_parser(optional_seconds),
        option(
            "keepalive",
            "SECS",
            "After how much silence the system asks whether a client's machine is still there",
        )
        .default_value("60")
        .value_parser(optional_seconds),
        option(
            "request-time-limit",
            "SECS",
            "How long the code of one request may run until a TimeoutError is raised in it",
        )
        .default_value("0")
        .value_parser(optional_seconds),
        option(
            "sync-request-timeout",
            "SECS",
            "How long the server waits when it calls a client back",
        )
        .default_value("30")
        .value_parser(optional_seconds),
        option(
            "grace",
            "SECS",
            "How long running requests may take when the server is told to stop",
        )
        .default_value("5")
        .value_parser(optional_seconds),
    ]
}

fn process() -> Vec<Arg> {
    vec![
        option(
            "max-memory",
            "SIZE",
            "With --mode process: bytes that a client's process may allocate (512MiB) [default: no \
             limit]",
        )
        .value_parser(bytes),
        option(
            "max-cpu",
            "SECS",
            "With --mode process: time that a client's process may compute, in whole seconds",
        )
        .default_value("0")
        .value_parser(optional_seconds),
        option(
            "max-lifetime",
            "SECS",
            "With --mode process: time after which a client's process is ended",
        )
        .default_value("0")
        .value_parser(optional_seconds),
        option(
            "user",
            "USER",
            "With --mode process, for a server that root starts: the user, or UID:GID, that clients' \
             processes run as",
        )
        .value_parser(user::parse),
    ]
}

fn sizes() -> Vec<Arg> {
    let count = |arg: Arg, default: &'static str| {
        let positive = RangedU64ValueParser::<u32>::new().range(1..);
        arg.default_value(default).value_parser(positive)
    };
    vec![
        option(
            "max-frame",
            "SIZE",
            "Bytes of one message of a client's (64KiB, 16MiB, 1GiB)",
        )
        .default_value("256MiB")
        .value_parser(bytes),
        option(
            "max-inflated",
            "SIZE",
            "Bytes of one compressed message once it is inflated",
        )
        .default_value("256MiB")
        .value_parser(bytes),
        count(
            option(
                "max-objects",
                "N",
                "Objects that a client may hold at the same time",
            ),
            "1000000",
        ),
        count(
            option(
                "max-queued",
                "N",
                "Requests of a client that may wait to be served",
            ),
            "10000",
        ),
        count(
            option(
                "max-pending",
                "N",
                "Calls of a client back that may wait for its answers",
            ),
            "65536",
        ),
        count(
            option(
                "max-nested",
                "N",
                "Requests within requests: callbacks of callbacks",
            ),
            "200",
        ),
    ]
}
