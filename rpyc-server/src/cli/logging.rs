//! Options of the log.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, value_parser};

use super::arg::{is_on, option, switch};

/// Where the log goes, and how much of it.
#[derive(Debug)]
pub(crate) struct Logging {
    pub(crate) logfile: Option<PathBuf>,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

impl Logging {
    pub(super) fn from_matches(matches: &ArgMatches) -> Logging {
        let mut quiet = is_on(matches, "quiet");
        let verbose = is_on(matches, "verbose");
        if quiet && verbose {
            // One of them is of the environment, or both are: the command line decides.
            quiet = matches.value_source("quiet") == Some(ValueSource::CommandLine);
        }
        Logging {
            logfile: matches.get_one("logfile").cloned(),
            quiet,
            verbose: verbose && !quiet,
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let [quiet, no_quiet] = switch(
        "quiet",
        "RPYC_SERVER_QUIET",
        "no-quiet",
        "Log warnings and errors only",
    );
    let [verbose, no_verbose] = switch(
        "verbose",
        "RPYC_SERVER_VERBOSE",
        "no-verbose",
        "Log more: what each connection does",
    );
    let args = vec![
        option(
            "logfile",
            "RPYC_SERVER_LOGFILE",
            "FILE",
            "Append the log to FILE instead of writing it to the standard error",
        )
        .value_parser(value_parser!(PathBuf)),
        quiet.short('q').overrides_with("verbose"),
        no_quiet,
        verbose.short('v').overrides_with("quiet"),
        no_verbose,
    ];
    let headed = args.into_iter().map(|arg| arg.help_heading("Logging"));
    headed.collect()
}
