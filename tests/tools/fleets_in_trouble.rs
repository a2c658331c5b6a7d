//! Several servers at once, of which some mean harm, and what becomes of it all when it is cut short.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rpyc_core::{Config, Connection, VoidService};
use rpyc_registry::RegistryClient;
use rpyc_tests::Server;
use rpyc_tests::child::Child;
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::registry::{Registry, register};
use rpyc_tests::server::Signal;

use crate::fleets::{addresses, at, lines_of, row, running};
use crate::tool::{Peer, command, run};

/// A server that lists these names, whatever there is.
fn lists(names: &str) -> Peer {
    Peer::python_after(&format!("import os\nos.listdir = lambda path: {names}"))
}

#[test]
fn names_that_lead_elsewhere_are_one_servers_failure_and_equal_ones_are_kept_apart() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let long = "n".repeat(255);
    let names = ["plain", "\u{1b}[2J\n\u{202e}a | b", &long];
    fs::create_dir(path("here")).expect("a folder");
    for name in names {
        fs::write(path(&format!("here/{name}")), name).expect("written");
    }
    fs::write(path("escaped"), "not to be touched").expect("written");
    let absolute = format!("['{}']", path("absolute"));
    let peers = [
        lists("['../escaped']"),
        Peer::python(),
        lists(&absolute),
        lists("['..']"),
        Peer::ours(),
        lists("['a/../../escaped']"),
        lists("['x' * 100_000]"),
        lists("['plain', 'plain']"),
    ];
    let servers = addresses(&peers);
    let ran = run(
        at(&servers, &["download", &path("here"), &path("back")]),
        "",
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("8 servers: 3 ok, 5 failed ("), "{ran:?}");
    assert!(!ran.err.contains(['\u{1b}', '\u{202e}']), "{ran:?}");
    for good in [1, 4] {
        assert!(row(&ran.err, servers[good]).starts_with("ok "), "{ran:?}");
        for name in names {
            let own = servers[good].replace(':', "_");
            let copied = fs::read_to_string(path(&format!("back/{own}/{name}")));
            assert_eq!(copied.expect("it is there"), name);
        }
    }
    let outside = fs::read_to_string(path("escaped")).expect("it is there");
    assert_eq!(outside, "not to be touched");
    let mut entries: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    entries.sort();
    assert_eq!(entries, ["back", "escaped", "here"]);
}

#[test]
fn a_second_ctrl_c_ends_code_that_catches_the_first() {
    let peers = [Peer::python(), Peer::python()];
    let mut command = at(&addresses(&peers), &["exec", "-"]);
    let code = b"
import time
print('running', flush=True)
while True:
    try:
        while True: time.sleep(0.01)
    except KeyboardInterrupt:
        print('caught', flush=True)
";
    let mut child = running(&mut command, code, Stdio::piped());
    let (status, errors) = within(PATIENCE, "the end of all", move || {
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut both_say = |text: &str| {
            for _ in 0..2 {
                let mut line = String::new();
                out.read_line(&mut line).expect("a line");
                assert!(line.ends_with(text), "{line}");
            }
        };
        both_say("| running\n");
        child.signal(Signal::INT);
        both_say("| caught\n");
        child.signal(Signal::INT);
        let mut errors = String::new();
        let mut err = child.stderr.take().expect("a pipe");
        err.read_to_string(&mut errors).expect("text");
        (child.wait().expect("its end"), errors)
    });
    assert_eq!(status.code(), Some(130), "{errors}");
    assert!(
        errors.contains("2 servers: 0 ok, 2 interrupted ("),
        "{errors}"
    );
}

/// In it `file`, of 4 GiB of holes.
fn folder_with_a_large_file() -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = fs::File::create(folder.path().join("file")).expect("a file");
    file.set_len(4 << 30).expect("a file full of holes");
    folder
}

