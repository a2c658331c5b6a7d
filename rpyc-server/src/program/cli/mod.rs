//! The command line: flags, their environment variables, the config file, and their help.
//!
//! Each group of options has a file of its own with its [`Arg`]s and the struct that they become.
//! A flag on the command line wins over the environment, that over the config file, that over
//! the default.

pub(crate) mod access;
pub(crate) mod arg;
pub(crate) mod directory;
mod file;
mod help;
mod limits;
mod logging;
mod operations;
pub(crate) mod options;
mod python;
mod registering;
mod registry;
mod service;
mod serving;
mod socket;
mod wrap;

use std::ffi::OsString;
use std::process;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Id, value_parser};
use clap_complete::Shell;

use self::access::AccessOptions;
use self::arg::{with_opposites, with_variables};
pub(crate) use self::limits::Limits;
pub(crate) use self::logging::{LogFormat, Logging};
pub(crate) use self::operations::Operations;
use self::options::ServeOption;
pub(crate) use self::python::Python;
pub(crate) use self::registering::Registering;
pub(crate) use self::registry::RegistryOptions;
pub(crate) use self::service::Service;
pub(crate) use self::serving::{SERVES_CLIENT, ServeMode, Serving};
pub(crate) use self::socket::Socket;
use crate::program::failure::Failure;
use crate::program::tools::{self, ToolCall};

/// What the program was asked to do.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// Print a shell's completions.
    Completions(Shell),
    /// Print the help of the program and of its commands.
    HelpAll,
    /// Print the options that people use, on one screen.
    HelpShort,
    /// Print the man page of the program, or of one of its commands.
    Man(Option<String>),
    /// Run a registry.
    Registry(Box<RegistryOptions>),
    /// Do something at a server, as its client.
    Tool(ToolCall),
    /// Serve, which needs no command: one server, unless the config file has several.
    Serve(Vec<ServeOptions>),
}

/// The options of serving.
#[derive(Debug)]
pub(crate) struct ServeOptions {
    pub(crate) access: AccessOptions,
    /// The command line, less the program's name, with what the config file says of this server.
    pub(crate) arguments: Vec<OsString>,
    /// The names of those that somebody has set, wherever.
    pub(crate) given: Vec<String>,
    /// Whether it is the only server of the program.
    pub(crate) is_alone: bool,
    pub(crate) limits: Limits,
    pub(crate) logging: Logging,
    pub(crate) operations: Operations,
    pub(crate) python: Python,
    pub(crate) registering: Registering,
    pub(crate) service: Service,
    pub(crate) serving: Serving,
    pub(crate) socket: Socket,
}

impl ServeOptions {
    /// What it serves, for people.
    pub(crate) fn name(&self) -> &str {
        self.service.place.as_deref().unwrap_or("classic mode")
    }

    /// A failure of this server, which is named if there are several.
    pub(crate) fn failed(&self, failure: Failure) -> Failure {
        match self.is_alone {
            true => failure,
            false => failure.at(self.name()),
        }
    }
}

/// Reads the process's command line, environment and config file. Help and version go to the
/// standard output and end the program with 0, a usage error goes to the standard error and ends
/// it with 2.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Invocation, Failure> {
    parse_from(arguments)?.map_err(|error| {
        // Nothing is left to do when nobody listens.
        let _ = error.print();
        process::exit(error.exit_code())
    })
}

/// The completions of a shell.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), NAME, &mut script);
    script
}

/// The help of the program and of its commands.
pub(crate) fn help_all() -> Vec<u8> {
    let mut root = wrap::wrapped(command());
    root.build();
    let mut text = root.render_long_help().to_string();
    for command in root.get_subcommands_mut() {
        text.push_str(&format!("\n\n{}", command.render_long_help()));
    }
    text.into_bytes()
}

/// The options that people use, each in a line.
pub(crate) fn help_short() -> Vec<u8> {
    let common = serve_options().into_iter().filter_map(|option| {
        let text = option.in_short?;
        Some((option.arg.get_id().clone(), text))
    });
    let in_a_line = |command: Command, (name, text)| {
        command.mut_arg(name, |arg| arg.help(text).help_heading(None::<&str>))
    };
    let text = common.fold(command(), in_a_line).render_help();
    text.to_string().into_bytes()
}

/// The man page of the program, or of one of its commands.
pub(crate) fn man(page: Option<String>) -> Result<Vec<u8>, Failure> {
    let mut root = command();
    root.build();
    let page = match page {
        None => root,
        Some(name) => match root.find_subcommand(&name) {
            Some(command) => command.clone(),
            None => {
                return Err(Failure::usage(format!("{name} is no command"))
                    .hint("rpyc-server --help shows the commands."));
            }
        },
    };
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(page).render(&mut text);
    rendered.map_err(|error| Failure::new("the man page can't be made").because(error))?;
    Ok(text)
}

/// The inner result is that of the command line, the outer one that of the config file.
fn parse_from(arguments: Vec<OsString>) -> Result<Result<Invocation, clap::Error>, Failure> {
    let matches = match command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return Ok(help_for(arguments)),
        Err(error) => return Ok(Err(error)),
    };
    let lines = file::expand(arguments.clone(), &matches, &command(), &of_program())?;
    if lines == [arguments.as_slice()] {
        return Ok(Ok(invocation(&matches, arguments)));
    }
    let mut servers: Vec<ServeOptions> = Vec::new();
    for arguments in lines {
        let parsed = command().try_get_matches_from(&arguments);
        match parsed.map(|matches| invocation(&matches, arguments)) {
            Ok(Invocation::Serve(options)) => servers.extend(options),
            other => return Ok(other),
        }
    }
    let is_alone = servers.len() == 1;
    for options in &mut servers {
        options.is_alone = is_alone;
    }
    Ok(Ok(Invocation::Serve(servers)))
}

