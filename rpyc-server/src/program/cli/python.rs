//! Options of the interpreter that runs the clients' code.

use std::path::PathBuf;

use clap::builder::PathBufValueParser;

use super::options::{many, options, path};

options! {
    /// What the interpreter begins with.
    Python in "Python" {
        /// A Python of the user's, instead of the one that is built in.
        interpreter: Option<PathBuf> = path("python", "PYTHON",
            "Run the clients' code in this Python, with the packages that are installed for it, \
             instead of the one that is built in, or that the program is installed in: a name, or \
             a path as that of a virtual environment's (.venv/bin/python); CPython, 3.10 or newer")
            .in_short("Run Python code in this Python, with its packages").of_program();
        /// Ahead of the standard library, in this order.
        path: Vec<PathBuf> = many("path", "DIR", PathBufValueParser::new(),
            "Directory to import modules from, ahead of those of PYTHONPATH and of the standard \
             library; may be given several times (in RPYC_SERVER_PATH with : between)")
            .with(|arg| arg.value_delimiter(DELIMITER)).of_program();
        init: Option<PathBuf> = path("init", "FILE",
            "Python script to run before the first client; its names are in each client's \
             namespace").of_program();
    }
}

/// Between the directories of a search path, as in PYTHONPATH.
const DELIMITER: char = if cfg!(windows) { ';' } else { ':' };
