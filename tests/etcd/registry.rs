//! Registries that keep everything in etcd, for servers and clients that know nothing of it.

use rpyc_registry::{Directory, RegistryClient};
use rpyc_tests::etcd::{Cluster, eventually};
use rpyc_tests::registry::{Registry, register};

use super::library::{addresses, directory};

pub(super) fn registry(cluster: &Cluster, mode: &str, options: &[&str]) -> Registry {
    let endpoints = cluster.endpoints();
    let store = ["--store", "etcd", "--etcd-host", &endpoints, "--mode", mode];
    let rest = ["--host", "127.0.0.1", "--listing", "--rate", "0"];
    Registry::start(&[&store[..], &rest, options].concat())
}

#[test]
fn pythons_servers_that_register_with_one_copy_are_found_by_the_other_when_it_is_killed() {
    let cluster = Cluster::start(1);
    for mode in ["UDP", "TCP"] {
        let (one, other) = (registry(&cluster, mode, &[]), registry(&cluster, mode, &[]));
        let code = |text: &str| text.replace("CLIENT", &format!("{mode}RegistryClient"));
        let server = one.script(&code(
            "
            from rpyc.utils.server import ThreadedServer
            class NotesService(rpyc.Service):
                ALIASES = ['notes', 'memo']
                def exposed_double(self, n):
                    return 2 * n
            client = CLIENT('127.0.0.1', REGISTRY)
            server = ThreadedServer(NotesService, hostname='127.0.0.1', registrar=client, auto_register=True)
            threading.Thread(target=server.start, daemon=True).start()
            eventually(lambda: client.discover('NOTES'), 'registered')
            say('registered')
            threading.Event().wait()
            ",
        ));
        let server = server.serving().spawn();
        server.wait_for("registered");
        drop(one);
        other.check(&code(
            "
            client = CLIENT('127.0.0.1', REGISTRY)
            same(sorted(client.list()), ['MEMO', 'NOTES'])
            same(client.discover('nothing'), ())
            conn = rpyc.connect_by_service('notes', registrar=client)
            same(conn.root.double(21), 42)
            port = client.discover('memo')[0][1]
            # As the server will say each minute, and at its end.
            assert client.register(('notes', 'memo'), port)
            same(client.discover('memo'), (('127.0.0.1', port),))
            client.unregister(port)
            eventually(lambda: client.discover('notes') == (), 'unregistered')
            same(client.list(), ())
            ",
        ));
        assert_eq!(other.stop(), Some(0));
        drop(server);
    }
}

#[test]
fn our_servers_of_a_registry_and_of_etcd_are_the_same_to_all() {
    let cluster = Cluster::start(1);
    let registry = registry(&cluster, "UDP", &[]);
    let client = RegistryClient::udp("127.0.0.1").port(registry.address().port());
    register(&client, "notes", 1);
    register(&directory(&cluster), "notes", 2);
    for directory in [&client as &dyn Directory, &directory(&cluster)] {
        let found = addresses(&directory.discover("notes").unwrap());
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(directory.list(None).unwrap(), ["NOTES"]);
    }
}

#[test]
fn a_host_has_half_of_the_places_as_it_has_without_etcd() {
    let cluster = Cluster::start(1);
    let registry = registry(&cluster, "TCP", &["--max-entries", "10"]);
    let client = RegistryClient::tcp("127.0.0.1").port(registry.address().port());
    (1..=5).for_each(|port| register(&client, "notes", port));
    let offer = rpyc_registry::Offer::new(["notes"], 6).unwrap();
    let refused = client.register(&offer).expect_err("there is no room");
    assert!(
        format!("{refused:?}").contains("no more services"),
        "{refused:?}"
    );
    // Who is there may say so again.
    register(&client, "notes", 5);
}

#[test]
fn while_etcd_is_away_it_is_silent_says_so_once_and_goes_on_afterwards() {
    let mut cluster = Cluster::start(1);
    let registry = registry(&cluster, "UDP", &[]);
    let client = RegistryClient::udp("127.0.0.1").port(registry.address().port());
    register(&client, "notes", 1);
    cluster.kill(0);
    for _ in 0..2 {
        client.discover("notes").expect_err("nobody knows");
    }
    registry.wait_for("the store is away");
    cluster.restart(0);
    eventually("it is found", || client.discover("notes").ok());
    registry.wait_for("the store is back");
    assert_eq!(registry.log().matches("the store is away").count(), 1);
}
