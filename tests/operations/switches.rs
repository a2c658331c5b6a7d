//! Every switch of Python's own programs is one of this program, under its own name.

use std::process::Command;

use rpyc_tests::certs::Authority;
use rpyc_tests::child;
use rpyc_tests::python;
use rpyc_tests::server::binary;

/// A switch as the help of a Python program shows it.
#[derive(Debug)]
struct Switch {
    names: Vec<String>,
    /// What it takes: `str`, `{UDP, TCP}`, ...
    value: Option<String>,
}

/// Reads lines like `    -p, --port VALUE:[0..65535]     The TCP listener port`.
fn switches(help: &str) -> Vec<Switch> {
    let lines = help.lines().filter(|line| line.starts_with("    -"));
    let switch = |line: &str| {
        let mut rest = line.trim_start();
        let mut names = Vec::new();
        while rest.starts_with('-') {
            let end = rest.find([',', ' ']).unwrap_or(rest.len());
            names.push(rest[..end].to_owned());
            rest = rest[end..].trim_start_matches(',');
            rest = rest.strip_prefix(' ').unwrap_or(rest);
        }
        let value = rest.strip_prefix("VALUE:").or(rest.strip_prefix("SHELL:"));
        let value = value.map(|value| match value.find('}') {
            Some(end) => value[..=end].to_owned(),
            None => value.split(' ').next().unwrap_or_default().to_owned(),
        });
        Switch { names, value }
    };
    lines.map(switch).collect()
}

/// Exit code and output.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    let output = child::output(command.args(arguments)).expect("it runs");
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Whether something is content, maybe with a word on what has no effect.
#[track_caller]
fn is_content(arguments: &[&str]) {
    let (code, text) = run(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {text}");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.retain(|line| !line.contains(" has no effect with"));
    assert_eq!(lines, ["configuration OK"], "{arguments:?}");
}

fn check(program: &str, base: &[&str], least: usize) {
    let switches = switches(&python::program_output(program, &["--help"]));
    assert!(switches.len() >= least, "{switches:?}");
    let authority = Authority::new("authority");
    let identity = authority.server();
    let [key, certificate, ca] = [&identity.key, &identity.certificate, &authority.path()]
        .map(|path| path.to_string_lossy().into_owned());
    let folder = tempfile::TempDir::new().expect("a folder");
    let log = folder.path().join("log").to_string_lossy().into_owned();
    for Switch { names, value } in &switches {
        let name = names.last().map(String::as_str).unwrap_or_default();
        if let "--help" | "--help-all" | "--version" = name {
            let (code, text) = run(&[&base[..base.len() - 1], &[name]].concat());
            assert_eq!(code, Some(0), "{name}: {text}");
            assert!(text.contains("rpyc-server"), "{name}: {text}");
            continue;
        }
        if base.contains(&name) {
            continue;
        }
        if name == "--completions" {
            // A command here.
            for shell in value.as_deref().map(choices).expect("some shells") {
                assert_eq!(run(&["completions", &shell]).0, Some(0), "{shell}");
            }
            continue;
        }
        let values = match (name, value.as_deref()) {
            (_, None) => vec![String::new()],
            ("--host" | "--registry-host", Some("str")) => vec!["127.0.0.1".to_owned()],
            ("--logfile", Some("str")) => vec![log.clone()],
            ("--quiet", Some("str")) | (_, Some("bool")) => {
                vec!["true".to_owned(), "no".to_owned()]
            }
            ("--ssl-keyfile", Some(_)) => vec![key.clone()],
            ("--ssl-certfile", Some(_)) => vec![certificate.clone()],
            ("--ssl-cafile", Some(_)) => vec![ca.clone()],
            (_, Some("[0..65535]")) => vec!["18813".to_owned()],
            (_, Some("int")) => vec!["60".to_owned()],
            (_, Some(list)) if list.starts_with('{') => choices(list),
            other => panic!("{program} has a new kind of switch: {other:?}"),
        };
        let also: &[&str] = match name {
            "--ssl-keyfile" => &["--ssl-certfile", &certificate],
            "--ssl-certfile" => &["--ssl-keyfile", &key],
            "--ssl-cafile" => &["--ssl-keyfile", &key, "--ssl-certfile", &certificate],
            // Nobody finds a server that listens on loopback (docs/differences.md).
            "--register" => &["--registry-host", "127.0.0.1"],
            _ => &[],
        };
        for name in names {
            for value in &values {
                let arguments = match value.as_str() {
                    "" => vec![name.as_str()],
                    value => vec![name.as_str(), value],
                };
                let arguments = [base, &arguments, also].concat();
                is_content(&arguments);
            }
        }
    }
}

/// The parts of `{UDP, TCP}`.
fn choices(list: &str) -> Vec<String> {
    let list = list.trim_matches(['{', '}']);
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_switch_of_rpyc_classic_is_one_of_the_server() {
    check("rpyc_classic", &["--classic", "--check"], 16);
}

#[test]
fn every_switch_of_rpyc_classic_goes_with_every_mode() {
    for mode in ["threaded", "forking", "stdio", "oneshot", "pool", "process"] {
        let base = ["--classic", "--mode", mode, "--check"];
        check("rpyc_classic", &base, 16);
    }
}

#[test]
fn every_switch_of_rpyc_registry_is_one_of_the_registry() {
    check("rpyc_registry", &["registry", "--check"], 11);
}
