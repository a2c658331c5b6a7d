//! Which options count in which mode, and what becomes of one that doesn't. Pure: one table.

use crate::program::cli::{ServeMode, ServeOptions};
use crate::program::failure::Failure;

/// What is said of an option.
#[derive(Clone, Copy, Debug)]
struct Rule {
    name: &'static str,
    effect: Effect,
    /// The option without which it has no effect.
    companion: Option<&'static str>,
    /// Who gives it relies on it.
    protects: bool,
}

/// Where an option counts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Effect {
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
    /// Where the server starts such processes.
    Spawning,
}

impl Effect {
    fn counts_in(self, mode: ServeMode) -> bool {
        match self {
            Effect::Anywhere => true,
            Effect::Listening => mode != ServeMode::Stdio,
            Effect::Several => !matches!(mode, ServeMode::OneShot | ServeMode::Stdio),
            Effect::Pool => mode == ServeMode::Pool,
            Effect::Process => mode.is_process(),
            Effect::Spawning => mode == ServeMode::Process,
        }
    }
}

/// Refuses options that have no effect: those of the command line, which is this server's alone, and
/// those that protect something wherever they stand. The others of the environment and the config
/// file are tolerated, which may be meant for several servers. (Python's program takes those of the
/// registry without `--register`.)
pub(crate) fn check(options: &ServeOptions) -> Result<(), Failure> {
    let mode = options.serving.mode;
    // It has the command line of the server that started it.
    if mode == ServeMode::Child {
        return Ok(());
    }
    for rule in RULES {
        let said = if rule.protects {
            &options.set
        } else {
            &options.given
        };
        if !said.iter().any(|name| name == rule.name) {
            continue;
        }
        if !rule.effect.counts_in(mode) {
            return Err(refusal(rule, mode));
        }
        if let Some(other) = rule.companion.filter(|other| !is_on(options, other)) {
            let refused = format!("--{} has no effect without --{other}", rule.name);
            return Err(Failure::usage(refused).hint(format!("Say --{other}, too.")));
        }
    }
    Ok(())
}

fn is_on(options: &ServeOptions, companion: &str) -> bool {
    match companion {
        "register" => options.registering.register,
        _ => options.set.iter().any(|name| name == companion),
    }
}

fn refusal(rule: &Rule, mode: ServeMode) -> Failure {
    let (reason, way_out) = match (rule.effect, mode) {
        (Effect::Pool, _) => ("the other modes have no workers", "Say --mode pool, too."),
        (Effect::Process, _) => (
            "it is a limit of processes",
            "Say --mode process, too: each client gets a process of its own.",
        ),
        (Effect::Spawning, _) => (
            "clients have no processes of their own",
            "Say --mode process, too, or start the server as that user.",
        ),
        (_, ServeMode::OneShot) => ("there is one client", "Remove it."),
        _ => (
            "whoever started the server is served, nothing is listened on",
            "Remove it, or take another mode.",
        ),
    };
    let (name, mode) = (rule.name, mode.name());
    let refused = format!("--{name} has no effect with --mode {mode}: {reason}");
    Failure::usage(refused).hint(way_out)
}

const fn rule(name: &'static str, effect: Effect) -> Rule {
    Rule {
        name,
        effect,
        companion: None,
        protects: false,
    }
}

impl Rule {
    const fn says_more_about(self, other: &'static str) -> Rule {
        Rule {
            companion: Some(other),
            ..self
        }
    }

    const fn protects(self) -> Rule {
        Rule {
            protects: true,
            ..self
        }
    }
}

