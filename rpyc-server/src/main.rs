//! `rpyc-server`: serves RPyC's classic mode, and what belongs to it: the registry, the tools.
#![forbid(unsafe_code)]

mod access;
mod check;
mod classic;
mod cli;
mod effect;
mod exposure;
mod failure;
mod logging;
mod plan;
mod printable;
mod serve;
mod serve_registry;
mod signals;
mod systemd;
mod tools;

use std::io::{self, Write};
use std::process::{self, ExitCode};

use rpyc_classic::rustpython::{is_for_python, run_as_python};

use self::cli::Invocation;
use self::failure::Failure;

fn main() -> ExitCode {
    // It is `sys.executable` of the code that it runs for clients, which starts it as a Python.
    let arguments = std::env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let arguments: Vec<String> = arguments.collect();
    if is_for_python(&arguments) && !cli::begins_with_mode(&arguments) {
        return run_as_python();
    }
    match run() {
        // Not a return from main: client code that still runs after the grace period must not
        // be waited for by anything's destructor.
        Ok(()) => process::exit(0),
        Err(failure) => {
            // Nothing is left to do when nobody listens.
            let _ = writeln!(io::stderr(), "{}", failure.report());
            failure.exit_code()
        }
    }
}

fn run() -> Result<(), Failure> {
    match cli::parse()? {
        Invocation::Completions(shell) => print(&cli::completions(shell)),
        Invocation::HelpAll => print(&cli::help_all()),
        Invocation::Man(page) => print(&cli::man(page)?),
        Invocation::Registry(options) => serve_registry::run(&options),
        Invocation::Tool(tool) => match tool.run()? {
            0 => Ok(()),
            code => process::exit(code.into()),
        },
        Invocation::Serve(options) => serve::run(&options),
    }
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let written = io::stdout().write_all(text);
    written.map_err(|error| Failure::new("the standard output can't be written").because(error))
}
