//! What can't be hosted, and what the operator is told.

use rpyc_tests::child;

use crate::{client, command, hosted, pythons};

/// What the program says of a service of `lab.py` that it can't host.
#[track_caller]
fn refusal(service: &str, options: &[&str]) -> Vec<String> {
    refusal_of(&format!("lab:{service}"), options)
}

/// The same of the service at that place.
#[track_caller]
fn refusal_of(place: &str, options: &[&str]) -> Vec<String> {
    let refused = pythons().into_iter().map(|python| {
        let output = child::output(&mut command(python.as_deref(), place, options));
        let output = output.expect("the program runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines()
            .filter(|line| !line.contains(" INFO "))
            .collect::<Vec<_>>()
            .join("\n")
    });
    refused.collect()
}

#[test]
fn a_service_that_isnt_there_is_told_of_with_what_to_do() {
    for mode in ["threaded", "process"] {
        for said in refusal("Nothing", &["--mode", mode, "--port", "0"]) {
            assert!(
                said.starts_with(
                    "rpyc-server: --service lab:Nothing: the module lab has no Nothing\n"
                ),
                "{said}"
            );
            assert!(said.contains("MagnetService"), "{said}");
        }
    }
    for said in refusal_of("labs:X", &[]) {
        assert!(
            said.starts_with("rpyc-server: --service labs:X: there is no module labs\n"),
            "{said}"
        );
        assert!(said.contains("--path"), "{said}");
    }
    for said in refusal_of("lab", &[]) {
        assert!(said.contains("module:Class"), "{said}");
    }
}

#[test]
fn a_constructor_that_raises_refuses_the_client_or_the_start() {
    for said in refusal("Broken", &["--shared"]) {
        assert!(
            said.starts_with("rpyc-server: --service lab:Broken: its constructor raised an exception: RuntimeError: no magnet is connected"),
            "{said}"
        );
        assert!(said.contains("in __init__"), "{said}");
    }
    for python in pythons() {
        for service in ["Broken", "Refuses"] {
            let server = hosted(python.as_deref(), service, &[]);
            let written = client(
                &server,
                r#"
                try:
                    connect().root
                except (EOFError, OSError):
                    print("refused")
                "#,
            );
            assert_eq!(written, "refused");
            let why = match service {
                "Broken" => "no magnet is connected",
                _ => "not today",
            };
            server.wait_for_log(why, |lines| {
                lines.iter().any(|line| line.contains(why)).then_some(())
            });
        }
    }
}

#[test]
fn an_option_that_there_isnt_is_refused_by_its_name() {
    for (option, says) in [
        (
            "allow_everything=true",
            "there is no option allow_everything",
        ),
        (
            "sync_request_timeout=-1",
            "sync_request_timeout: it takes seconds",
        ),
        ("lab:nothing", "the module lab has no nothing"),
        ("safe_attrs='x'", "safe_attrs: it takes names"),
    ] {
        for said in refusal("Counter", &["--protocol-config", option]) {
            assert!(
                said.starts_with(&format!("rpyc-server: --protocol-config: {says}")),
                "{said}"
            );
        }
    }
}

#[test]
fn classic_mode_and_a_service_arent_served_on_one_port() {
    let output = child::output(&mut command(None, "lab:Counter", &["--classic"]));
    let output = output.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a port serves one of them"), "{said}");
}
