//! How fast a call is: Rust and Python peers, each between two runs of raw TCP with the same bytes.
//!
//! Client and server are separate processes on 127.0.0.1; this program starts itself in both roles
//! (`serve`, `call`), and Python where a peer is Python. What is compared stands in [`peer`], what
//! is done in [`scenario`].
#![forbid(unsafe_code)]

mod classic;
mod cli;
mod compare;
mod goals;
mod growth;
mod idle;
pub mod peer;
mod plot;
pub mod process;
mod programs;
mod raw;
mod report;
mod rpyc;
pub mod scenario;
pub mod strace;
mod table;
pub mod timing;

use std::io::Write;
use std::process::ExitCode;

use rpyc_core::config::Nesting;

use self::cli::Order;
use self::peer::Program;

/// What goes wrong in a benchmark is told and ends it: nobody handles it by kind.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Does what the command line asks for.
pub fn run() -> ExitCode {
    let outcome = match cli::parse() {
        Order::Compare(options) => compare::run(&options),
        Order::Serve { program, cpu } => {
            // Pinned first: threads inherit it.
            let pinned = process::pin(cpu);
            process::end_with_input();
            pinned.and_then(|()| match program {
                Program::Raw => raw::serve(true),
                Program::RawEach => raw::serve(false),
                Program::Rpyc => rpyc::serve(Nesting::Pool),
                Program::RpycStacked => rpyc::serve(Nesting::Stack),
                _ => Err("this one serves itself".into()),
            })
        }
        Order::Call { program, cpu, work } => process::pin(cpu).and_then(|()| match program {
            Program::Raw => timing::run(&work, |port| raw::Caller::connect(port, true)),
            Program::RawEach => timing::run(&work, |port| raw::Caller::connect(port, false)),
            Program::Rpyc => timing::run(&work, |port| rpyc::Caller::connect(port, Nesting::Pool)),
            Program::RpycStacked => {
                timing::run(&work, |port| rpyc::Caller::connect(port, Nesting::Waiting))
            }
            _ => Err("this one calls itself".into()),
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(deeper) = cause {
                text = format!("{text}: {deeper}");
                cause = deeper.source();
            }
            let _ = writeln!(std::io::stderr(), "bench-peers: {text}");
            ExitCode::FAILURE
        }
    }
}

/// How far it has come, for whoever waits.
fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A line on standard output, at once: another process may wait for it.
fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
