//! The config file: options by their names, in TOML.
//!
//! What it says is put before the flags of the command line, for each option that neither the
//! command line nor the environment has. So it means exactly what the flags mean. A file that has tables
//! of the name `server` makes a command line for each of them.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::de::{DeTable, DeValue};

use super::arg::opposite;
use crate::program::failure::Failure;

/// What a command line has on which the file's options are.
pub(super) fn is_read_arg() -> Arg {
    Arg::new(IS_READ)
        .long(IS_READ)
        .action(ArgAction::SetTrue)
        .hide(true)
}

/// The arguments with those of the config file, if `matches` of the command line name one: a command
/// line for each server of the file, or the only one. Those of `of_program` are no server's own.
pub(super) fn expand(
    arguments: Vec<OsString>,
    matches: &ArgMatches,
    command: &Command,
    of_program: &[String],
) -> Result<Vec<Vec<OsString>>, Failure> {
    let (matches, section, place) = match matches.subcommand() {
        None => (matches, Section::Server, 1),
        Some((REGISTRY, matches)) => {
            let command = arguments.iter().position(|argument| argument == REGISTRY);
            (matches, Section::Registry, command.unwrap_or(1) + 1)
        }
        Some(_) => return Ok(vec![arguments]),
    };
    let is_read = section == Section::Server && matches.get_flag(IS_READ);
    let path = matches.get_one::<PathBuf>("config").filter(|_| !is_read);
    let Some(path) = path else {
        return Ok(vec![arguments]);
    };
    let File { entries, servers } = read(path, command, of_program)?;
    let given = |name: &String| {
        let source = matches.value_source(name);
        matches!(
            source,
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
    };
    let of_section = |section| {
        let entries = entries.iter().filter(move |entry| entry.section == section);
        entries.collect::<Vec<_>>()
    };
    let extended = |own: Vec<&Entry>| {
        let mut all = of_section(section);
        all.retain(|entry| !own.iter().any(|own| own.names == entry.names));
        let entries = all.into_iter().chain(own);
        let flags = entries
            .filter(|entry| !entry.names.iter().any(given))
            .flat_map(|entry| entry.flags.iter().cloned());
        let is_read = (section == Section::Server).then(|| format!("--{IS_READ}").into());
        let mut arguments = arguments.clone();
        arguments.splice(place..place, flags.chain(is_read));
        arguments
    };
    if section == Section::Registry || servers == 0 {
        return Ok(vec![extended(Vec::new())]);
    }
    for name in ["classic", "service"] {
        if given(&name.to_owned()) {
            let path = path.display();
            return Err(Failure::usage(format!(
                "--{name}: the servers are those of --config {path}"
            ))
            .hint("Remove the option, or add a table [[server]] to the file."));
        }
    }
    let lines = (0..servers).map(|index| extended(of_section(Section::One(index))));
    Ok(lines.collect())
}

/// What an option is of.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    /// One of the tables `server`: a server of several.
    One(usize),
    /// The table `registry`: the command of that name.
    Registry,
    /// The top of the file: serving.
    Server,
}

/// What the file says.
struct File {
    entries: Vec<Entry>,
    /// How many tables `server` it has.
    servers: usize,
}

/// What the file says of one option.
struct Entry {
    section: Section,
    /// The option, and its opposite.
    names: Vec<String>,
    flags: Vec<OsString>,
}

