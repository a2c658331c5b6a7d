//! The command line of `rpyc-server`: flags and their help, nothing else.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, RangedU64ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// What was asked for on the command line.
#[derive(Debug)]
pub(crate) struct Cli {
    pub(crate) classic: bool,
    pub(crate) host: String,
    pub(crate) insecure: bool,
    pub(crate) logfile: Option<PathBuf>,
    pub(crate) max_clients: usize,
    pub(crate) no_pickle: bool,
    pub(crate) no_traceback: bool,
    pub(crate) port: u16,
    pub(crate) quiet: bool,
    /// `None` waits for ever.
    pub(crate) sync_request_timeout: Option<Duration>,
    pub(crate) verbose: bool,
}

impl Cli {
    /// Reads the process's command line. Help and version go to the standard output and end the
    /// program with 0, a usage error goes to the standard error and ends it with 2.
    pub(crate) fn parse() -> Cli {
        Cli::from_matches(&command().get_matches())
    }

    fn from_matches(matches: &ArgMatches) -> Cli {
        Cli {
            classic: matches.get_flag("classic"),
            host: matches
                .get_one::<String>("host")
                .expect("has a default")
                .clone(),
            insecure: matches.get_flag("insecure"),
            logfile: matches.get_one::<PathBuf>("logfile").cloned(),
            max_clients: *matches
                .get_one::<u64>("max-clients")
                .expect("has a default") as usize,
            no_pickle: matches.get_flag("no-pickle"),
            no_traceback: matches.get_flag("no-traceback"),
            port: *matches.get_one::<u16>("port").expect("has a default"),
            quiet: matches.get_flag("quiet"),
            sync_request_timeout: *matches
                .get_one::<Option<Duration>>("sync-request-timeout")
                .expect("has a default"),
            verbose: matches.get_flag("verbose"),
        }
    }
}

fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("rpyc-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Serves RPyC: Python programs connect with rpyc 6 and use this process's objects.")
        .after_help(AFTER_HELP)
        .arg(flag(
            "classic",
            "Serve classic mode: clients import modules, evaluate and execute Python code here",
        ))
        .arg(
            Arg::new("host")
                .long("host")
                .value_name("ADDRESS")
                .default_value("127.0.0.1")
                .value_parser(NonEmptyStringValueParser::new())
                .help("Address or name to listen on"),
        )
        .arg(
            Arg::new("port")
                .short('p')
                .long("port")
                .value_name("PORT")
                .default_value("18812")
                .value_parser(value_parser!(u16))
                .help("TCP port to listen on; 0 takes a free one, which the log names"),
        )
        .arg(flag(
            "insecure",
            "Listen on an address that other machines reach, though classic mode lets every \
             client run any code as this user",
        ))
        .arg(
            Arg::new("max-clients")
                .long("max-clients")
                .value_name("N")
                .default_value("1000")
                .value_parser(RangedU64ValueParser::<u64>::new().range(1..=4000))
                .help("Clients served at the same time; further ones are closed at once"),
        )
        .arg(
            Arg::new("sync-request-timeout")
                .long("sync-request-timeout")
                .value_name("SECS")
                .default_value("30")
                .value_parser(timeout)
                .help("How long the server waits when it calls a client back; 0 waits for ever"),
        )
        .arg(flag("no-pickle", "Refuse to pickle: no obtain, no deliver"))
        .arg(flag(
            "no-traceback",
            "Send exceptions without their traceback",
        ))
        .arg(flag("quiet", "Log warnings and errors only").short('q'))
        .arg(
            flag("verbose", "Log more: what each connection does")
                .short('v')
                .conflicts_with("quiet"),
        )
        .arg(
            Arg::new("logfile")
                .long("logfile")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Append the log to FILE instead of writing it to the standard error"),
        )
}

/// Seconds, where 0 stands for no end.
fn timeout(text: &str) -> Result<Option<Duration>, String> {
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

const AFTER_HELP: &str = "\
Examples:
  rpyc-server --classic --port 18812
      serve programs of this machine; from Python:
      rpyc.classic.connect(\"127.0.0.1\", port=18812)
  rpyc-server --classic --port 0 --quiet --logfile rpyc.log
      take a free port (the log doesn't name it with --quiet), log problems to a file
  rpyc-server --classic --host 0.0.0.0 --insecure
      serve everybody who reaches this machine, with all that this user may do
  ssh -L 18812:127.0.0.1:18812 user@server
      the safer way from another machine: a tunnel to a server that listens on loopback

Environment:
  RUST_LOG  which log lines to write (for instance \"debug\" or \"rpyc_core=trace\"), unless
            --quiet or --verbose says so

Exit codes:
  0  stopped by Ctrl-C or SIGTERM, in order
  1  could not start, or not go on: port in use, no such host, log file not writable
  2  wrong usage: unknown flag, no mode, an address that needs --insecure
  A second Ctrl-C or SIGTERM ends the program at once, by that signal.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Cli {
        let arguments = ["rpyc-server"].iter().chain(arguments);
        Cli::from_matches(
            &command()
                .try_get_matches_from(arguments)
                .expect("a valid command line"),
        )
    }

    #[test]
    fn the_flags_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn without_flags_it_is_loopback_and_rpycs_own_port() {
        let cli = parse(&[]);
        assert!(!cli.classic && !cli.insecure && !cli.no_pickle && !cli.no_traceback);
        assert_eq!((cli.host.as_str(), cli.port), ("127.0.0.1", 18812));
        assert_eq!(cli.sync_request_timeout, Some(Duration::from_secs(30)));
        assert_eq!(cli.max_clients, 1000);
    }

    #[test]
    fn a_timeout_of_zero_is_none_and_fractions_count() {
        let timeout = |text: &str| parse(&["--sync-request-timeout", text]).sync_request_timeout;
        assert_eq!(timeout("0"), None);
        assert_eq!(timeout("0.5"), Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [
            &["--sync-request-timeout", "-1"][..],
            &["--sync-request-timeout", "soon"],
            &["--sync-request-timeout", "NaN"],
            &["--sync-request-timeout", "inf"],
            &["--port", "65536"],
            &["--max-clients", "0"],
            &["--host", ""],
            &["--quiet", "--verbose"],
            &["--registry"],
        ] {
            let arguments = ["rpyc-server"].iter().chain(arguments);
            assert!(
                command().try_get_matches_from(arguments.clone()).is_err(),
                "{arguments:?}"
            );
        }
    }
}
