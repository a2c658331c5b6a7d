//! Which options count in which mode. One that doesn't is told of, wherever it stands: on the command
//! line, in the environment, in the config file. One that would protect is refused: a server must
//! not run without what its operator counts on. Pure.

use crate::program::cli::options::Effect;
use crate::program::cli::{ServeMode, ServeOptions, serve_options};
use crate::program::failure::Failure;

/// What the effect of options depends on.
#[derive(Clone, Copy, Debug)]
struct Situation {
    mode: ServeMode,
    registers: bool,
    has_service: bool,
    has_unix: bool,
}

impl Situation {
    /// Whether an option of that effect counts.
    fn has(self, effect: Effect) -> bool {
        let at = self;
        let listens = at.mode != ServeMode::Stdio;
        match effect {
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
    for option in serve_options() {
        let name = option.name();
        if at.has(option.effect) || !given.iter().any(|given| given == name) {
            continue;
        }
        let (reason, way_out) = reason(option.effect, at.mode);
        let text = format!("--{name} has no effect {reason}");
        if option.protects {
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
    fn an_option_without_effect_is_told_of_by_its_name_with_the_way_out_or_refused() {
        for option in serve_options() {
            let name = option.name();
            assert_eq!(given(alone(ServeMode::Child), name), Ok(Vec::new()));
            for mode in MODES {
                let text = match given(alone(mode), name) {
                    Ok(warnings) => {
                        let count = usize::from(!alone(mode).has(option.effect));
                        assert_eq!(warnings.len(), count, "{name}, {mode:?}");
                        assert!(count == 0 || !option.protects, "{name}");
                        let Some(warning) = warnings.into_iter().next() else {
                            continue;
                        };
                        warning
                    }
                    Err(refused) => {
                        assert!(option.protects, "{refused}");
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
            ("registry-host", "register"),
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