/// Reads all of the file, so that what is wrong with it is found whoever reads it.
fn read(path: &Path, command: &Command, of_program: &[String]) -> Result<File, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("--config {shown}: can't be read")).because(error))?;
    let place = |span: Range<usize>| {
        let before = text.get(..span.start).unwrap_or(&text);
        let line = before.matches('\n').count() + 1;
        format!("--config {shown}, line {line}")
    };
    let table = DeTable::parse(&text).map_err(|error| {
        let place = place(error.span().unwrap_or(0..0));
        Failure::usage(format!("{place}: {}", error.message()))
    })?;
    let mut entries = Vec::new();
    let mut add = |section, command: &Command, table: &DeTable<'_>| {
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            if section == Section::Server && [REGISTRY, SERVER].contains(&name) {
                continue;
            }
            let checked = match section {
                Section::One(_) if of_program.iter().any(|own| own == name) => Err(shared(name)),
                _ => entry(command, name, value.get_ref()),
            };
            let (names, flags) = checked.map_err(|wrong| wrong.at(&place(key.span())))?;
            entries.push(Entry {
                section,
                names,
                flags,
            });
        }
        Ok::<_, Failure>(())
    };
    add(Section::Server, command, table.get_ref())?;
    let mut servers = 0;
    if let Some(value) = table.get_ref().get(SERVER) {
        let is_no_list = || {
            let wrong = Failure::usage("server is a list of tables, [[server]]");
            wrong.at(&place(value.span()))
        };
        let tables = value.get_ref().as_array().ok_or_else(is_no_list)?;
        for (index, table) in tables.iter().enumerate() {
            let table = table.get_ref().as_table().ok_or_else(is_no_list)?;
            add(Section::One(index), command, table)?;
        }
        servers = tables.len();
    }
    if let Some(registry) = table.get_ref().get(REGISTRY) {
        let DeValue::Table(table) = registry.get_ref() else {
            let wrong = Failure::usage("registry is a table, [registry]");
            return Err(wrong.at(&place(registry.span())));
        };
        let command = command.find_subcommand(REGISTRY);
        add(Section::Registry, command.expect("it is there"), table)?;
    }
    Ok(File { entries, servers })
}

fn shared(name: &str) -> Failure {
    let what = format!("{name} is an option of the program, which all its servers share");
    Failure::usage(what).hint("Write it above the first [[server]].")
}

/// The names of an option and of its opposite, and the flags that say the same.
fn entry(
    command: &Command,
    key: &str,
    value: &DeValue<'_>,
) -> Result<(Vec<String>, Vec<OsString>), Failure> {
    let known = |arg: &&Arg| {
        let is_of_command_line = arg.is_hide_set() || ["check", "config"].contains(&key);
        arg.get_long() == Some(key) && !is_of_command_line
    };
    let Some(arg) = command.get_arguments().find(known) else {
        return Err(unknown(command, key));
    };
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        let DeValue::Boolean(on) = value else {
            return Err(Failure::usage(format!("{key} is true or false")));
        };
        let flags = on.then(|| format!("--{key}").into());
        return Ok((
            vec![key.to_owned(), opposite(key)],
            flags.into_iter().collect(),
        ));
    }
    let values = match value {
        DeValue::Array(items) if matches!(arg.get_action(), ArgAction::Append) => {
            let items = items.iter().map(|item| text(key, item.get_ref()));
            items.collect::<Result<_, _>>()?
        }
        value => vec![text(key, value)?],
    };
    let flags = values.iter().map(|value| format!("--{key}={value}").into());
    let flags: Vec<OsString> = flags.collect();
    let arguments = [OsString::new()].into_iter().chain(flags.iter().cloned());
    match command.clone().try_get_matches_from(arguments) {
        Ok(_) => Ok((vec![key.to_owned()], flags)),
        Err(error) => Err(Failure::usage(format!("{key}: {}", reason(&error)))),
    }
}

/// A single value as it stands on a command line.
fn text(key: &str, value: &DeValue<'_>) -> Result<String, Failure> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| Failure::usage(format!("{key}: the number is too large"))),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        DeValue::Array(_) => Err(Failure::usage(format!("{key} takes one value, not a list"))),
        DeValue::Datetime(_) | DeValue::Table(_) => {
            Err(Failure::usage(format!("{key} takes a text or a number")))
        }
    }
}

fn unknown(command: &Command, key: &str) -> Failure {
    let arguments = [OsString::new(), format!("--{key}").into()];
    let parsed = command.clone().try_get_matches_from(arguments);
    let nearest = match parsed
        .as_ref()
        .err()
        .map(|e| e.get(ContextKind::SuggestedArg))
    {
        Some(Some(ContextValue::String(name))) => Some(name.trim_start_matches('-').to_owned()),
        _ => None,
    };
    Failure::usage(format!("{key} is no option")).hint(match nearest {
        Some(name) => format!("Did you mean {name}? rpyc-server --help has all names."),
        None => "rpyc-server --help has all names.".to_owned(),
    })
}

/// What clap says is wrong with a value, less what it says about flags.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    let values = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!(": it is one of {}", values.join(", ")),
        _ => String::new(),
    };
    match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => format!("not {value:?}{values}"),
        _ => error.kind().to_string(),
    }
}

const REGISTRY: &str = "registry";
const SERVER: &str = "server";
const IS_READ: &str = "config-is-read";
