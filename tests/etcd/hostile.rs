//! What others have written into etcd: data, which is checked.

use rpyc_core::registry::Directory;
use rpyc_tests::etcd::Cluster;

use super::library::{addresses, directory};

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
