//! Which options count in which mode. One that doesn't is told of, wherever it stands: on the command
//! line, in the environment, in the config file. One that would protect is refused: a server must
//! not run without what its operator counts on. Pure.

use crate::program::cli::{ServeMode, ServeOptions};
use crate::program::failure::Failure;

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
    /// Where the server registers.
    Registering,
    /// Where a class in Python is served.
    Service,
    /// Where the server starts processes for its clients.
    Spawning,
    /// Where it listens on a Unix socket.
    Unix,
}

/// What the effect of options depends on.
#[derive(Clone, Copy, Debug)]
struct Situation {
    mode: ServeMode,
    registers: bool,
    has_service: bool,
    has_unix: bool,
}

impl Effect {
    fn counts_in(self, at: Situation) -> bool {
        let listens = at.mode != ServeMode::Stdio;
        match self {
            Effect::Anywhere => true,
            Effect::Listening => listens,
            Effect::Several => listens && at.mode != ServeMode::OneShot,
            Effect::Pool => at.mode == ServeMode::Pool,
            Effect::Process => at.mode.is_process(),
            Effect::Registering => listens && at.registers,
            Effect::Service => at.has_service,
            Effect::Spawning => at.mode == ServeMode::Process,
            Effect::Unix => listens && at.has_unix,
        }
    }
}

/// What to tell of options that have no effect.
///
/// # Errors
/// When one of them would protect.
pub(crate) fn check(options: &ServeOptions) -> Result<Vec<String>, Failure> {
    let situation = Situation {
        mode: options.serving.mode,
        registers: options.registering.register,
        has_service: options.service.place.is_some(),
        has_unix: options.socket.unix.is_some(),
    };
    without_effect(situation, &options.given)
}

fn without_effect(at: Situation, given: &[String]) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    // It has the command line of the server that started it.
    if at.mode == ServeMode::Child {
        return Ok(warnings);
    }
    for (name, effect) in EFFECTS {
        if effect.counts_in(at) || !given.iter().any(|given| given == name) {
            continue;
        }
        let (reason, way_out) = reason(*effect, at.mode);
        let text = format!("--{name} has no effect {reason}");
        if PROTECTING.contains(name) {
            return Err(Failure::usage(text).hint(way_out));
        }
        warnings.push(format!("{text}. {way_out}"));
    }
    Ok(warnings)
}

fn reason(effect: Effect, mode: ServeMode) -> (String, &'static str) {
    let (reason, way_out) = match (effect, mode) {
        (Effect::Pool, _) => ("the other modes have no workers", "Say --mode pool, too."),
        (Effect::Process, _) => (
            "it is a limit of processes",
            "Say --mode process, too: each client gets a process of its own.",
        ),
        (Effect::Spawning, _) => (
            "clients have no processes of their own",
            "Say --mode process, too, or start the server as that user.",
        ),
        (Effect::Service, _) => {
            return ("without --service".to_owned(), "Say --service, too.");
        }
        (_, ServeMode::Stdio) => (
            "whoever started the server is served, nothing is listened on",
            "Remove it, or take another mode.",
        ),
        (Effect::Registering, _) => {
            return ("without --register".to_owned(), "Say --register, too.");
        }
        (Effect::Unix, _) => return ("without --unix".to_owned(), "Say --unix, too."),
        _ => ("there is one client", "Remove it."),
    };
    let mode = mode.name();
    (format!("with --mode {mode}: {reason}"), way_out)
}

/// Options that keep somebody out or within bounds.
const PROTECTING: &[&str] = &[
    "allow",
    "max-cpu",
    "max-lifetime",
    "max-memory",
    "secret-file",
    "user",
];

