//! Every version of rpyc on the Pythons that it was made for: 2.7, and 3 up to 3.8, whichever are at hand.
//!
//! Run by `cargo verify-versions`, which says what it has found and what it has run.

mod service;

use std::io::Write;

use rpyc_tests::Server;
use rpyc_tests::versions::{Peer, VERSIONS, old_pythons};

#[test]
fn clients_on_old_pythons_are_served() {
    let mut covered = Vec::new();
    let mut failed = Vec::new();
    let classic = Server::start();
    let service = service::serve();
    for (name, python) in old_pythons() {
        for (version, _) in VERSIONS {
            if !runs_on(version, &name) {
                continue;
            }
            let peer = Peer::on(version, &python);
            let outcomes = [
                peer.client("classic_client.py", classic.address().port()),
                peer.client("service_client.py", service),
            ];
            failed.extend(outcomes.into_iter().filter_map(Result::err));
            if name == "2.7" {
                let names = peer.client("plain_strings.py", classic.address().port());
                failed.extend(names.err());
            }
            covered.push(format!("rpyc {version} on Python {name}"));
        }
    }
    let found = match covered.as_slice() {
        [] => "no Python from 2.7 to 3.8 on the path or in pyenv: nothing is covered".to_owned(),
        covered => covered.join("\n"),
    };
    // Past the capture: whoever runs it is to see what wasn't.
    let _ = writeln!(std::io::stderr(), "{found}");
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Whether the version was made for the Python.
fn runs_on(version: &str, python: &str) -> bool {
    match (version, python) {
        ("3.4.4", "2.7" | "3.6") | ("4.0.2" | "4.1.5", _) => true,
        ("3.4.4", _) | (_, "2.7") => false,
        (version, _) if version.starts_with('7') => false,
        _ => true,
    }
}
