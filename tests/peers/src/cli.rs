//! The command line: what a person types, and the roles in which the program starts itself.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::peer::{PEERS, Program};
use crate::scenario::{Kind, SCENARIOS, Scenario};
use crate::timing::Work;

/// What the command line asks for.
pub(crate) enum Order {
    Compare(Options),
    Serve {
        program: Program,
        cpu: Option<usize>,
    },
    Call {
        program: Program,
        cpu: Option<usize>,
        work: Work,
    },
}

/// What is compared, and how long.
pub(crate) struct Options {
    pub(crate) peers: Vec<String>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) rounds: usize,
    /// How long one visit lasts, about.
    pub(crate) visit: f64,
    pub(crate) idle: bool,
    pub(crate) classic: bool,
    pub(crate) programs: bool,
    pub(crate) syscalls: bool,
    pub(crate) growth: bool,
    /// Where the results go beside standard output.
    pub(crate) page: Option<PathBuf>,
    pub(crate) is_short: bool,
    /// Whether nothing was left out.
    pub(crate) is_whole: bool,
}

pub(crate) fn parse() -> Order {
    let matches = command().get_matches();
    match matches.subcommand() {
        Some(("serve", role)) => Order::Serve {
            program: program(role),
            cpu: role.get_one("cpu").copied(),
        },
        Some(("call", role)) => Order::Call {
            program: program(role),
            cpu: role.get_one("cpu").copied(),
            work: work(role),
        },
        _ => Order::Compare(options(&matches)),
    }
}

fn command() -> Command {
    let peers = PEERS.map(|peer| peer.name);
    let scenarios = SCENARIOS.map(|scenario| scenario.name);
    let list = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .value_delimiter(',')
            .action(ArgAction::Append)
    };
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
    };
    Command::new("bench-peers")
        .about("Compares calls between Rust and Python peers with raw TCP, interleaved in one run")
        .arg(list("peers", "Only these, beside raw TCP").value_parser(peers))
        .arg(
            list(
                "only",
                "Only these scenarios; `idle`, `classic`, `programs` and `growth` are four more",
            )
            .value_parser([&scenarios[..], &["idle", "classic", "programs", "growth"]].concat()),
        )
        .arg(flag("growth", "Short for --only growth"))
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .help("How often every peer is visited [default: 5]")
                .value_parser(value_parser!(usize)),
        )
        .arg(flag("short", "Less than a minute: 1 round of short visits"))
        .arg(flag(
            "syscalls",
            "Counts the system calls of a null call instead (with strace)",
        ))
        .arg(
            Arg::new("page")
                .long("page")
                .value_name("FILE")
                .help("Writes each table between its markers in FILE, and the plots into the folder beside it")
                .value_parser(value_parser!(PathBuf)),
        )
        .subcommand(role("serve"))
        .subcommand(
            role("call")
                .arg(number("port"))
                .arg(number("calls"))
                .arg(number("warmup"))
                .arg(number("load"))
                .arg(
                    Arg::new("kind")
                        .long("kind")
                        .required(true)
                        .value_parser(Kind::ALL.map(Kind::name)),
                ),
        )
}

/// One end of a comparison, started by the program itself.
fn role(name: &'static str) -> Command {
    Command::new(name).hide(true).arg(number("cpu")).arg(
        Arg::new("program")
            .required(true)
            .value_parser(Program::ALL.map(Program::name)),
    )
}

fn number(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_parser(value_parser!(usize))
}

fn options(matches: &ArgMatches) -> Options {
    let strings = |name: &str| -> Vec<String> {
        matches
            .get_many::<String>(name)
            .map(|names| names.cloned().collect())
            .unwrap_or_default()
    };
    let (mut only, short) = (strings("only"), matches.get_flag("short"));
    if matches.get_flag("growth") {
        only.push("growth".to_owned());
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|known| known == name);
    let rounds = matches.get_one("rounds").copied();
    Options {
        peers: strings("peers"),
        scenarios: SCENARIOS
            .into_iter()
            .filter(|scenario| wanted(scenario.name))
            .collect(),
        rounds: rounds.unwrap_or(if short { 1 } else { 5 }).max(1),
        visit: if short { 0.1 } else { 0.3 },
        idle: wanted("idle"),
        classic: wanted("classic"),
        programs: wanted("programs"),
        syscalls: matches.get_flag("syscalls"),
        growth: wanted("growth"),
        page: matches.get_one("page").cloned(),
        is_short: short,
        is_whole: only.is_empty() && !matches.contains_id("peers"),
    }
}

fn program(role: &ArgMatches) -> Program {
    let name = role.get_one::<String>("program");
    let named = |program: &Program| name.is_some_and(|name| name == program.name());
    // Another name has been refused.
    Program::ALL.into_iter().find(named).unwrap_or(Program::Raw)
}

fn work(role: &ArgMatches) -> Work {
    let number = |name: &str| role.get_one::<usize>(name).copied();
    let kind = role.get_one::<String>("kind");
    let named = |known: &Kind| kind.is_some_and(|kind| kind == known.name());
    let kind = Kind::ALL.into_iter().find(named).unwrap_or(Kind::Null);
    let port = number("port").and_then(|port| u16::try_from(port).ok());
    Work {
        port: port.unwrap_or(0),
        kind,
        calls: number("calls").unwrap_or(1000),
        warmup: number("warmup").unwrap_or(0),
        load: number("load").unwrap_or(1),
    }
}
