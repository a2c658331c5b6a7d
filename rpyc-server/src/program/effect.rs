//! Which options count in which mode: one that doesn't is a mistake to be told of, not to be
//! passed over. Pure.

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
}

impl Effect {
    fn counts_in(self, mode: ServeMode) -> bool {
        match self {
            Effect::Anywhere => true,
            Effect::Listening => mode != ServeMode::Stdio,
            Effect::Several => !matches!(mode, ServeMode::OneShot | ServeMode::Stdio),
            Effect::Pool => mode == ServeMode::Pool,
            Effect::Process => mode.is_process(),
        }
    }
}

/// Refuses options of the command line that have no effect in the mode. (What the environment and
/// the config file say may be meant for several servers.)
pub(crate) fn check(mode: ServeMode, given: &[String]) -> Result<(), Failure> {
    // It has the command line of the server that started it.
    if mode == ServeMode::Child {
        return Ok(());
    }
    for (name, effect) in EFFECTS {
        if effect.counts_in(mode) || !given.iter().any(|given| given == name) {
            continue;
        }
        let (reason, way_out) = match (effect, mode) {
            (Effect::Pool, _) => ("the other modes have no workers", "Say --mode pool, too."),
            (Effect::Process, _) => (
                "it is a limit of processes",
                "Say --mode process, too: each client gets a process of its own.",
            ),
            (_, ServeMode::OneShot) => ("there is one client", "Leave it away."),
            _ => (
                "whoever started the server is served, nothing is listened on",
                "Leave it away, or take another mode.",
            ),
        };
        let mode = mode.name();
        return Err(Failure::usage(format!(
            "--{name} has no effect with --mode {mode}: {reason}"
        ))
        .hint(way_out));
    }
    Ok(())
}

/// Refuses options of the command line that say more about another one, which is off. (Python's
/// program takes those of the registry without `--register`.)
pub(crate) fn check_companions(options: &ServeOptions) -> Result<(), Failure> {
    let (unix, register) = (options.socket.unix.is_some(), options.registering.register);
    for (name, other, is_on) in [
        ("advertise-host", "register", register),
        ("advertise-port", "register", register),
        ("service-name", "register", register),
        ("unix-mode", "unix", unix),
    ] {
        if !is_on && options.given.iter().any(|given| given == name) {
            let refused = format!("--{name} has no effect without --{other}");
            return Err(Failure::usage(refused).hint(format!("Say --{other}, too.")));
        }
    }
    Ok(())
}

/// Each option of serving.
const EFFECTS: &[(&str, Effect)] = &[
    ("advertise-host", Effect::Listening),
    ("advertise-port", Effect::Listening),
    ("allow", Effect::Listening),
    ("check", Effect::Anywhere),
    ("classic", Effect::Anywhere),
    ("compress", Effect::Anywhere),
    ("config", Effect::Anywhere),
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
    ("quiet", Effect::Anywhere),
    ("register", Effect::Listening),
    ("registry-host", Effect::Listening),
    ("registry-port", Effect::Listening),
    ("registry-type", Effect::Listening),
    ("request-time-limit", Effect::Anywhere),
    ("secret-file", Effect::Listening),
    ("service-name", Effect::Listening),
    ("ssl-cafile", Effect::Listening),
    ("ssl-certfile", Effect::Listening),
    ("ssl-keyfile", Effect::Listening),
    ("sync-request-timeout", Effect::Anywhere),
    ("unix", Effect::Listening),
    ("unix-mode", Effect::Listening),
    ("verbose", Effect::Anywhere),
    ("workers", Effect::Pool),
    ("write-timeout", Effect::Anywhere),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_table_once() {
        let table: Vec<&str> = EFFECTS.iter().map(|(name, _)| *name).collect();
        let mut options = crate::program::cli::options_of_serving();
        options.sort();
        assert_eq!(table, options);
    }

    #[test]
    fn an_option_without_effect_is_refused_by_its_name_with_the_way_out() {
        let given = |mode, name: &str| {
            let refused = check(mode, &[name.to_owned()]).err();
            refused.map(|failure| failure.report())
        };
        let others = [
            ServeMode::OneShot,
            ServeMode::Pool,
            ServeMode::Process,
            ServeMode::Stdio,
            ServeMode::Threaded,
        ];
        for (name, effect) in EFFECTS {
            assert_eq!(given(ServeMode::Child, name), None);
            for mode in others {
                let refused = given(mode, name);
                assert_eq!(
                    refused.is_none(),
                    effect.counts_in(mode),
                    "{name}, {mode:?}"
                );
                if let Some(text) = refused {
                    let beginning = format!("rpyc-server: --{name} has no effect with --mode ");
                    assert!(
                        text.starts_with(&beginning) && text.contains("\n  "),
                        "{text}"
                    );
                }
            }
        }
        let refused = given(ServeMode::Stdio, "port").expect("nothing is listened on");
        assert!(refused.contains("--port has no effect with --mode stdio: "));
        let refused = given(ServeMode::Threaded, "workers").expect("no pool");
        assert!(refused.contains("--mode pool"), "{refused}");
    }
}
