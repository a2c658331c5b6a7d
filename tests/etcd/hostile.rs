//! What others have written into etcd: data, which is checked.

use std::process::Command;

use rpyc_registry::{Directory, RegistryClient};
use rpyc_tests::child;
use rpyc_tests::etcd::Cluster;
use rpyc_tests::server::{Signal, binary};

use super::library::{addresses, directory};
use super::registry::registry;

pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number =
            three.iter().fold(0, |n, &byte| n << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let place = (number >> (18 - 6 * digit)) & 63;
            text.push(if digit > three.len() {
                '='
            } else {
                DIGITS[place as usize].into()
            });
        }
    }
    text
}

fn put(cluster: &Cluster, key: &[u8], value: &[u8]) {
    let (key, value) = (base64(key), base64(value));
    let done = cluster.ask(
        "/v3/kv/put",
        &format!("{{\"key\":\"{key}\",\"value\":\"{value}\"}}"),
    );
    assert!(done.contains("header"), "{done}");
}

#[test]
fn entries_that_no_server_writes_are_left_out_and_the_others_found() {
    let cluster = Cluster::start(1);
    let huge = vec![b'x'; 1_400_000];
    for key in [
        "/rpyc/services/NOTES/",
        "/rpyc/services/NOTES/no address",
        "/rpyc/services/notes/h:1",
        "/rpyc/services/NOTES/a:0",
        "/rpyc/services//h:1",
        "/rpyc/services/%zz/h:1",
        "/rpyc/services/NOTES/h:1/2",
    ] {
        put(&cluster, key.as_bytes(), b"{}");
    }
    put(&cluster, b"/rpyc/services/NOTES/\xff\xfe:1", b"{}");
    put(&cluster, b"/rpyc/services/NOTES/10.0.0.1:1", b"\x00garbage");
    put(
        &cluster,
        b"/rpyc/services/NOTES/10.0.0.2:1",
        b"{\"version\":\"\\u001b[31m\",\"clients\":1e99}",
    );
    // Together they are longer than any answer that is read.
    for host in 3..12 {
        put(
            &cluster,
            format!("/rpyc/services/NOTES/10.0.0.{host}:1").as_bytes(),
            &huge,
        );
    }
    put(
        &cluster,
        b"/rpyc/services/NOTES/9.0.0.1:1",
        b"{\"version\":\"1\"}",
    );
    let directory = directory(&cluster);
    let found = directory.discover("notes").unwrap();
    let mut shown = addresses(&found);
    shown.sort();
    assert_eq!(shown.len(), 12, "{shown:?}");
    assert_eq!(
        found.iter().filter(|server| server.facts.is_some()).count(),
        1
    );
    assert_eq!(directory.list(None).unwrap(), ["NOTES"]);
    let mut watch = directory.watch("notes").unwrap();
    let first = watch.next(rpyc_tests::deadline::PATIENCE).unwrap();
    assert_eq!(first.expect("they are there").len(), 12);
    put(&cluster, b"/rpyc/servers/10.0.0.1:1", &huge);
    put(&cluster, b"/rpyc/servers/10.0.0.1:2", b"{\"names\":[\"\"]}");
    assert!(directory.list(Some("10.0.0.1")).unwrap().is_empty());
}

#[test]
fn keys_and_values_that_are_longer_than_an_answer_leave_the_list_as_it_is() {
    let cluster = Cluster::start(1);
    let long = "x".repeat(1_400_000);
    for name in ["A", "B", "C"] {
        let own = format!("/rpyc/services/{name}/10.0.0.1:1");
        put(&cluster, own.as_bytes(), long.as_bytes());
        // As long is what isn't a server's at all.
        let foreign = format!("/rpyc/services/{name}{long}");
        put(&cluster, foreign.as_bytes(), b"");
    }
    put(&cluster, b"/rpyc/services/Z/10.0.0.1:1", b"{}");
    let directory = directory(&cluster);
    assert_eq!(directory.list(None).unwrap(), ["A", "B", "C", "Z"]);
    assert_eq!(directory.discover("a").unwrap().len(), 1);
}

