//! Options of the interpreter that runs the clients' code.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::arg::option;

/// What the interpreter begins with.
#[derive(Debug)]
pub(crate) struct Python {
    pub(crate) init: Option<PathBuf>,
    /// A Python of the user's, instead of the one that is built in.
    pub(crate) interpreter: Option<PathBuf>,
    /// Ahead of the standard library, in this order.
    pub(crate) path: Vec<PathBuf>,
}

impl Python {
    pub(super) fn from_matches(matches: &ArgMatches) -> Python {
        let path = matches.get_many::<PathBuf>("path");
        Python {
            init: matches.get_one::<PathBuf>("init").cloned(),
            interpreter: matches.get_one::<PathBuf>("python").cloned(),
            path: path.into_iter().flatten().cloned().collect(),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let args = [
        option(
            "python",
            "PYTHON",
            "Run the clients' code in this Python, with the packages that are installed for it, \
             instead of the one that is built in, or that the program is installed in: a name, or a path as that of a virtual environment's \
             (.venv/bin/python); CPython, 3.10 or newer",
        )
        .value_parser(value_parser!(PathBuf)),
        option(
            "path",
            "DIR",
            "Directory to import modules from, ahead of those of PYTHONPATH and of the standard \
             library; may be given several times (in RPYC_SERVER_PATH with : between)",
        )
        .value_delimiter(DELIMITER)
        .action(ArgAction::Append)
        .value_parser(value_parser!(PathBuf)),
        option(
            "init",
            "FILE",
            "Python script to run before the first client; its names are in each client's namespace",
        )
        .value_parser(value_parser!(PathBuf)),
    ];
    let headed = args.into_iter().map(|arg| arg.help_heading("Python"));
    headed.collect()
}

/// Between the directories of a search path, as in PYTHONPATH.
const DELIMITER: char = if cfg!(windows) { ';' } else { ':' };
