//! Python's registry server, with our server and our client.

use std::time::Duration;

use rpyc_core::Connector;
use rpyc_registry::{ConnectByService, Directory, Offer, RegistryClient, RegistryError};
use rpyc_tests::Server;
use rpyc_tests::registry::{PythonRegistry, register};
use rpyc_tests::server::Signal;

#[test]
fn our_client_registers_discovers_lists_and_unregisters() {
    for transport in ["UDP", "TCP"] {
        let registry = PythonRegistry::start(transport);
        let client = client(transport, registry.port());
        assert_eq!(client.list(None).expect("a list"), Vec::<String>::new());
        let offer = Offer::new(["notes", "memo"], 4_000).expect("a good offer");
        let repeat = client.register(&offer).expect("registered");
        assert_eq!(repeat, Duration::from_secs(60));
        register(&client, "notes", 4_001);
        let servers = client.discover("Notes").expect("servers");
        let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["127.0.0.1:4000", "127.0.0.1:4001"]);
        let names = client.list(Some("127.0.0.1")).expect("a list");
        assert_eq!(names, ["MEMO", "NOTES"]);
        assert!(client.list(Some("10.0.0.1")).expect("a list").is_empty());
        assert_eq!(
            client.discover_on("memo", "localhost").expect("one").len(),
            1
        );
        assert!(client.discover_on("memo", "192.0.2.1").is_err());
        client.unregister(4_001).expect("unregistered");
        assert_eq!(client.discover("notes").expect("one").len(), 1);
        let nothing = client.discover("nothing").expect_err("no such service");
        assert_eq!(nothing.to_string(), "no server offers NOTHING");
    }
}

#[test]
fn our_server_registers_and_unregisters_with_it() {
    for transport in ["UDP", "TCP"] {
        let registry = PythonRegistry::start(transport);
        let port = registry.port().to_string();
        let mut server = Server::with_options(&[
            "--register",
            "--registry-type",
            transport,
            "--registry-host",
            "127.0.0.1",
            "--registry-port",
            &port,
        ]);
        server.wait_for_log("registered", |lines| {
            lines
                .iter()
                .find(|line| line.contains("registered port"))
                .map(|_| ())
        });
        let found = registry.script(&format!(
            "
            conn = rpyc.connect_by_service(
                'slave', registrar={transport}RegistryClient('127.0.0.1', REGISTRY))
            same(conn.root.eval('6 * 7'), 42)
            "
        ));
        server.succeed(found.outcome());
        let client = client(transport, registry.port());
        let conn = Connector::new().connect_by_service(&client, "slave");
        conn.expect("a connection").close().expect("closed");
        server.stop(Signal::TERM, Duration::from_secs(30));
        let gone = client.discover("slave");
        assert!(
            matches!(gone, Err(RegistryError::NoServer { .. })),
            "{gone:?}"
        );
    }
}

#[test]
fn a_server_that_is_down_is_passed_over_and_when_all_are_the_error_says_so() {
    let registry = PythonRegistry::start("UDP");
    let client = client("UDP", registry.port());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = closed.local_addr().expect("its address").port();
    register(&client, "slave", closed);
    let down = Connector::new().connect_by_service(&client, "slave");
    let down = down.expect_err("nobody listens there").to_string();
    assert_eq!(down, "none of the 1 servers of SLAVE can be reached");
    let server = Server::start();
    register(&client, "slave", server.address().port());
    let conn = Connector::new().connect_by_service(&client, "slave");
    conn.expect("the second one").close().expect("closed");
}

#[test]
fn a_broadcast_finds_it_and_nobody_there_is_an_error_in_time() {
    let registry = PythonRegistry::start("UDP");
    // Python's registry was told to listen on one address, which hears no broadcast.
    let broadcast = RegistryClient::udp("127.255.255.255").port(registry.port());
    let nobody = broadcast
        .timeout(Duration::from_millis(300))
        .discover("slave");
    assert!(
        matches!(nobody, Err(RegistryError::NoAnswer { .. })),
        "{nobody:?}"
    );
    drop(registry);
    for (client, text) in [
        (RegistryClient::udp("127.0.0.1"), "127.0.0.1:1: "),
        (RegistryClient::tcp("127.0.0.1"), "127.0.0.1:1: connecting"),
    ] {
        let nobody = client
            .port(1)
            .timeout(Duration::from_secs(20))
            .discover("slave");
        let nobody = nobody.expect_err("nobody listens there").to_string();
        assert!(nobody.contains(text), "{nobody}");
    }
}

fn client(transport: &str, port: u16) -> RegistryClient {
    let client = match transport {
        "TCP" => RegistryClient::tcp("127.0.0.1"),
        _ => RegistryClient::udp("127.0.0.1"),
    };
    client.port(port).timeout(Duration::from_secs(20))
}
