//! What is served, in which way.

use clap::{Arg, ArgAction, value_parser};

use super::arg::value;
use super::options::Effect::Pool;
use super::options::{one_of, options, switch, with_default};

/// How clients are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServeMode {
    /// In a process that was started for one client by a server in process mode.
    Child,
    OneShot,
    Pool,
    Process,
    Stdio,
    Threaded,
}

impl ServeMode {
    /// As --mode has it.
    pub(crate) fn name(self) -> &'static str {
        let named = MODES.iter().find(|(_, mode)| *mode == self);
        named.map_or("process", |(name, _)| name)
    }

    /// Whether each client has a process of its own.
    pub(crate) fn is_process(self) -> bool {
        matches!(
            self,
            ServeMode::Child | ServeMode::Process | ServeMode::Stdio
        )
    }
}

options! {
    /// What is served, in which way.
    Serving in "Serving" {
        mode: ServeMode = with_default("mode", "MODE", "threaded", one_of(MODES),
            "How clients are served: threaded (a thread for each), pool (--workers threads for \
             all), process or forking (a process for each, started anew), oneshot (the first \
             client that gets in, then the server ends; it prints its address to the standard \
             output), stdio (whoever started the server, over its standard input and output)")
            .in_short("threaded, process, pool, oneshot or stdio")
            .with(|arg| arg.short('m').hide_possible_values(true))
            .read_by(|matches, mode| match matches.get_flag(SERVES_CLIENT) {
                true => ServeMode::Child,
                false => value(matches, mode),
            });
        /// The threads of a pool.
        workers: u16 = with_default("workers", "N", "20", value_parser!(u16).range(1..=1000),
            "With --mode pool: threads that serve the clients").counts(Pool);
        classic: bool = switch("classic",
            "Serve classic mode: clients import modules, evaluate and execute Python code here")
            .in_short("Serve classic mode: clients run Python code here");
        no_pickle: bool = switch("no-pickle", "Refuse to pickle: no obtain, no deliver");
        no_traceback: bool = switch("no-traceback", "Send exceptions without their traceback");
        compress: bool = switch("compress",
            "Compress long messages, which pays on slow networks only");
        check: bool = switch("check", "Say whether all of this makes sense, and start nothing");
    }
}

/// What a server in process mode adds to its own arguments for the process of a client.
pub(crate) const SERVES_CLIENT: &str = "serves-client";

pub(super) fn serves_client_arg() -> Arg {
    let arg = Arg::new(SERVES_CLIENT).long(SERVES_CLIENT);
    arg.action(ArgAction::SetTrue).hide(true)
}

const MODES: &[(&str, ServeMode)] = &[
    ("threaded", ServeMode::Threaded),
    ("pool", ServeMode::Pool),
    ("process", ServeMode::Process),
    ("forking", ServeMode::Process),
    ("oneshot", ServeMode::OneShot),
    ("stdio", ServeMode::Stdio),
];
