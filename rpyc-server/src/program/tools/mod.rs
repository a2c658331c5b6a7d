//! The client's tools, for people at a terminal: a shell, code, files, and pings.

mod code;
mod colour;
mod completion;
mod connect;
mod fleet;
mod interrupt;
mod ping;
mod registry;
mod session;
mod shell;
mod transfer;

use clap::{ArgMatches, Command};

use crate::program::failure::Failure;

/// A command's line, what runs it (the result is the program's exit code), and whether it may be given several
/// servers.
type Tool = (
    fn() -> Command,
    fn(&ArgMatches) -> Result<u8, Failure>,
    bool,
);

const TOOLS: &[Tool] = &[
    (shell::command, shell::run, false),
    (code::eval_command, code::eval, true),
    (code::exec_command, code::exec, true),
    (transfer::upload_command, transfer::upload, true),
    (transfer::download_command, transfer::download, true),
    (ping::command, ping::run, true),
    (registry::command, registry::run, false),
];

/// A tool, and what it was given.
#[derive(Debug)]
pub(crate) struct ToolCall {
    run: fn(&ArgMatches) -> Result<u8, Failure>,
    matches: ArgMatches,
}

impl ToolCall {
    /// Does what was asked for; gives the exit code.
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        (self.run)(&self.matches)
    }
}

/// The commands of the command line.
pub(crate) fn commands() -> impl Iterator<Item = Command> {
    TOOLS.iter().map(|(command, _, takes_fleets)| {
        let command = command().args(registry::args());
        let (command, ways) = match command.get_name() {
            "services" => (command, ""),
            _ => (command.args(connect::args()), WAYS),
        };
        let (command, ways, codes) = match takes_fleets {
            true => (
                fleet::with_args(command),
                format!("{ways}{FLEETS}"),
                FLEET_EXIT_CODES,
            ),
            false => (command, ways.to_owned(), ""),
        };
        let examples = command.get_after_help().map(ToString::to_string);
        let examples = examples.unwrap_or_default();
        command.after_long_help(format!(
            "{examples}\n\n{ways}{ENVIRONMENT}\n\n{EXIT_CODES}{codes}"
        ))
    })
}

/// The tool of that name.
pub(crate) fn find(name: &str, matches: &ArgMatches) -> Option<ToolCall> {
    let mut tools = TOOLS.iter();
    let &(_, run, _) = tools.find(|(command, ..)| command().get_name() == name)?;
    let matches = matches.clone();
    Some(ToolCall { run, matches })
}

const WAYS: &str = "\
Where to connect:
  HOST[:PORT]           over TCP, port 18812 unless another is given; [::1]:PORT for IPv6
  tls:HOST[:PORT]       over TLS, port 18821 unless another is given
  unix:PATH             a Unix socket
  service:NAME          wherever the registry knows the service
  ssh:[USER@]HOST[:PORT]  through the system's ssh, to that port of the host's own loopback

";

const FLEETS: &str = "\
Several servers:
  --connect more than once, --all service:NAME, or --json; many at a time. What servers print has their
  names before it, and control characters escaped; a table at the end says how each ended. Ctrl-C
  ends all: it interrupts what runs, and closes the connections after 5 s or with a second one.

";

const ENVIRONMENT: &str = "\
Environment:
  Each option of the registry and of the connection can be given as a variable: RPYC_CLIENT_ and
  its name in capitals, with _ for - (RPYC_CLIENT_SSL_CAFILE=ca.pem). --connect is RPYC_CONNECT.";

const EXIT_CODES: &str = "\
Exit codes:
  0    done; shell and exec: as the code exited (SystemExit)
  1    the code raised an exception; a file, or what was asked for, isn't as it should be
  2    wrong usage
  130  interrupted by Ctrl-C
  255  no connection, or it was lost";

const FLEET_EXIT_CODES: &str = "\n
Exit codes with several servers:
  0    done at each of them
  1    it failed at some of them, for whatever reason; the end says at which";