/// Ten wrong entries made more than ten lines with each question.
#[test]
fn wrong_entries_make_few_lines_of_a_registrys_log_however_often_it_is_asked() {
    let cluster = Cluster::start(1);
    for number in 0..10 {
        let key = format!("/rpyc/services/NOTES/wrong {number}");
        put(&cluster, key.as_bytes(), b"{}");
    }
    put(&cluster, b"/rpyc/services/%4E/10.0.0.1:1", b"{}");
    put(&cluster, b"/rpyc/services/MEMO/10.0.0.1:1", b"no JSON");
    let registry = registry(&cluster, "TCP", &[]);
    let client = RegistryClient::tcp("127.0.0.1").port(registry.address().port());
    for _ in 0..100 {
        assert!(client.discover("notes").is_err());
        assert_eq!(addresses(&client.discover("memo").unwrap()), ["10.0.0.1:1"]);
        assert_eq!(client.list(None).unwrap(), ["MEMO"]);
    }
    // Entries that are always others: a line for each question at the most.
    for number in 0..20 {
        let key = format!("/rpyc/services/NOTES/other {number}");
        put(&cluster, key.as_bytes(), b"{}");
        assert!(client.discover("notes").is_err());
    }
    registry.signal(Signal::TERM);
    registry.wait_for("stopped");
    let log = registry.log();
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines("below /rpyc/services/:"), 1, "{log}");
    assert_eq!(lines("below /rpyc/services/MEMO/:"), 1, "{log}");
    assert!(
        log.contains("10 left out (10: no address of a server)"),
        "{log}"
    );
    assert!(lines("below /rpyc/services/NOTES/:") <= 21, "{log}");
}

#[test]
fn what_a_registry_lists_is_what_the_tool_prints_which_tells_of_what_it_leaves_out() {
    let cluster = Cluster::start(1);
    for key in [
        "/rpyc/services/%4E/10.0.0.1:1",
        "/rpyc/services/A B/10.0.0.1:1",
        "/rpyc/services/lower/10.0.0.1:1",
        "/rpyc/services/NOBODY/no address",
        "/rpyc/services/NOTES/10.0.0.1:1",
        "/rpyc/services/NOTES/10.0.0.2:1",
        "/rpyc/services/A%20B/10.0.0.1:1",
    ] {
        put(&cluster, key.as_bytes(), b"{}");
    }
    let registry = registry(&cluster, "TCP", &[]);
    let client = RegistryClient::tcp("127.0.0.1").port(registry.address().port());
    let listed = client.list(None).unwrap();
    let endpoints = cluster.endpoints();
    let mut command = Command::new(binary());
    command.args(["services", "--registry-type", "etcd", "--registry-host"]);
    let output = child::output(command.arg(endpoints)).expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (printed, told) = (text(output.stdout), text(output.stderr));
    let mut names: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    names.dedup();
    assert_eq!(names, listed);
    assert_eq!(names, ["A B", "NOTES"]);
    assert!(told.contains("4 left out"), "{told}");
    assert!(told.contains("1: no address of a server"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn a_list_of_many_services_with_wrong_values_tells_of_few_of_them() {
    let cluster = Cluster::start(1);
    for number in 0..30 {
        let key = format!("/rpyc/services/S{number}/10.0.0.1:1");
        put(&cluster, key.as_bytes(), b"no value of a server");
    }
    let mut command = Command::new(binary());
    command.args(["services", "--registry-type", "etcd", "--registry-host"]);
    let output = child::output(command.arg(cluster.endpoints())).expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (printed, told) = (text(output.stdout), text(output.stderr));
    assert_eq!(printed.lines().count(), 30, "{printed}");
    assert_eq!(told.lines().count(), 11, "{told}");
    assert!(told.ends_with("isn't told\n"), "{told}");
}
