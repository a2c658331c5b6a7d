//! What the options have in common: how they are made, and the kinds of their values.

use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches};

/// An option with a value. The variable is the option's name in capitals behind `RPYC_SERVER_`;
/// clap takes nothing but literals.
pub(super) fn option(
    name: &'static str,
    variable: &'static str,
    value: &'static str,
    help: &'static str,
) -> Arg {
    Arg::new(name)
        .long(name)
        .env(variable)
        .hide_env(true)
        .value_name(value)
        .help(help)
}

/// An option without a value, and the hidden one that takes it back: the environment or the config
/// file may have turned it on. Its name is [`opposite`]'s; clap takes nothing but literals.
pub(super) fn switch(
    name: &'static str,
    variable: &'static str,
    opposite: &'static str,
    help: &'static str,
) -> [Arg; 2] {
    [
        Arg::new(name)
            .long(name)
            .env(variable)
            .hide_env(true)
            .action(ArgAction::SetTrue)
            .value_parser(BoolishValueParser::new())
            .overrides_with(opposite)
            .help(help),
        Arg::new(opposite)
            .long(opposite)
            .action(ArgAction::SetTrue)
            .overrides_with(name)
            .hide(true),
    ]
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
    matches.get_flag(name) && !matches.get_flag(&opposite(name))
}

/// The value of an option that has a default.
pub(super) fn value<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> T {
    let value = matches.get_one::<T>(name);
    value.expect("an option with a default").clone()
}

/// Seconds, where 0 stands for no end.
pub(super) fn optional_seconds(text: &str) -> Result<Option<Duration>, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    if seconds == 0.0 {
        return Ok(None);
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) => Ok(Some(duration)),
        Err(_) => Err("not a length of time".to_owned()),
    }
}
