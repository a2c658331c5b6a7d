//! The program `rpyc-server`: its command line, what it serves, its tools.
//!
//! A binary passes in the evaluator that runs classic mode's Python code, and is done:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};
//!
//! fn start(options: EvaluatorOptions) -> Result<Arc<dyn Evaluator>, StartError> {
//!     # let _ = options;
//!     unimplemented!("an interpreter of yours")
//! }
//!
//! fn main() -> ExitCode {
//!     rpyc_server::program::main(std::env::args_os().collect(), start)
//! }
//! ```

mod access;
mod check;
mod classic;
mod cli;
mod exposure;
mod failure;
mod logging;
mod mode_options;
mod plan;
mod serve;
mod serve_registry;
mod signals;
mod systemd;
mod tools;
mod user;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::sync::Arc;

use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};

use self::cli::Invocation;
use self::failure::Failure;

/// Starts the evaluator of classic mode.
pub type StartEvaluator = fn(EvaluatorOptions) -> Result<Arc<dyn Evaluator>, StartError>;

/// Does what the arguments say; the first of them is the program's name.
///
/// It returns where something failed, or was misused. Elsewhere the process ends here: client
/// code that still runs after the grace period must not be waited for by anything's destructor.
pub fn main(arguments: Vec<OsString>, start: StartEvaluator) -> ExitCode {
    match run(arguments, start) {
        Ok(()) => process::exit(0),
        Err(failure) => {
            // Nothing is left to do when nobody listens.
            let _ = writeln!(io::stderr(), "{}", failure.report());
            failure.exit_code()
        }
    }
}

fn run(arguments: Vec<OsString>, start: StartEvaluator) -> Result<(), Failure> {
    match cli::parse(arguments)? {
        Invocation::Completions(shell) => print(&cli::completions(shell)),
        Invocation::HelpAll => print(&cli::help_all()),
        Invocation::Man(page) => print(&cli::man(page)?),
        Invocation::Registry(options) => serve_registry::run(&options),
        Invocation::Tool(tool) => match tool.run()? {
            0 => Ok(()),
            code => process::exit(code.into()),
        },
        Invocation::Serve(options) => serve::run(&options, start),
    }
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let written = io::stdout().write_all(text);
    written.map_err(Failure::stdout)
}
