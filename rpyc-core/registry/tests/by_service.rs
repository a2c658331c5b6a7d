//! Connecting to a server that a directory knows.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::{Config, Connection, Connector, Error, VoidService};
use rpyc_registry::{ConnectByService, RegistryClient, message};

/// A server that accepts one connection.
fn tcp_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        let (client, _) = listener.accept().expect("a client");
        let conn = Connection::open(client, VoidService, Config::default()).expect("a connection");
        conn.serve_all()
    });
    address
}

/// A registry that knows a service's servers at these ports.
fn registry_of(ports: Vec<u16>) -> RegistryClient {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("its address").port();
    thread::spawn(move || {
        while let Ok((_, client)) = socket.recv_from(&mut [0; 2000]) {
            let servers = ports.iter().map(|port| ("127.0.0.1", *port));
            let answer = message::encode_servers(servers, message::MAX_DATAGRAM);
            // Who asked may have gone.
            let _ = socket.send_to(&answer, client);
        }
    });
    RegistryClient::udp("127.0.0.1").port(port)
}

#[test]
fn servers_of_a_registry_that_are_silent_leave_time_to_the_next_and_take_no_more_than_it()
-> Result<(), Error> {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("its address").port();
    let address = tcp_server();
    let registry = registry_of(vec![silent_port, silent_port, address.port()]);
    let connector = Connector::new().timeout(Some(Duration::from_secs(6)));
    let conn = connector.connect_by_service(&registry, "calc")?;
    conn.ping()?;
    conn.close()?;

    let registry = registry_of(vec![silent_port; 60]);
    let connector = Connector::new().timeout(Some(Duration::from_secs(1)));
    let began = Instant::now();
    let outcome = connector.connect_by_service(&registry, "calc");
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    assert_eq!(
        outcome.expect_err("all are silent").to_string(),
        "none of the 60 servers of CALC can be reached"
    );
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(60);
