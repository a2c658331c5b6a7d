//! What the options have in common: how they are made, and the kinds of their values.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use ipnet::IpNet;

/// An option with a value.
pub(crate) fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// An option without a value.
pub(crate) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .value_parser(BoolishValueParser::new())
        .help(help)
}

/// The same options, each with its variable: the option's name in capitals behind the prefix, unless
/// it has one.
pub(crate) fn with_variables(prefix: &str, args: Vec<Arg>) -> Vec<Arg> {
    let with_variable = |arg: Arg| {
        let name = match arg.get_long() {
            Some(name) if !arg.is_hide_set() && arg.get_env().is_none() => name,
            _ => return arg.hide_env(true),
        };
        let variable = format!("{prefix}{}", name.to_uppercase().replace('-', "_"));
        arg.env(OsString::from(variable)).hide_env(true)
    };
    args.into_iter().map(with_variable).collect()
}

/// The same options, and for each switch the hidden one that takes it back: the environment or the
/// config file may have turned it on.
pub(super) fn with_opposites(args: Vec<Arg>) -> Vec<Arg> {
    let with_opposite = |arg: Arg| {
        let is_switch = matches!(arg.get_action(), ArgAction::SetTrue) && !arg.is_hide_set();
        let name = arg.get_long().filter(|_| is_switch).map(opposite);
        let opposite = name.map(|name| {
            let switch = Arg::new(name.clone()).long(name);
            switch.action(ArgAction::SetTrue).hide(true)
        });
        [Some(arg), opposite].into_iter().flatten()
    };
    args.into_iter().flat_map(with_opposite).collect()
}

/// A switch that may have a value: `--listing`, `--listing=false`, `--listing false`.
pub(super) fn flag(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .value_name("BOOL")
        .default_value("false")
        .default_missing_value("true")
        .hide_default_value(true)
        .hide_possible_values(true)
        .value_parser(BoolishValueParser::new())
}

/// What takes a switch back.
pub(super) fn opposite(name: &str) -> String {
    match name.strip_prefix("no-") {
        Some(name) => name.to_owned(),
        None => format!("no-{name}"),
    }
}

/// Whether a switch is on.
pub(super) fn is_on(matches: &ArgMatches, name: &str) -> bool {
    let opposite = opposite(name);
    // Clients have no switches that take others back.
    let is_taken_back = matches!(matches.try_get_one(&opposite), Ok(Some(true)));
    matches.get_flag(name) && !(is_taken_back && wins(matches, &opposite, name))
}

/// Whether an option that is on wins over another one that is: on the command line the last one
/// does, and any of them over the environment.
pub(super) fn wins(matches: &ArgMatches, name: &str, other: &str) -> bool {
    let place = |name: &str| match matches.value_source(name) {
        Some(ValueSource::CommandLine) => matches.index_of(name),
        _ => None,
    };
    place(name) > place(other)
}

/// The value of an option that has a default.
pub(crate) fn value<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> T {
    let value = matches.get_one::<T>(name);
    value.expect("an option with a default").clone()
}

/// Seconds, where 0 stands for no end.
pub(crate) fn optional_seconds(text: &str) -> Result<Option<Duration>, String> {
    match text.parse::<f64>() {
        Ok(0.0) => Ok(None),
        Ok(seconds) => Duration::try_from_secs_f64(seconds)
            .map(Some)
            .map_err(|_| "not a length of time".to_owned()),
        Err(_) => Err("not a number of seconds".to_owned()),
    }
}

/// Seconds, 0 among them.
pub(crate) fn any_seconds(text: &str) -> Result<Duration, String> {
    optional_seconds(text).map(Option::unwrap_or_default)
}

/// Seconds, some of them.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    optional_seconds(text)?.ok_or_else(|| "has to be more than 0".to_owned())
}

/// Bytes: a number, or one with KiB, MiB or GiB behind it.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let factor = match unit.trim() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("not a number of bytes, like 1000, 64KiB, 16MiB or 1GiB".to_owned()),
    };
    let number = number.parse::<usize>().ok();
    let bytes = number.and_then(|number| number.checked_mul(factor));
    match bytes {
        Some(bytes) if bytes > 0 => Ok(bytes),
        Some(_) => Err("has to be more than 0".to_owned()),
        None => Err("not a number of bytes that a machine has".to_owned()),
    }
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>();
    let network = network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "not a network like 10.0.0.0/8 or 2001:db8::/32".to_owned())
}
