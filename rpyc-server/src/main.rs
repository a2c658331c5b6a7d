//! `rpyc-server`: serves RPyC's classic mode over TCP.
#![forbid(unsafe_code)]

mod classic;
mod cli;
mod logging;
mod serve;
mod signals;

use std::error::Error;
use std::io::{self, Write};
use std::process::{self, ExitCode};

use self::cli::Cli;

fn main() -> ExitCode {
    match serve::run(&Cli::parse()) {
        // Not a return from main: client code that still runs after the grace period must not
        // be waited for by anything's destructor.
        Ok(()) => process::exit(0),
        Err(failure) => {
            report(&failure);
            failure.exit_code()
        }
    }
}

/// Writes the failure and what it came from on one line, the hint below.
fn report(failure: &serve::Failure) {
    let mut text = format!("rpyc-server: {failure}");
    let mut source = failure.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    if let Some(hint) = failure.hint() {
        text.push_str(&format!("\n  {hint}"));
    }
    // Nothing is left to do when nobody listens.
    let _ = writeln!(io::stderr(), "{text}");
}
