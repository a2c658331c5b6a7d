//! `services`, and `--connect service:NAME`.

use std::time::Instant;

use rpyc_tests::Server;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::registry::Registry;

use crate::tool::{command, run};

#[test]
fn a_server_is_found_by_the_name_of_its_service() {
    let registry = Registry::start(&["--host", "127.0.0.1", "--listing"]);
    let port = registry.address().port().to_string();
    let where_ = ["--registry-host", "127.0.0.1", "--registry-port", &port];
    let ask = |arguments: &[&str]| run(command(&[arguments, &where_[..]].concat()), "");
    let nothing = ask(&["services"]);
    assert_eq!(
        (nothing.code, nothing.out.as_str()),
        (Some(1), ""),
        "{}",
        nothing.err
    );
    let missing = ask(&["eval", "--connect", "service:slave", "1"]);
    assert_eq!(missing.code, Some(255), "{}", missing.err);

    let server = Server::with_options(&[&["--register"], &where_[..]].concat());
    let until = Instant::now() + PATIENCE;
    let listed = loop {
        let ran = ask(&["services"]);
        if ran.code == Some(0) {
            break ran.out;
        }
        assert!(Instant::now() < until, "never registered: {}", ran.err);
    };
    assert!(
        listed.contains(&format!("SLAVE\t{}\n", server.address())),
        "{listed}"
    );
    let found = ask(&["services", "slave"]);
    assert_eq!(found.out, format!("SLAVE\t{}\n", server.address()));
    let ran = ask(&["eval", "--connect", "service:slave", "6 * 7"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "42\n"),
        "{}",
        ran.err
    );

    let silent = run(command(&["services", "--registry-type", "TCP"]), "");
    assert!(
        silent.code == Some(2) && silent.err.contains("--registry-host"),
        "{silent:?}"
    );
}