#[test]
fn killed_in_the_middle_of_downloads_it_leaves_no_half_file_under_its_name() {
    let peers = [Peer::python(), Peer::ours()];
    let servers = addresses(&peers);
    let folder = folder_with_a_large_file();
    let path = |name: &str| folder.path().join(name).display().to_string();
    // What was there stays until there is something better.
    let own = |server: &str, name: &str| path(&format!("back/{}/{name}", server.replace(':', "_")));
    fs::create_dir_all(own(servers[0], "")).expect("a folder");
    fs::write(own(servers[0], "file"), "the one of before").expect("written");
    let mut command = at(&servers, &["download", "-q", &path("file"), &path("back")]);
    let mut child = Child::spawn(&mut command).expect("the program starts");
    let has_begun = |server: &&str| {
        let part = fs::metadata(own(server, ".file.rpyc-part"));
        part.is_ok_and(|part| part.len() > 0)
    };
    eventually("both have begun", || servers.iter().all(has_begun));
    child.signal(Signal::KILL);
    child.wait().expect("its end");
    let before = fs::read_to_string(own(servers[0], "file"));
    assert_eq!(before.expect("it is there"), "the one of before");
    assert!(!fs::exists(own(servers[1], "file")).expect("a folder"));
    // The parts are gone on with, and have their names then.
    let content = vec![0; 3_000_000];
    fs::write(path("file"), &content).expect("written");
    for server in &servers {
        let part = fs::File::options()
            .write(true)
            .open(own(server, ".file.rpyc-part"));
        part.expect("a part").set_len(1_000_000).expect("cut");
    }
    let resume = [
        "download",
        "--resume",
        "--verify",
        &path("file"),
        &path("back"),
    ];
    let ran = run(at(&servers, &resume), "");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for server in &servers {
        assert!(
            row(&ran.err, server).contains("were there already"),
            "{ran:?}"
        );
        let copied = fs::read(own(server, "file")).expect("it is whole");
        assert!(copied == content);
        assert!(!fs::exists(own(server, ".file.rpyc-part")).expect("a folder"));
    }
}

#[test]
fn killed_in_the_middle_of_uploads_it_leaves_the_file_of_before_and_one_part() {
    let peers = [Peer::python(), Peer::ours()];
    let servers = addresses(&peers);
    let folder = folder_with_a_large_file();
    let path = |name: &str| folder.path().join(name).display().to_string();
    // One folder for both servers, as a network's.
    fs::create_dir(path("there")).expect("a folder");
    fs::write(path("there/file"), "the one of before").expect("written");
    let upload = ["upload", "-q", &path("file"), &path("there/file")];
    let mut child = Child::spawn(&mut at(&servers, &upload)).expect("the program starts");
    let sizes = || {
        let parts = fs::read_dir(path("there")).expect("a folder").flatten();
        let parts = parts.filter(|part| part.file_name() != "file");
        let sizes = parts.map(|part| part.metadata().map_or(0, |part| part.len()));
        sizes.collect::<Vec<_>>()
    };
    eventually("both write", || {
        sizes().iter().filter(|size| **size > 0).count() == 2
    });
    child.signal(Signal::KILL);
    child.wait().expect("its end");
    // That of whoever came second goes with its connection, at a server of Python's when it collects garbage.
    let part = fs::File::options()
        .write(true)
        .open(path("there/.file.rpyc-part"));
    let part = part.expect("a part");
    eventually("nobody writes", || {
        let ran = run(at(&servers, &["eval", "__import__('gc').collect()"]), "");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        sizes().len() == 1 && part.try_lock().is_ok()
    });
    let before = fs::read_to_string(path("there/file"));
    assert_eq!(before.expect("it is there"), "the one of before");
    let content = vec![0; 3_000_000];
    fs::write(path("file"), &content).expect("written");
    part.set_len(1_000_000).expect("cut");
    drop(part);
    let resume = [
        "upload",
        "--resume",
        "--verify",
        &path("file"),
        &path("there/file"),
    ];
    let ran = run(at(&servers, &resume), "");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("were there already"), "{ran:?}");
    let copied = fs::read(path("there/file")).expect("it is whole");
    assert!(copied == content && sizes().is_empty());
}

/// Waits until it is so.
#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "never: {what}");
        thread::yield_now();
    }
}

#[test]
fn a_server_that_vanishes_after_it_was_listed_is_one_servers_failure() {
    let registry = Registry::start(&["--host", "127.0.0.1"]);
    let port = registry.address().port();
    let client = RegistryClient::udp("127.0.0.1").port(port);
    let server = Server::start();
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = gone.local_addr().expect("an address");
    for address in [gone, server.address()] {
        register(&client, "lab", address.port());
    }
    let port = port.to_string();
    let all = ["--all", "service:lab", "--registry-host", "127.0.0.1"];
    let all = [&all[..], &["--registry-port", &port]].concat();
    let ran = run(command(&[&["eval", "6 * 7"], &all[..]].concat()), "");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        row(&ran.err, &gone.to_string()).starts_with("failed "),
        "{ran:?}"
    );
    let server = server.address().to_string();
    assert_eq!(lines_of(&ran.out, &server), ["42"], "{ran:?}");
}

#[test]
fn two_hundred_servers_are_asked_sixty_four_at_a_time() {
    let serve = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let opened = Connection::open(stream, Arc::new(VoidService), Config::default());
                opened.expect("a connection").serve_all();
            }
        });
        address
    };
    let servers: Vec<String> = (0..200).map(|_| serve()).collect();
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    let ping = ["ping", "-c", "1", "--jobs", "64"];
    let ran = run(at(&servers, &ping), "");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.ends_with("200 servers: 200 ok\n"), "{ran:?}");
}
