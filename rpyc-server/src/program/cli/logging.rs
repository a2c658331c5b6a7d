//! Options of the log.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, value_parser};

use super::arg::{flag, is_on, option, switch, value, wins};

/// Where the log goes, and how much of it.
#[derive(Debug)]
pub(crate) struct Logging {
    pub(crate) format: LogFormat,
    pub(crate) logfile: Option<PathBuf>,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: an object a line.
    Json,
}

impl Logging {
    pub(super) fn from_matches(matches: &ArgMatches) -> Logging {
        let (quiet, verbose) = (is_on(matches, "quiet"), is_on(matches, "verbose"));
        let is_quiet_last = wins(matches, "quiet", "verbose");
        let format = match value::<String>(matches, "log-format").as_str() {
            "json" => LogFormat::Json,
            _ => LogFormat::Text,
        };
        Logging {
            format,
            logfile: matches.get_one("logfile").cloned(),
            quiet: quiet && (!verbose || is_quiet_last),
            verbose: verbose && !(quiet && is_quiet_last),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    args_of(
        "RPYC_SERVER_LOGFILE",
        "RPYC_SERVER_LOG_FORMAT",
        "RPYC_SERVER_QUIET",
        "RPYC_SERVER_VERBOSE",
    )
}

/// The same options, of the registry. Python's `rpyc_registry` has a `--quiet` that takes a value;
/// so may this one.
pub(super) fn registry_args() -> Vec<Arg> {
    let args = args_of(
        "RPYC_REGISTRY_LOGFILE",
        "RPYC_REGISTRY_LOG_FORMAT",
        "RPYC_REGISTRY_QUIET",
        "RPYC_REGISTRY_VERBOSE",
    );
    let with_value = |arg: Arg| match arg.get_id() == "quiet" {
        true => flag(arg),
        false => arg,
    };
    args.into_iter().map(with_value).collect()
}

fn args_of(
    logfile: &'static str,
    log_format: &'static str,
    quiet: &'static str,
    verbose: &'static str,
) -> Vec<Arg> {
    let [quiet, no_quiet] = switch("quiet", quiet, "no-quiet", "Log warnings and errors only");
    let [verbose, no_verbose] = switch(
        "verbose",
        verbose,
        "no-verbose",
        "Log more: what each connection does",
    );
    let logfile = option(
        "logfile",
        logfile,
        "FILE",
        "Append the log to FILE instead of writing it to the standard error; SIGHUP opens it anew",
    );
    let log_format = option(
        "log-format",
        log_format,
        "FORMAT",
        "Write log lines as text, or as JSON: an object a line with time, level, target, message",
    );
    let args = [
        log_format
            .default_value("text")
            .value_parser(["text", "json"]),
        logfile.value_parser(value_parser!(PathBuf)),
        quiet.short('q'),
        no_quiet,
        verbose.short('v'),
        no_verbose,
    ];
    let headed = args.into_iter().map(|arg| arg.help_heading("Logging"));
    headed.collect()
}
