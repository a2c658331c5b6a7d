//! The program `rpyc-server`: its command line, what it serves, its tools.
//!
//! A binary says which process it is, and is done:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};
//! use rpyc_server::program::{self, Host};
//!
//! # mod interpreter {
//! #     use super::*;
//! #     pub fn start(_: EvaluatorOptions) -> Result<Arc<dyn Evaluator>, StartError> {
//! #         Err(StartError::Python("there is none".to_owned()))
//! #     }
//! # }
//! fn start(options: EvaluatorOptions) -> Result<Arc<dyn Evaluator>, StartError> {
//!     interpreter::start(options) // one of yours
//! }
//!
//! fn main() {
//!     program::main(std::env::args_os().collect(), Host::built_in(start))
//! }
//! ```

mod access;
mod check;
mod classic;
mod cli;
mod exposure;
mod failure;
mod host;
mod interpreter;
mod logging;
mod mode_options;
mod offer;
mod plan;
mod print;
mod python_program;
mod register;
mod serve;
mod serve_registry;
mod signals;
mod systemd;
mod tools;
mod user;

use std::ffi::OsString;
use std::io::{self, Write};

use self::cli::Invocation;
use self::failure::Failure;
use self::print::print;

pub use self::host::{Host, HostPython, StartEvaluator};

/// Does what the arguments say, and ends the process; the first argument is the program's name.
///
/// Client code that still runs after the grace period isn't waited for, by anything's destructor
/// either.
pub fn main(arguments: Vec<OsString>, host: Host) -> ! {
    let code = run(arguments, &host).unwrap_or_else(|failure| {
        // Nothing is left to do when nobody listens.
        let _ = writeln!(io::stderr(), "{}", failure.report());
        failure.exit_code()
    });
    (host.exit)(code)
}

/// The result is the exit code.
fn run(arguments: Vec<OsString>, host: &Host) -> Result<u8, Failure> {
    match cli::parse(arguments.clone())? {
        Invocation::Completions(shell) => print(&cli::completions(shell))?,
        Invocation::HelpAll => print(&cli::help_all())?,
        Invocation::HelpShort => print(&cli::help_short())?,
        Invocation::Man(page) => print(&cli::man(page)?)?,
        Invocation::Registry(options) => serve_registry::run(&options)?,
        Invocation::Tool(tool) => return tool.run(),
        Invocation::Serve(servers) => serve::run(&servers, &arguments[1..], host)?,
    }
    Ok(0)
}
