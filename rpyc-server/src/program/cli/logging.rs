//! Options of the log.

use std::path::PathBuf;

use super::arg::{is_on, wins};
use super::options::{one_of, options, path, switch, with_default};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: an object a line.
    Json,
}

options! {
    /// Where the log goes, and how much of it: of `quiet` and `verbose` the last one counts.
    Logging in "Logging" {
        format: LogFormat = with_default("log-format", "FORMAT", "text", one_of(FORMATS),
            "Write log lines as text, or as JSON: an object a line with time, level, target, \
             message").of_program();
        logfile: Option<PathBuf> = path("logfile", "FILE",
            "Append the log to FILE instead of writing it to the standard error; SIGHUP opens it \
             anew").in_short("Append the log to this file").of_program();
        quiet: bool = switch("quiet", "Log warnings and errors only")
            .with(|arg| arg.short('q')).of_program()
            .read_by(|matches, quiet| is_on(matches, quiet)
                && (!is_on(matches, "verbose") || wins(matches, quiet, "verbose")));
        verbose: bool = switch("verbose", "Log more: what each connection does")
            .with(|arg| arg.short('v')).in_short("Log what each connection does").of_program()
            .read_by(|matches, verbose| is_on(matches, verbose)
                && !(is_on(matches, "quiet") && wins(matches, "quiet", verbose)));
    }
}

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