/// Each option of serving.
const RULES: &[Rule] = &[
    rule("advertise-host", Effect::Listening).says_more_about("register"),
    rule("advertise-port", Effect::Listening).says_more_about("register"),
    rule("allow", Effect::Listening).protects(),
    rule("check", Effect::Anywhere),
    rule("classic", Effect::Anywhere),
    rule("compress", Effect::Anywhere),
    rule("config", Effect::Anywhere),
    rule("frame-timeout", Effect::Anywhere),
    rule("grace", Effect::Anywhere),
    rule("handshake-timeout", Effect::Anywhere),
    rule("host", Effect::Listening),
    rule("idle-timeout", Effect::Anywhere),
    rule("init", Effect::Anywhere),
    rule("insecure", Effect::Listening),
    rule("ipv6", Effect::Listening),
    rule("keepalive", Effect::Listening),
    rule("log-format", Effect::Anywhere),
    rule("logfile", Effect::Anywhere),
    rule("max-clients", Effect::Several),
    rule("max-clients-per-address", Effect::Several),
    rule("max-cpu", Effect::Process).protects(),
    rule("max-frame", Effect::Anywhere),
    rule("max-inflated", Effect::Anywhere),
    rule("max-lifetime", Effect::Process).protects(),
    rule("max-memory", Effect::Process).protects(),
    rule("max-nested", Effect::Anywhere),
    rule("max-objects", Effect::Anywhere),
    rule("max-pending", Effect::Anywhere),
    rule("max-queued", Effect::Anywhere),
    rule("metrics", Effect::Listening),
    rule("mode", Effect::Anywhere),
    rule("no-pickle", Effect::Anywhere),
    rule("no-traceback", Effect::Anywhere),
    rule("path", Effect::Anywhere),
    rule("port", Effect::Listening),
    rule("quiet", Effect::Anywhere),
    rule("register", Effect::Listening),
    rule("registry-host", Effect::Listening),
    rule("registry-port", Effect::Listening),
    rule("registry-type", Effect::Listening),
    rule("request-time-limit", Effect::Anywhere),
    rule("secret-file", Effect::Listening).protects(),
    rule("service-name", Effect::Listening).says_more_about("register"),
    rule("ssl-cafile", Effect::Listening).protects(),
    rule("ssl-certfile", Effect::Listening).protects(),
    rule("ssl-keyfile", Effect::Listening).protects(),
    rule("sync-request-timeout", Effect::Anywhere),
    rule("unix", Effect::Listening),
    rule("unix-mode", Effect::Listening).says_more_about("unix"),
    rule("user", Effect::Spawning).protects(),
    rule("verbose", Effect::Anywhere),
    rule("workers", Effect::Pool),
    rule("write-timeout", Effect::Anywhere),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::cli::serve;

    #[test]
    fn every_option_is_in_the_table_once() {
        let table: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        let mut options = crate::program::cli::options_of_serving();
        options.sort();
        assert_eq!(table, options);
    }

    /// What is said of an option in a mode, given on the command line or elsewhere.
    fn refused(mode: ServeMode, name: &str, on_command_line: bool) -> Option<String> {
        let mut options = serve(&["--classic"]);
        options.serving.mode = mode;
        let said = vec![name.to_owned()];
        options.given = if on_command_line {
            said.clone()
        } else {
            Vec::new()
        };
        options.set = said;
        check(&options).err().map(|failure| failure.report())
    }

    const MODES: [ServeMode; 5] = [
        ServeMode::OneShot,
        ServeMode::Pool,
        ServeMode::Process,
        ServeMode::Stdio,
        ServeMode::Threaded,
    ];

    #[test]
    fn an_option_without_effect_is_refused_by_its_name_with_the_way_out() {
        for rule in RULES {
            let name = rule.name;
            assert_eq!(refused(ServeMode::Child, name, true), None);
            for mode in MODES {
                let counts = rule.effect.counts_in(mode) && rule.companion.is_none();
                let refused = refused(mode, name, true);
                assert_eq!(refused.is_none(), counts, "{name}, {mode:?}");
                if let Some(text) = refused {
                    let beginning = format!("rpyc-server: --{name} has no effect with");
                    assert!(
                        text.starts_with(&beginning) && text.contains("\n  "),
                        "{text}"
                    );
                }
            }
        }
        let refused = |mode, name| refused(mode, name, true).expect("no effect");
        let text = refused(ServeMode::Stdio, "port");
        assert!(text.contains("--port has no effect with --mode stdio: "));
        assert!(refused(ServeMode::Threaded, "workers").contains("--mode pool"));
    }

    #[test]
    fn elsewhere_than_on_the_command_line_only_what_protects_is_refused() {
        for rule in RULES {
            for mode in MODES {
                let tolerated = refused(mode, rule.name, false).is_none();
                let expected = !rule.protects || rule.effect.counts_in(mode);
                assert_eq!(tolerated, expected, "{}, {mode:?}", rule.name);
            }
        }
    }
}
