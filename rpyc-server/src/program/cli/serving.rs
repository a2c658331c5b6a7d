//! What is served, in which way.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::arg::{is_on, option, switch, value};

/// What is served, in which way.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) check: bool,
    pub(crate) classic: bool,
    pub(crate) compress: bool,
    pub(crate) mode: ServeMode,
    pub(crate) no_pickle: bool,
    pub(crate) no_traceback: bool,
    /// The threads of a pool.
    pub(crate) workers: u16,
}

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
        match self {
            ServeMode::Child | ServeMode::Process => "process",
            ServeMode::OneShot => "oneshot",
            ServeMode::Pool => "pool",
            ServeMode::Stdio => "stdio",
            ServeMode::Threaded => "threaded",
        }
    }

    /// Whether each client has a process of its own.
    pub(crate) fn is_process(self) -> bool {
        matches!(
            self,
            ServeMode::Child | ServeMode::Process | ServeMode::Stdio
        )
    }
}

impl Serving {
    pub(super) fn from_matches(matches: &ArgMatches) -> Serving {
        Serving {
            check: is_on(matches, "check"),
            classic: is_on(matches, "classic"),
            compress: is_on(matches, "compress"),
            mode: match value::<String>(matches, "mode").as_str() {
                _ if matches.get_flag(SERVES_CLIENT) => ServeMode::Child,
                "forking" | "process" => ServeMode::Process,
                "oneshot" => ServeMode::OneShot,
                "pool" => ServeMode::Pool,
                "stdio" => ServeMode::Stdio,
                _ => ServeMode::Threaded,
            },
            no_pickle: is_on(matches, "no-pickle"),
            no_traceback: is_on(matches, "no-traceback"),
            workers: value(matches, "workers"),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let mut args = vec![
        option(
            "mode",
            "MODE",
            "How clients are served: threaded (a thread for each), pool (--workers threads for \
             all), process or forking (a process for each, started anew), oneshot (the first client \
             that gets in, then the server ends; it prints its address to the standard output), stdio \
             (whoever started the server, over its standard input and output)",
        )
        .short('m')
        .default_value("threaded")
        .hide_possible_values(true)
        .value_parser(PossibleValuesParser::new(MODES)),
        option(
            "workers",
            "N",
            "With --mode pool: threads that serve the clients",
        )
        .default_value("20")
        .value_parser(value_parser!(u16).range(1..=1000)),
    ];
    args.push(
        Arg::new(SERVES_CLIENT)
            .long(SERVES_CLIENT)
            .action(ArgAction::SetTrue)
            .hide(true),
    );
    let switches = [
        switch(
            "classic",
            "Serve classic mode: clients import modules, evaluate and execute Python code here",
        ),
        switch("no-pickle", "Refuse to pickle: no obtain, no deliver"),
        switch("no-traceback", "Send exceptions without their traceback"),
        switch(
            "compress",
            "Compress long messages, which pays on slow networks only",
        ),
        switch(
            "check",
            "Say whether all of this makes sense, and start nothing",
        ),
    ];
    args.extend(switches);
    let headed = args.into_iter().map(|arg| arg.help_heading("Serving"));
    headed.collect()
}

/// What a server in process mode adds to its own arguments for the process of a client.
pub(crate) const SERVES_CLIENT: &str = "serves-client";

const MODES: [&str; 6] = ["threaded", "pool", "process", "forking", "oneshot", "stdio"];
