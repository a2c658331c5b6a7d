//! Places that run out: those who say nothing give theirs up, and nobody else does.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rpyc_core::{Config, Connection, VoidService};
use rpyc_registry::{Directory, RegistryClient};
use rpyc_server::metrics::{Metrics, MetricsEndpoint};
use rpyc_server::registry::{Registry, Transport};
use rpyc_server::{Authenticated, Mode, RawStream};

use crate::bench::{DEADLINE, assert_serves, connect, connect_from, demo};
use crate::metrics::get;

/// Whether the other side has ended the connection, whatever it said before.
fn is_ended(mut stream: &TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            }
        }
    }
}

#[test]
fn a_silent_client_gives_its_place_to_one_who_comes_and_who_has_spoken_keeps_it() {
    for mode in [Mode::Threaded, Mode::Pool { workers: 2 }] {
        let (builder, watch) = demo();
        let server = builder.mode(mode).max_clients(2).listen("127.0.0.1:0");
        let server = server.unwrap().start().unwrap();
        let address = server.local_addr().unwrap();
        let first = connect(Some(address));
        assert_serves(&first);
        let second = connect_from([127, 0, 0, 1], address);
        // It counts as silent from when it could have been heard.
        for _ in 0..2 {
            watch.connected.recv_timeout(DEADLINE).unwrap();
        }
        let third = retry_until_served(address);
        assert!(is_ended(&second));
        assert_serves(&first);
        assert_serves(&third);
        assert_eq!(server.clients(), 2);
    }
}

/// A client that comes again when it came a moment too early.
fn retry_until_served(address: SocketAddr) -> Connection {
    loop {
        let client = connect(Some(address));
        if client.ping().is_ok() {
            return client;
        }
    }
}

#[test]
fn clients_that_dont_authenticate_make_room_for_who_does() {
    let (builder, _watch) = demo();
    let knows = |stream: RawStream, _: &_| {
        let mut word = [0; 1];
        (&stream).read_exact(&mut word)?;
        Ok(Authenticated::new(stream.into_stream()))
    };
    let server = builder
        .authenticator(knows)
        .handshake_timeout(None)
        .max_clients(3)
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let address = server.local_addr().unwrap();
    let strangers: Vec<_> = (0..30)
        .map(|_| connect_from([127, 0, 0, 1], address))
        .collect();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"x").unwrap();
    let client = Connection::open(stream, Arc::new(VoidService), Config::default()).unwrap();
    assert_serves(&client);
    // The oldest ones went; the last two are still asked.
    assert!(strangers.iter().take(28).all(is_ended));
    assert_eq!(server.clients(), 3);
}

#[test]
fn silent_connections_from_nine_addresses_dont_keep_a_registry_from_answering() {
    let registry = Registry::builder().transport(Transport::Tcp).rate(0);
    let registry = registry.listen("127.0.0.1:0").unwrap().start().unwrap();
    let address = registry.local_addr();
    let silent: Vec<_> = (2..=10)
        .flat_map(|last| (0..40).map(move |_| connect_from([127, 0, 0, last], address)))
        .collect();
    let client = RegistryClient::tcp("127.0.0.1").port(address.port());
    let client = client.timeout(DEADLINE);
    rpyc_tests::registry::register(&client, "files", 1);
    assert!(!client.discover("files").expect("answered").is_empty());
    assert!(silent.iter().step_by(40).all(is_ended));
}

#[test]
fn silent_connections_dont_keep_a_scraper_from_its_numbers() {
    let endpoint = MetricsEndpoint::start("127.0.0.1:0", Metrics::new()).unwrap();
    let address = endpoint.address();
    let mut there = Vec::new();
    for sources in [1..=1, 1..=8] {
        for last in sources {
            there.extend((0..16).map(|_| connect_from([127, 0, 0, last], address)));
        }
        for _ in 0..22 {
            let answer = get(address, "/metrics");
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        }
    }
    drop(there);
}
