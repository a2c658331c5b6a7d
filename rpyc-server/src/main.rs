//! `rpyc-server`: serves RPyC's classic mode, and what belongs to it: the registry, the tools.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};
use rpyc_rustpython::{Engine, is_for_python, run_as_python};
use rpyc_server::program;

fn main() -> ExitCode {
    // It is `sys.executable` of the code that it runs for clients, which starts it as a Python.
    let arguments = std::env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let arguments: Vec<String> = arguments.collect();
    if is_for_python(&arguments) && !program::begins_with_mode(&arguments) {
        return run_as_python();
    }
    program::main(std::env::args_os().collect(), start)
}

/// The Python that is built in.
fn start(options: EvaluatorOptions) -> Result<Arc<dyn Evaluator>, StartError> {
    let evaluator = Engine::start(options)?;
    Ok(evaluator)
}
