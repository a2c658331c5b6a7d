//! `rpyc-server`: serves RPyC's classic mode, and what belongs to it: the registry, the tools.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use log::warn;
use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};
use rpyc_rustpython::{RustPython, is_called_as_python, python_name, run_as_python};
use rpyc_server::program::{self, Host};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    // It is `sys.executable` of the code that it runs for clients, by a name of its own.
    if arguments
        .first()
        .is_some_and(|name| is_called_as_python(name))
    {
        return run_as_python();
    }
    program::main(arguments, Host::built_in(start))
}

/// The Python that is built in.
fn start(mut options: EvaluatorOptions) -> Result<Arc<dyn Evaluator>, StartError> {
    options.executable = Some(python_name().unwrap_or_else(|error| {
        warn!("sys.executable is empty, clients' code can't start a Python: {error}");
        String::new()
    }));
    let evaluator = RustPython::start(options)?;
    Ok(evaluator)
}
