//! `rpyc-server registry` as Python's clients and servers see it, and our own.

use rpyc_core::Connector;
use rpyc_registry::{ConnectByService, Directory, RegistryClient, RegistryError};
use rpyc_tests::Server;
use rpyc_tests::registry::Registry;
use rpyc_tests::server::Signal;
use std::time::Duration;

const SERVER_AND_CLIENTS: &str = "
    import rpyc.utils.server
    class NotesService(rpyc.Service):
        ALIASES = ['notes', 'memo']
        def exposed_double(self, n):
            return 2 * n

    client = CLIENT('127.0.0.1', REGISTRY)
    server = rpyc.utils.server.ThreadedServer(
        NotesService, hostname='127.0.0.1', port=0, registrar=client, auto_register=True)
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    eventually(lambda: client.discover('NOTES'), 'registered')

    found = rpyc.discover('memo', registrar=client)
    same(tuple(found), (('127.0.0.1', server.port),))
    same(sorted(rpyc.list_services(registrar=client)), ['MEMO', 'NOTES'])
    same(rpyc.list_services(registrar=client, filter_host='10.0.0.1'), ())
    with raises(rpyc.utils.factory.DiscoveryError, 'no servers'):
        rpyc.discover('nothing', registrar=client)
    conn = rpyc.connect_by_service('notes', registrar=client)
    same(conn.root.double(21), 42)
    conn.close()

    server.close()
    thread.join()
    eventually(lambda: not client.discover('NOTES'), 'unregistered')
";

#[test]
fn pythons_servers_and_clients_use_it_over_udp() {
    let registry = Registry::start(&["--host", "127.0.0.1", "--listing"]);
    registry.check(&SERVER_AND_CLIENTS.replace("CLIENT", "UDPRegistryClient"));
    assert_eq!(registry.stop(), Some(0));
}

#[test]
fn pythons_servers_and_clients_use_it_over_tcp() {
    let registry = Registry::start(&["--host", "127.0.0.1", "--mode", "TCP", "-l", "true"]);
    registry.check(&SERVER_AND_CLIENTS.replace("CLIENT", "TCPRegistryClient"));
    assert_eq!(registry.stop(), Some(0));
}

#[test]
fn it_hears_ipv4_and_ipv6_and_broadcasts() {
    Registry::start(&["--ipv6"]).check(
        "
        six = UDPRegistryClient('::1', REGISTRY, ipv6=True)
        assert six.register(('six',), 6)
        assert UDPRegistryClient('127.0.0.1', REGISTRY).register(('four',), 4)
        same(six.discover('six'), (('::1', 6),))
        same(six.discover('four'), (('127.0.0.1', 4),))
        ",
    );
    Registry::start(&[]).check(
        "
        # The broadcast address of the loopback network.
        everybody = UDPRegistryClient('127.255.255.255', REGISTRY)
        assert everybody.bcast and everybody.register(('here',), 1)
        assert len(everybody.discover('here')) == 1
        ",
    );
}

#[test]
fn without_listing_python_is_told_that_it_is_forbidden() {
    Registry::start(&["--host", "127.0.0.1"]).check(
        "
        client = UDPRegistryClient('127.0.0.1', REGISTRY)
        with raises(rpyc.utils.factory.ForbiddenError):
            rpyc.list_services(registrar=client)
        ",
    );
}

#[test]
fn python_reads_a_list_of_five_hundred_services_over_udp_and_a_part_of_it_over_tcp() {
    let options = ["--host", "127.0.0.1", "--listing", "--mode"];
    let code = "
        client = CLIENT('127.0.0.1', REGISTRY, timeout=20)
        names = [f'A_SERVICE_WITH_A_NAME_{n}' for n in range(500)]
        for first in range(0, 500, 20):
            assert client.register(tuple(names[first:first + 20]), 1)
        listed = rpyc.list_services(registrar=client)
        assert set(listed) <= set(names)
    ";
    let udp =
        code.replace("CLIENT", "UDPRegistryClient") + "    same(sorted(listed), sorted(names))";
    Registry::start(&[&options[..], &["UDP"]].concat()).check(&udp);
    let tcp = code.replace("CLIENT", "TCPRegistryClient") + "    assert len(listed) > 40, listed";
    Registry::start(&[&options[..], &["TCP"]].concat()).check(&tcp);
}

