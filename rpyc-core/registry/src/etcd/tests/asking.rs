//! Tokens that are over, and several who ask at a time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn refuse(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn a_token_that_is_over_is_renewed_once_however_etcd_says_so() {
    let invalid = r#"{"error":"etcdserver: invalid auth token","code":16,"message":"as before"}"#;
    let old = r#"{"code":3,"message":"etcdserver: revision of auth store is old","details":[]}"#;
    let raw = r#"{"code":2,"message":"auth: revision in header is old"}"#;
    let none = r#"{"error":"etcdserver: user name is empty","code":3,"message":""}"#;
    let nested = r#"{"error":{"grpc_code":16,"http_code":401,"message":"invalid auth token"}}"#;
    let newer = r#"{"error":{"code":16,"message":"invalid auth token","details":[]}}"#;
    let other = r#"{"error":{"code":3,"message":"key is not provided"}}"#;
    let denied = r#"{"code":7,"message":"permission denied"}"#;
    for (refusal, expected) in [
        (invalid, 2),
        (old, 2),
        (raw, 2),
        (none, 2),
        (nested, 2),
        (newer, 2),
        (other, 1),
        (denied, 1),
    ] {
        let logins = Arc::new(AtomicUsize::new(0));
        let counted = logins.clone();
        let address = member(move |stream| {
            let mut is_over = false;
            loop {
                let asked = question(stream)?;
                let last = counted.load(Ordering::SeqCst);
                if asked.contains("/authenticate") {
                    counted.fetch_add(1, Ordering::SeqCst);
                    answer(stream, &format!("{{\"token\":\"t{last}\"}}"))?;
                } else if asked.contains("authorization: t1") || !is_over {
                    is_over = true;
                    answer(stream, "{}")?;
                } else {
                    refuse(stream, refusal)?;
                }
            }
        })
        .label;
        let builder = EtcdDirectory::builder([&*address]).expect("an address");
        let directory = builder.login("user", "password").build().expect("short");
        directory.list(None).expect("with the first token");
        let listed = directory.list(None);
        assert_eq!(listed.is_ok(), expected == 2, "{refusal}: {listed:?}");
        assert_eq!(logins.load(Ordering::SeqCst), expected, "{refusal}");
    }
}

#[test]
fn those_who_ask_at_a_time_each_find_their_connection_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let connections = Arc::new(AtomicUsize::new(0));
    let (counted, both) = (connections.clone(), Arc::new(Barrier::new(2)));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let both = both.clone();
            thread::spawn(move || -> std::io::Result<()> {
                loop {
                    question(&mut stream)?;
                    both.wait();
                    answer(&mut stream, "{}")?;
                }
            });
        }
    });
    let builder = EtcdDirectory::builder([&*address]).expect("an address");
    let builder = builder.timeout(Duration::from_secs(60));
    let directory = builder.build().expect("a short prefix");
    for _ in 0..3 {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| directory.list(None).expect("answered"));
            }
        });
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[test]
fn the_own_address_doesnt_depend_on_who_answers() {
    // Nobody answers at either.
    let directory = asking(&["127.0.0.1:1", "127.0.0.1:2"]);
    let ip = directory.rpc.local_ip(directory.deadline());
    assert_eq!(ip.expect("there is a way"), IpAddr::from([127, 0, 0, 1]));
}
