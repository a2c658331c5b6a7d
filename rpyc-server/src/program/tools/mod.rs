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

/// Makes a command's line of its arguments, and runs it: the result is the program's exit code.
struct Tool {
    command: fn() -> Command,
    // It may be given several servers.
    takes_fleets: bool,
    run: fn(&ArgMatches) -> Result<u8, Failure>,
}

const TOOLS: &[Tool] = &[
    Tool {
        command: shell::command,
        takes_fleets: false,
        run: shell::run,
    },
    Tool {
        command: code::eval_command,
        takes_fleets: true,
        run: code::eval,
    },
    Tool {
        command: code::exec_command,
        takes_fleets: true,
        run: code::exec,
    },
    Tool {
        command: transfer::upload_command,
        takes_fleets: true,
        run: transfer::upload,
    },
    Tool {
        command: transfer::download_command,
        takes_fleets: true,
        run: transfer::download,
    },
    Tool {
        command: ping::command,
        takes_fleets: true,
        run: ping::run,
    },
    Tool {
        command: registry::command,
        takes_fleets: false,
        run: registry::run,
    },
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
    TOOLS.iter().map(|tool| {
        let command = (tool.command)().args(registry::args());
        let (command, ways) = match command.get_name() {
            "services" => (command, ""),
            _ => (command.args(connect::args()), WAYS),
        };
        let (command, ways, codes) = match tool.takes_fleets {
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
    let tool = TOOLS
        .iter()
        .find(|tool| (tool.command)().get_name() == name)?;
    Some(ToolCall {
        run: tool.run,
        matches: matches.clone(),
    })
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