#[test]
fn a_host_has_half_of_the_places_and_keeps_what_it_has() {
    let registry = Registry::start(&["--host", "127.0.0.1", "--listing", "--max-entries", "10"]);
    registry.check(
        "
        client = UDPRegistryClient('127.0.0.1', REGISTRY, timeout=PATIENCE)
        for n in range(5):
            assert client.register((f'service{n}',), n + 1)
        # A refusal is no answer that it knows: it waits for another one.
        impatient = UDPRegistryClient('127.0.0.1', REGISTRY, timeout=0.5)
        assert not impatient.register(('another',), 6)
        assert client.register(('service0',), 1), 'it is there already'
        same(len(client.list()), 5)
        client.unregister(1)
        eventually(lambda: impatient.register(('another',), 6), 'a place')
        same(client.discover('another'), (('127.0.0.1', 6),))
        ",
    );
    registry.wait_for("the registry holds no more services of this host");
}

#[test]
fn a_server_that_falls_silent_is_forgotten() {
    let registry = Registry::start(&["--host", "127.0.0.1", "--timeout", "0.5", "--listing"]);
    registry.check(
        "
        client = UDPRegistryClient('127.0.0.1', REGISTRY)
        assert client.register(('brief',), 1)
        eventually(lambda: client.discover('brief') == (), 'pruned')
        same(client.list(), ())
        ",
    );
    registry.wait_for("127.0.0.1:1 is no more offering BRIEF: silent");
}

#[test]
fn our_server_registers_is_found_by_python_and_by_rust_and_unregisters_at_sigterm() {
    for transport in ["UDP", "TCP"] {
        let registry = Registry::start(&["--host", "127.0.0.1", "--mode", transport, "-l"]);
        let port = registry.address().port().to_string();
        let mut server = Server::with_options(&[
            "--register",
            "--registry-type",
            transport,
            "--registry-host",
            "127.0.0.1",
            "--registry-port",
            &port,
            "--service-name",
            "slave",
            "--service-name",
            "spare",
        ]);
        registry.wait_for(&format!("{} offers SLAVE, SPARE", server.address()));
        registry.check(&format!(
            "
            client = {transport}RegistryClient('127.0.0.1', REGISTRY)
            same(sorted(client.list()), ['SLAVE', 'SPARE'])
            conn = rpyc.connect_by_service('SLAVE', registrar=client)
            same(conn.root.eval('6 * 7'), 42)
            "
        ));
        let client = client(transport, registry.address().port());
        let conn = Connector::new().connect_by_service(&client, "spare");
        let conn = conn.expect("a connection");
        conn.ping().expect("a live one");
        conn.close().expect("closed");
        let status = server.stop(Signal::TERM, Duration::from_secs(30));
        assert_eq!(status.code(), Some(0), "{}", server.log());
        registry.wait_for(&format!(
            "{} is no more offering SLAVE, SPARE: unregistered",
            server.address()
        ));
        let gone = client.discover("slave");
        assert!(
            matches!(gone, Err(RegistryError::NoServer { .. })),
            "{gone:?}"
        );
    }
}

#[test]
fn a_server_in_a_container_registers_its_hosts_address_where_the_registry_lets_it() {
    let options = |port: &str| {
        let options = [
            "--register",
            "--registry-host",
            "127.0.0.1",
            "--registry-port",
            port,
        ];
        let advertised = ["--advertise-host", "192.0.2.7", "--advertise-port", "9999"];
        [options.to_vec(), advertised.to_vec()].concat().join(" ")
    };
    let start = |registry: &Registry| {
        let options = options(&registry.address().port().to_string());
        Server::with_options(&options.split(' ').collect::<Vec<_>>())
    };
    let lenient = Registry::start(&["--host", "127.0.0.1", "--foreign-hosts"]);
    let mut server = start(&lenient);
    lenient.wait_for("192.0.2.7:9999 offers SLAVE");
    let found = client("UDP", lenient.address().port()).discover("slave");
    assert_eq!(found.expect("one")[0].to_string(), "192.0.2.7:9999");
    server.stop(Signal::TERM, Duration::from_secs(30));
    lenient.wait_for("192.0.2.7:9999 is no more offering SLAVE");

    let strict = Registry::start(&["--host", "127.0.0.1"]);
    let server = start(&strict);
    server.wait_for_log("the refusal", |lines| {
        let refused = |line: &&String| line.contains("registry refuses") && line.contains("WARN");
        lines.iter().find(refused).map(|_| ())
    });
    assert!(
        client("UDP", strict.address().port())
            .discover("slave")
            .is_err()
    );
}

fn client(transport: &str, port: u16) -> RegistryClient {
    let client = match transport {
        "TCP" => RegistryClient::tcp("127.0.0.1"),
        _ => RegistryClient::udp("127.0.0.1"),
    };
    client.port(port).timeout(Duration::from_secs(20))
}
