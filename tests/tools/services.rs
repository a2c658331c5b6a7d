//! `services`, and `--connect service:NAME`.

use std::time::Instant;

use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::registry::Registry;
use rpyc_tests::{Script, Server};

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

/// What a registry of Python's tells when anybody has registered anything with it.
#[test]
fn what_others_have_registered_is_shown_and_neither_talks_to_the_terminal_nor_spoils_the_list() {
    let registry = Script::new(
        "
import socket
from rpyc.core import brine
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(('127.0.0.1', 0))
say('port %d' % sock.getsockname()[1])
evil = '\\x1b]0;OWNED\\x07\\nGOOD'
names = '', 'GONE', 'LONG' * 100, evil
servers = {evil: (('host\\x1b[2J', 1),), 'GOOD': (('127.0.0.1', 2),), 'REFUSED': evil}
while True:
    question, source = sock.recvfrom(2000)
    _, command, (argument,) = brine.load(question)
    if command == 'LIST':
        answer = names + ('GOOD',)
    else:
        answer = servers.get(argument, ())
    sock.sendto(brine.dump(answer), source)
",
    )
    .serving()
    .spawn();
    let port = registry.told("port ");
    let where_ = ["--registry-host", "127.0.0.1", "--registry-port", &port];
    let ask = |arguments: &[&str]| run(command(&[arguments, &where_[..]].concat()), "");
    let listed = ask(&["services"]);
    assert_eq!(
        (listed.code, listed.out.as_str(), listed.err.as_str()),
        (
            Some(0),
            "\\u{1b}]0;OWNED\\u{7}\\nGOOD\thost\\u{1b}[2J:1\nGOOD\t127.0.0.1:2\n",
            "rpyc-server: 3 services left out: a service's name has between 1 and 255 bytes\n"
        )
    );
    let refused = ask(&["services", "refused"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(
        refused
            .err
            .contains("refuses: \\u{1b}]0;OWNED\\u{7}\\nGOOD\n"),
        "{}",
        refused.err
    );
}
