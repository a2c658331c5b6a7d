//! The command line as a whole.

use std::io::Write;
use std::time::Duration;

use clap::ArgAction;
use tempfile::NamedTempFile;

use super::arg::opposite;
use super::*;

fn parse(arguments: &[&str]) -> Result<Result<Invocation, clap::Error>, Failure> {
    let arguments = [NAME].iter().chain(arguments);
    parse_from(arguments.map(OsString::from).collect())
}

#[track_caller]
fn serve(arguments: &[&str]) -> ServeOptions {
    match parse(arguments) {
        Ok(Ok(Invocation::Serve(options))) => *options,
        other => panic!("not serving: {other:?}"),
    }
}

fn config_file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("it is writable");
    file
}

#[track_caller]
fn serve_with_file(text: &str, arguments: &[&str]) -> ServeOptions {
    let file = config_file(text);
    let path = file.path().to_str().expect("a plain path");
    serve(&[&["--config", path], arguments].concat())
}

#[track_caller]
fn refusal_of_file(text: &str) -> String {
    let file = config_file(text);
    let path = file.path().to_str().expect("a plain path");
    let refused = parse(&["--config", path]).expect_err("the file is wrong");
    refused.report().replace(path, "FILE")
}

#[test]
fn the_flags_are_consistent() {
    command().debug_assert();
}

#[test]
fn without_flags_it_is_loopback_and_rpycs_own_port() {
    let serving = serve(&[]).serving;
    assert!(!serving.classic && !serving.insecure && !serving.no_pickle && !serving.no_traceback);
    assert_eq!((serving.host.as_str(), serving.port), ("127.0.0.1", 18812));
    assert_eq!(serving.sync_request_timeout, Some(Duration::from_secs(30)));
    assert_eq!(serving.max_clients, 1000);
}

#[test]
fn a_timeout_of_zero_is_none_and_fractions_count() {
    let timeout = |text: &str| {
        let options = serve(&["--sync-request-timeout", text]);
        options.serving.sync_request_timeout
    };
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
        &["--no-such-flag"],
        &["--classic", "man"],
        &["completions", "tcsh"],
    ] {
        assert!(matches!(parse(arguments), Ok(Err(_))), "{arguments:?}");
    }
}

#[test]
fn every_option_has_a_variable_of_its_name_and_every_switch_its_opposite() {
    let command = command();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let name = arg.get_long().expect("an option, not an argument");
        let variable = format!("RPYC_SERVER_{}", name.to_uppercase().replace('-', "_"));
        let given = arg.get_env().and_then(|variable| variable.to_str());
        assert_eq!(given, Some(&*variable), "--{name}");
        assert!(arg.get_help_heading().is_some(), "--{name} is in no group");
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            let opposite = opposite(name);
            let mut args = command.get_arguments();
            assert!(
                args.any(|arg| arg.get_long() == Some(&opposite) && arg.is_hide_set()),
                "--{opposite}"
            );
        }
    }
}

#[test]
fn of_quiet_and_verbose_the_last_one_counts() {
    let logging = |arguments| {
        let logging = serve(arguments).logging;
        (logging.quiet, logging.verbose)
    };
    assert_eq!(logging(&["--quiet", "--verbose"]), (false, true));
    assert_eq!(logging(&["-v", "-q"]), (true, false));
    assert_eq!(logging(&["-v", "--no-verbose"]), (false, false));
}

#[test]
fn the_config_file_gives_options_and_flags_win() {
    let text = "port = 0\nclassic = true\nhost = \"::1\"\nsync-request-timeout = 1.5\n";
    let serving = serve_with_file(text, &["--port", "7", "--no-classic"]).serving;
    assert_eq!((serving.host.as_str(), serving.port), ("::1", 7));
    assert_eq!(
        serving.sync_request_timeout,
        Some(Duration::from_millis(1500))
    );
    assert!(!serving.classic);
    assert!(serve_with_file(text, &[]).serving.classic);
    assert!(!serve_with_file("classic = false", &[]).serving.classic);
    assert!(
        serve_with_file("classic = false", &["--classic"])
            .serving
            .classic
    );
}

#[test]
fn a_wrong_config_file_is_refused_with_the_line_and_the_way_out() {
    for (text, expected) in [
        (
            "# a comment\nprot = 1\n",
            "FILE, line 2: prot is no option\n  Did you mean port?",
        ),
        (
            "\n\nport = 65536",
            "line 3: port: 65536 is not in 0..=65535",
        ),
        ("port = [1, 2]", "line 1: port takes one value, not a list"),
        ("classic = 1", "line 1: classic is true or false"),
        ("no-classic = true", "line 1: no-classic is no option"),
        ("config = \"other\"", "line 1: config is no option"),
        ("port = 1\nport = 2", "line 2: duplicate key"),
        ("port = ", "line 1: "),
        ("[server]\nport = 1", "line 1: server is no option"),
        ("host = \"\"", "line 1: host: "),
    ] {
        let refusal = refusal_of_file(text);
        assert!(refusal.contains(expected), "{text:?}: {refusal}");
    }
    let missing = parse(&["--config", "/no/such/file"]).expect_err("there is none");
    assert!(
        missing
            .report()
            .contains("--config /no/such/file: can't be read: ")
    );
}

#[test]
fn completions_name_the_options_and_commands_of_each_shell() {
    for shell in [
        Shell::Bash,
        Shell::Elvish,
        Shell::Fish,
        Shell::PowerShell,
        Shell::Zsh,
    ] {
        let script = String::from_utf8(completions(shell)).expect("text");
        for word in ["max-clients", "completions", "sync-request-timeout"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
}

#[test]
fn the_man_pages_have_the_options_and_an_unknown_command_has_none() {
    let page = |name: Option<&str>| {
        man(name.map(str::to_owned)).map(|page| String::from_utf8(page).expect("text"))
    };
    let program = page(None).expect("a page");
    for text in [
        ".TH rpyc-server",
        "max\\-clients",
        "RPYC_SERVER_PORT",
        "Exit codes",
    ] {
        assert!(program.contains(text), "no {text} in {program}");
    }
    assert!(page(Some("completions")).is_ok_and(|page| page.contains("SHELL")));
    assert!(page(Some("no-such-command")).is_err());
}
