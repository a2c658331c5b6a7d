//! What nobody should send to a registry: it answers the next question.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use rpyc_core::{Value, wire};
use rpyc_registry::{Directory, RegistryClient};
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::registry::{Registry, register};

fn bytes(command: impl Into<Value>) -> Vec<u8> {
    wire::encode_to_vec(&command.into(), &Default::default()).expect("a small value")
}

/// What no client sends, one datagram of each kind; the first one ends Python's registry.
fn datagrams() -> Vec<Vec<u8>> {
    let question = bytes(("RPYC", "REGISTER", (("files", "prints"), 18_812)));
    let mut datagrams = vec![
        bytes(("RPYC", 7, ())),
        bytes(("RPYC", Value::None, ())),
        bytes(("RPYC", "QUERY", 7)),
        bytes(("RPYC", "QUERY", (7,))),
        bytes(("RPYC", "REGISTER", (7, 7))),
        bytes(("RPYC", "_work", ())),
        bytes(7),
        vec![0x10; 1_500],
        vec![0x1a; 1_500],
        vec![0xff; 60_000],
        [b"\x15\xff\xff\xff\xff".to_vec(), vec![0; 1_000]].concat(),
        b"\x17\xff\xff\xff\xff9".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    datagrams.extend((0..question.len()).map(|end| question[..end].to_vec()));
    datagrams.extend((0..question.len() * 8).map(|bit| {
        let mut wrong = question.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        wrong
    }));
    datagrams
}

#[test]
fn no_datagram_ends_it() {
    let mut registry = Registry::start(&["--host", "127.0.0.1", "--rate", "0"]);
    let client = RegistryClient::udp("127.0.0.1").port(registry.address().port());
    let client = client.timeout(PATIENCE);
    register(&client, "files", 1);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let datagrams = datagrams();
    for datagram in &datagrams {
        socket.send_to(datagram, registry.address()).expect("sent");
    }
    assert!(!client.discover("files").expect("servers").is_empty());
    assert!(registry.is_running());
    registry.wait_for("not heard");
    // Told, but not once for each of them; how many, is a matter of how long they take.
    let told = registry.log().matches("not heard").count();
    assert!(
        (1..datagrams.len() / 2).contains(&told),
        "{}",
        registry.log()
    );
    assert_eq!(registry.stop(), Some(0));
}

#[test]
fn a_flood_of_one_source_is_not_answered_and_other_sources_are() {
    let registry = Registry::start(&["--host", "0.0.0.0", "--rate", "10"]);
    let port = registry.address().port();
    let flood = UdpSocket::bind("127.0.0.2:0").expect("a socket");
    let query = bytes(("RPYC", "QUERY", ("files",)));
    for _ in 0..2_000 {
        flood.send_to(&query, ("127.0.0.1", port)).expect("sent");
    }
    let client = RegistryClient::udp("127.0.0.1")
        .port(port)
        .timeout(PATIENCE);
    register(&client, "files", 1);
    client.discover("files").expect("servers");
    registry.wait_for("127.0.0.2: more than its share");
}

#[test]
fn connections_that_say_nothing_or_nonsense_keep_nobody_else_from_being_answered() {
    let mut registry = Registry::start(&["--host", "0.0.0.0", "--mode", "TCP", "--rate", "0"]);
    let client = RegistryClient::tcp("127.0.0.1").port(registry.address().port());
    let client = client.source([127, 0, 0, 2].into()).timeout(PATIENCE);
    let port = registry.address().port();
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    // One after the other they would take two minutes.
    let mut silent: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    register(&client, "files", 1);
    for datagram in datagrams() {
        // It may be closed before all is written.
        let _ = connect().write_all(&datagram);
    }
    assert!(!client.discover("files").expect("servers").is_empty());
    for stream in &mut silent {
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "closed, unanswered");
    }
    assert!(registry.is_running());
}

#[test]
fn a_question_over_tcp_may_come_in_pieces() {
    let registry = Registry::start(&["--host", "127.0.0.1", "--mode", "TCP"]);
    let mut stream = TcpStream::connect(registry.address()).expect("a connection");
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    for byte in bytes(("RPYC", "QUERY", ("files",))) {
        stream.write_all(&[byte]).expect("written");
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert_eq!(answer, bytes(Value::Tuple(Vec::new())));
}

#[test]
fn a_network_that_is_not_allowed_is_not_answered() {
    let registry = Registry::start(&["--host", "127.0.0.1", "--allow", "10.0.0.0/8"]);
    let client = RegistryClient::udp("127.0.0.1").port(registry.address().port());
    let refused = client.timeout(Duration::from_millis(300)).discover("files");
    assert!(refused.is_err());
    registry.wait_for("127.0.0.1: not in an allowed network");
}
