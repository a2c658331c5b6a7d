//! Options of the log.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, value_parser};

use super::arg::{is_on, option, switch, value, wins};

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
    let quiet = switch("quiet", "Log warnings and errors only");
    let verbose = switch("verbose", "Log more: what each connection does");
    let logfile = option(
        "logfile",
        "FILE",
        "Append the log to FILE instead of writing it to the standard error; SIGHUP opens it anew",
    );
    let log_format = option(
        "log-format",
        "FORMAT",
        "Write log lines as text, or as JSON: an object a line with time, level, target, message",
    );
    let args = [
        log_format
            .default_value("text")
            .value_parser(["text", "json"]),
        logfile.value_parser(value_parser!(PathBuf)),
        quiet.short('q'),
        verbose.short('v'),
    ];
    let headed = args.into_iter().map(|arg| arg.help_heading("Logging"));
    headed.collect()
}