/// Each option of serving.
const EFFECTS: &[(&str, Effect)] = &[
    ("advertise-host", Effect::Registering),
    ("advertise-port", Effect::Registering),
    ("allow", Effect::Listening),
    ("check", Effect::Anywhere),
    ("classic", Effect::Anywhere),
    ("compress", Effect::Anywhere),
    ("config", Effect::Anywhere),
    ("etcd-cafile", Effect::Registering),
    ("etcd-certfile", Effect::Registering),
    ("etcd-keyfile", Effect::Registering),
    ("etcd-lease", Effect::Registering),
    ("etcd-password-file", Effect::Registering),
    ("etcd-prefix", Effect::Registering),
    ("etcd-tls", Effect::Registering),
    ("etcd-user-file", Effect::Registering),
    ("frame-timeout", Effect::Anywhere),
    ("grace", Effect::Anywhere),
    ("handshake-timeout", Effect::Anywhere),
    ("host", Effect::Listening),
    ("idle-timeout", Effect::Anywhere),
    ("init", Effect::Anywhere),
    ("insecure", Effect::Listening),
    ("ipv6", Effect::Listening),
    ("keepalive", Effect::Listening),
    ("log-format", Effect::Anywhere),
    ("logfile", Effect::Anywhere),
    ("max-clients", Effect::Several),
    ("max-clients-per-address", Effect::Several),
    ("max-cpu", Effect::Process),
    ("max-frame", Effect::Anywhere),
    ("max-inflated", Effect::Anywhere),
    ("max-lifetime", Effect::Process),
    ("max-memory", Effect::Process),
    ("max-nested", Effect::Anywhere),
    ("max-objects", Effect::Anywhere),
    ("max-pending", Effect::Anywhere),
    ("max-queued", Effect::Anywhere),
    ("metrics", Effect::Listening),
    ("mode", Effect::Anywhere),
    ("no-pickle", Effect::Anywhere),
    ("no-traceback", Effect::Anywhere),
    ("path", Effect::Anywhere),
    ("port", Effect::Listening),
    ("protocol-config", Effect::Service),
    ("python", Effect::Anywhere),
    ("quiet", Effect::Anywhere),
    ("register", Effect::Listening),
    ("registry-host", Effect::Listening),
    ("registry-port", Effect::Listening),
    ("registry-type", Effect::Listening),
    ("request-time-limit", Effect::Anywhere),
    ("secret-file", Effect::Listening),
    ("service", Effect::Anywhere),
    ("service-name", Effect::Registering),
    ("shared", Effect::Service),
    ("ssl-cafile", Effect::Listening),
    ("ssl-certfile", Effect::Listening),
    ("ssl-keyfile", Effect::Listening),
    ("sync-request-timeout", Effect::Anywhere),
    ("unix", Effect::Listening),
    ("unix-mode", Effect::Unix),
    ("user", Effect::Spawning),
    ("verbose", Effect::Anywhere),
    ("workers", Effect::Pool),
    ("write-timeout", Effect::Anywhere),
];

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [ServeMode; 5] = [
        ServeMode::OneShot,
        ServeMode::Pool,
        ServeMode::Process,
        ServeMode::Stdio,
        ServeMode::Threaded,
    ];

    fn alone(mode: ServeMode) -> Situation {
        Situation {
            mode,
            registers: false,
            has_service: false,
            has_unix: false,
        }
    }

    fn given(at: Situation, name: &str) -> Result<Vec<String>, String> {
        without_effect(at, &[name.to_owned()]).map_err(|failure| failure.report())
    }

    #[test]
    fn every_option_is_in_the_table_once() {
        let table: Vec<&str> = EFFECTS.iter().map(|(name, _)| *name).collect();
        let mut options = crate::program::cli::options_of_serving();
        options.sort();
        assert_eq!(table, options);
        assert!(PROTECTING.iter().all(|name| table.contains(name)));
    }

    #[test]
    fn an_option_without_effect_is_told_of_by_its_name_with_the_way_out_or_refused() {
        for (name, effect) in EFFECTS {
            assert_eq!(given(alone(ServeMode::Child), name), Ok(Vec::new()));
            for mode in MODES {
                let text = match given(alone(mode), name) {
                    Ok(warnings) => {
                        let count = usize::from(!effect.counts_in(alone(mode)));
                        assert_eq!(warnings.len(), count, "{name}, {mode:?}");
                        assert!(count == 0 || !PROTECTING.contains(name), "{name}");
                        let Some(warning) = warnings.into_iter().next() else {
                            continue;
                        };
                        warning
                    }
                    Err(refused) => {
                        assert!(PROTECTING.contains(name), "{refused}");
                        assert!(refused.contains("\n  "), "{refused}");
                        refused
                    }
                };
                let says = |word: &str| text.contains(word);
                assert!(says(&format!("--{name} has no effect with")), "{text}");
                assert!(says("Say --") || says("Remove it"), "{text}");
            }
        }
        let refused = given(alone(ServeMode::Threaded), "max-memory").expect_err("no process");
        assert!(refused.contains("Say --mode process, too"), "{refused}");
    }

    #[test]
    fn what_says_more_about_another_option_counts_where_that_is_on() {
        for (name, other) in [
            ("protocol-config", "service"),
            ("service-name", "register"),
            ("shared", "service"),
            ("unix-mode", "unix"),
        ] {
            let mut at = alone(ServeMode::Threaded);
            let warnings = given(at, name).expect("a warning");
            assert!(warnings[0].contains(&format!("without --{other}")));
            (at.registers, at.has_service, at.has_unix) = (true, true, true);
            assert_eq!(given(at, name), Ok(Vec::new()));
        }
    }
}