/// The help that the arguments ask for. To lay it out takes longer than all else that a server does with them.
fn help_for(arguments: Vec<OsString>) -> Result<Invocation, clap::Error> {
    let mut command = wrap::wrapped(command());
    match command.try_get_matches_from_mut(&arguments) {
        Ok(matches) => Ok(invocation(&matches, arguments)),
        // That of the program, not of one of its commands.
        Err(error) if error.to_string() == command.render_help().to_string() => {
            Ok(Invocation::HelpShort)
        }
        Err(error) => Err(error),
    }
}

fn invocation(matches: &ArgMatches, arguments: Vec<OsString>) -> Invocation {
    match matches.subcommand() {
        _ if matches.get_flag(HELP_ALL) => Invocation::HelpAll,
        Some(("registry", matches)) if matches.get_flag(HELP_ALL) => Invocation::HelpAll,
        Some(("completions", matches)) => {
            Invocation::Completions(*matches.get_one("shell").expect("is required"))
        }
        Some(("man", matches)) => Invocation::Man(matches.get_one("command").cloned()),
        Some(("registry", matches)) => {
            Invocation::Registry(Box::new(RegistryOptions::from_matches(matches)))
        }
        Some((name, matches)) if let Some(tool) = tools::find(name, matches) => {
            Invocation::Tool(tool)
        }
        _ => Invocation::Serve(vec![ServeOptions {
            access: AccessOptions::from_matches(matches),
            arguments: arguments.into_iter().skip(1).collect(),
            given: given(matches),
            is_alone: true,
            limits: Limits::from_matches(matches),
            logging: Logging::from_matches(matches),
            operations: Operations::from_matches(matches),
            python: Python::from_matches(matches),
            registering: Registering::from_matches(matches),
            service: Service::from_matches(matches),
            serving: Serving::from_matches(matches),
            socket: Socket::from_matches(matches),
        }]),
    }
}

/// The options that somebody has set; a switch that is off isn't.
fn given(matches: &ArgMatches) -> Vec<String> {
    let is_set = |id: &&Id| {
        let is_default = matches.value_source(id.as_str()) == Some(ValueSource::DefaultValue);
        let is_off = matches!(matches.try_get_one(id.as_str()), Ok(Some(false)));
        !is_default && !is_off
    };
    let set = matches.ids().filter(is_set);
    set.map(|id| id.as_str().to_owned()).collect()
}

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Serves RPyC: Python programs connect with rpyc and use this process's objects.")
        .after_help(help::SERVE_SHORT)
        .after_long_help(help::SERVE)
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .subcommand_help_heading("Commands (without one, it serves)")
        .args(serving_args())
        .arg(help_all_arg())
        .subcommand(registry::command(config_option().arg).arg(help_all_arg()))
        .subcommands(tools::commands())
        .subcommand(
            Command::new("completions")
                .about("Prints the completions for a shell")
                .after_help(help::COMPLETIONS)
                .arg(
                    Arg::new("shell")
                        .value_name("SHELL")
                        .required(true)
                        .value_parser(value_parser!(Shell))
                        .help("The shell"),
                ),
        )
        .subcommand(
            Command::new("man")
                .about("Prints the man page, in the format of man(7)")
                .after_help(help::MAN)
                .arg(
                    Arg::new("command")
                        .value_name("COMMAND")
                        .help("The command whose page it shall be, instead of the program's"),
                ),
        )
}

/// The options of serving, as the help has them.
pub(crate) fn serve_options() -> Vec<ServeOption> {
    let groups = [
        Serving::options(),
        Service::options(),
        Python::options(),
        Socket::options(),
        AccessOptions::options(),
        Limits::options(),
        Registering::options(),
        Logging::options(),
        Operations::options(),
        vec![config_option()],
    ];
    groups.into_iter().flatten().collect()
}

/// The option that names the config file.
fn config_option() -> ServeOption {
    let help = "Read options from a TOML file; flags and the environment win over it";
    let option = options::path("config", "FILE", help).in_short("Read options from a TOML file");
    option.under("Config file")
}

/// The names of those that servers of one program share.
fn of_program() -> Vec<String> {
    let shared = serve_options()
        .into_iter()
        .filter(|option| option.is_of_program);
    shared.map(|option| option.name().to_owned()).collect()
}

fn serving_args() -> Vec<Arg> {
    let shown = serve_options().into_iter().map(|option| {
        let is_common = option.in_short.is_some();
        option.arg.hide_short_help(!is_common)
    });
    let hidden = [serving::serves_client_arg(), file::is_read_arg()];
    with_opposites(with_variables(
        "RPYC_SERVER_",
        shown.chain(hidden).collect(),
    ))
}

/// Python's programs have it.
fn help_all_arg() -> Arg {
    Arg::new(HELP_ALL)
        .long(HELP_ALL)
        .action(ArgAction::SetTrue)
        .hide(true)
}

const NAME: &str = "rpyc-server";
const HELP_ALL: &str = "help-all";

#[cfg(test)]
mod tests;
