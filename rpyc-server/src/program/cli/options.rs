//! An option of serving, which stands once: its name, its value, its help, and where it counts.

use std::path::PathBuf;

use clap::builder::{
    NonEmptyStringValueParser, PathBufValueParser, PossibleValuesParser, RangedU64ValueParser,
    TypedValueParser,
};
use clap::{Arg, ArgAction, ArgMatches};

use super::arg;

/// An option of serving.
#[derive(Clone, Debug)]
pub(crate) struct ServeOption {
    pub(crate) arg: Arg,
    /// What `-h` says of it, if people use it.
    pub(crate) in_short: Option<&'static str>,
    pub(crate) effect: Effect,
    /// Whether it keeps somebody out or within bounds.
    pub(crate) protects: bool,
    /// Whether several servers of a program share it, with its process, Python and log.
    pub(crate) is_of_program: bool,
}

/// Where an option counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    /// In every mode.
    Anywhere,
    /// Where there is a socket to listen on.
    Listening,
    /// Where there is one, for more than one client.
    Several,
    /// In a pool.
    Pool,
    /// In a process of one client.
    Process,
    /// Where the server registers.
    Registering,
    /// Where a class in Python is served.
    Service,
    /// Where the server starts processes for its clients.
    Spawning,
    /// Where it listens on a Unix socket.
    Unix,
}

impl From<Arg> for ServeOption {
    fn from(arg: Arg) -> ServeOption {
        ServeOption {
            arg,
            in_short: None,
            effect: Effect::Anywhere,
            protects: false,
            is_of_program: false,
        }
    }
}

impl ServeOption {
    pub(crate) fn name(&self) -> &str {
        self.arg.get_id().as_str()
    }
}

/// The same, with what becomes of it.
pub(super) struct Typed<T> {
    option: ServeOption,
    read: fn(&ArgMatches, &str) -> T,
}

/// Makes a group of options a struct: a field is an option, or another group.
macro_rules! options {
    ($(#[$about:meta])* $name:ident in $heading:literal {
        $($(#[$doc:meta])* $field:ident: $type:ty = $option:expr;)*
    } $(with { $($inner:ident: $group:ty,)* })?) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(crate) struct $name {
            $($(#[$doc])* pub(crate) $field: $type,)*
            $($(pub(crate) $inner: $group,)*)?
        }

        impl $name {
            pub(crate) fn options() -> Vec<$crate::program::cli::options::ServeOption> {
                let own = vec![$($option.under($heading)),*];
                own.into_iter()$($(.chain(<$group>::options()))*)?.collect()
            }

            pub(crate) fn from_matches(matches: &clap::ArgMatches) -> $name {
                $name {
                    $($field: $option.read(matches),)*
                    $($($inner: <$group>::from_matches(matches),)*)?
                }
            }
        }
    };
}
pub(super) use options;

/// An option that may be absent.
pub(super) fn optional<T: Clone + Send + Sync + 'static>(
    name: &'static str,
    value: &'static str,
    parser: impl TypedValueParser<Value = T>,
    help: &'static str,
) -> Typed<Option<T>> {
    Typed {
        option: arg::option(name, value, help).value_parser(parser).into(),
        read: |matches, name| matches.get_one(name).cloned(),
    }
}

/// An option with a default.
pub(super) fn with_default<T: Clone + Send + Sync + 'static>(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    parser: impl TypedValueParser<Value = T>,
    help: &'static str,
) -> Typed<T> {
    let arg = arg::option(name, value, help).value_parser(parser);
    Typed {
        option: arg.default_value(default).into(),
        read: arg::value,
    }
}

/// An option that may be given several times.
pub(super) fn many<T: Clone + Send + Sync + 'static>(
    name: &'static str,
    value: &'static str,
    parser: impl TypedValueParser<Value = T>,
    help: &'static str,
) -> Typed<Vec<T>> {
    let arg = arg::option(name, value, help).action(ArgAction::Append);
    Typed {
        option: arg.value_parser(parser).into(),
        read: |matches, name| {
            matches
                .get_many(name)
                .into_iter()
                .flatten()
                .cloned()
                .collect()
        },
    }
}

/// An option without a value.
pub(super) fn switch(name: &'static str, help: &'static str) -> Typed<bool> {
    Typed {
        option: arg::switch(name, help).into(),
        read: arg::is_on,
    }
}

pub(super) fn text(
    name: &'static str,
    value: &'static str,
    help: &'static str,
) -> Typed<Option<String>> {
    optional(name, value, NonEmptyStringValueParser::new(), help)
}

pub(super) fn path(
    name: &'static str,
    value: &'static str,
    help: &'static str,
) -> Typed<Option<PathBuf>> {
    optional(name, value, PathBufValueParser::new(), help)
}

/// A number from 1.
pub(super) fn count(name: &'static str, default: &'static str, help: &'static str) -> Typed<usize> {
    with_default(name, "N", default, positive(), help)
}

pub(super) fn positive() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=u64::from(u32::MAX))
}

/// One of these words.
pub(super) fn one_of<T: Clone + Send + Sync + 'static>(
    choices: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let words = PossibleValuesParser::new(choices.iter().map(|(word, _)| *word));
    words.map(|given| {
        let mut choices = choices.iter();
        let chosen = choices.find(|(word, _)| word.eq_ignore_ascii_case(&given));
        chosen.expect("it was parsed").1.clone()
    })
}

impl<T> Typed<T> {
    pub(super) fn read(&self, matches: &ArgMatches) -> T {
        (self.read)(matches, self.option.name())
    }

    pub(super) fn read_by(self, read: fn(&ArgMatches, &str) -> T) -> Typed<T> {
        Typed { read, ..self }
    }

    pub(super) fn with(mut self, change: impl FnOnce(Arg) -> Arg) -> Typed<T> {
        self.option.arg = change(self.option.arg);
        self
    }

    pub(super) fn in_short(mut self, text: &'static str) -> Typed<T> {
        self.option.in_short = Some(text);
        self
    }

    pub(super) fn counts(mut self, effect: Effect) -> Typed<T> {
        self.option.effect = effect;
        self
    }

    pub(super) fn protects(mut self) -> Typed<T> {
        self.option.protects = true;
        self
    }

    pub(super) fn of_program(mut self) -> Typed<T> {
        self.option.is_of_program = true;
        self
    }

    pub(super) fn under(mut self, heading: &'static str) -> ServeOption {
        self.option.arg = self.option.arg.help_heading(heading);
        self.option
    }
}
