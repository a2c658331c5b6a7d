//! The library and a cluster of one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use rpyc_registry::{
    Directory, EtcdDirectory, Offer, RegistryError, ServerEntry, ServerFacts, Watch,
};
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::etcd::{Cluster, eventually};
use rpyc_tests::registry::register;

pub(super) fn directory(cluster: &Cluster) -> EtcdDirectory {
    let endpoints = cluster.endpoints();
    let builder = EtcdDirectory::builder(endpoints.split(',')).expect("endpoints");
    builder
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a short prefix")
}

pub(super) fn addresses(servers: &[ServerEntry]) -> Vec<String> {
    servers.iter().map(ToString::to_string).collect()
}

/// The next news of a watch.
#[track_caller]
pub(super) fn news(watch: &mut dyn Watch) -> Vec<String> {
    eventually("news", || match watch.next(PATIENCE) {
        Ok(news) => Some(addresses(&news.expect("something has changed"))),
        Err(_) => None,
    })
}

fn at(directory: &EtcdDirectory, host: [u8; 4]) -> EtcdDirectory {
    directory.clone().advertise(IpAddr::from(host))
}

#[test]
fn servers_are_registered_with_what_they_say_found_listed_and_unregistered() {
    let cluster = Cluster::start(1);
    let directory = directory(&cluster);
    let nothing = directory.discover("notes").expect_err("nobody");
    assert!(
        matches!(nothing, RegistryError::NoServer { .. }),
        "{nothing}"
    );
    assert_eq!(directory.list(None).unwrap(), Vec::<String>::new());
    let mut facts = ServerFacts::default();
    facts.version = Some("1.2.3".to_owned());
    facts.clients = Some(7);
    let offer = Offer::new(["notes", "a/b"], 4_000)
        .unwrap()
        .facts(facts.clone());
    let again = at(&directory, [10, 0, 0, 1]).register(&offer).unwrap();
    assert!(again <= Duration::from_secs(10), "{again:?}");
    register(&at(&directory, [10, 0, 0, 2]), "Notes", 4_000);
    // The address that leads to etcd, where no other is given.
    register(&directory, "notes", 4_001);
    let found = directory.discover("NOTES").unwrap();
    assert_eq!(found[0].facts, Some(facts));
    let own = cluster.address(0).ip();
    assert_eq!(
        addresses(&found),
        ["10.0.0.1:4000", "10.0.0.2:4000", "127.0.0.1:4001"],
        "{own}"
    );
    assert_eq!(directory.list(None).unwrap(), ["A/B", "NOTES"]);
    assert_eq!(directory.list(Some("10.0.0.2")).unwrap(), ["NOTES"]);
    assert!(directory.list(Some("10.0.0.3")).unwrap().is_empty());
    assert_eq!(directory.discover_on("notes", "10.0.0.2").unwrap().len(), 1);
    at(&directory, [10, 0, 0, 1]).unregister(4_000).unwrap();
    at(&directory, [10, 0, 0, 1])
        .unregister(4_000)
        .expect("twice is once");
    assert_eq!(directory.discover("notes").unwrap().len(), 2);
    assert_eq!(directory.list(None).unwrap(), ["NOTES"]);
}

#[test]
fn a_watch_tells_of_servers_that_come_go_and_change() {
    let cluster = Cluster::start(1);
    let directory = directory(&cluster);
    let mut watch = directory.watch("notes").unwrap();
    assert_eq!(news(&mut *watch), Vec::<String>::new());
    register(&at(&directory, [10, 0, 0, 1]), "notes", 1);
    assert_eq!(news(&mut *watch), ["10.0.0.1:1"]);
    register(&at(&directory, [10, 0, 0, 2]), "others", 1);
    register(&at(&directory, [10, 0, 0, 2]), "notes", 2);
    assert_eq!(news(&mut *watch), ["10.0.0.1:1", "10.0.0.2:2"]);
    // Said again, it is no news.
    register(&at(&directory, [10, 0, 0, 1]), "notes", 1);
    assert!(watch.next(Duration::from_millis(100)).unwrap().is_none());
    at(&directory, [10, 0, 0, 1]).unregister(1).unwrap();
    assert_eq!(news(&mut *watch), ["10.0.0.2:2"]);
}

#[test]
fn a_lease_that_ran_out_is_taken_anew_and_an_entry_that_somebody_removed_is_written_again() {
    let cluster = Cluster::start(1);
    let own = directory(&cluster);
    let offer = Offer::new(["notes"], 1).unwrap();
    own.register(&offer).unwrap();
    cluster.control(&["del", "/rpyc/", "--prefix"]);
    assert!(own.discover("notes").is_err());
    let renewed = (0..6).find(|_| {
        own.register(&offer).unwrap();
        own.discover("notes").is_ok()
    });
    assert!(renewed.is_some(), "within a few renewals");
    let leases = cluster.ask("/v3/lease/leases", "{}");
    let id = leases.split("\"ID\":\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    let gone = cluster.ask("/v3/lease/revoke", &format!("{{\"ID\":\"{id}\"}}"));
    assert!(gone.contains("header"), "{gone}");
    assert!(own.discover("notes").is_err());
    own.register(&offer).unwrap();
    own.discover("notes").expect("with a new lease");
}

#[test]
fn a_server_that_was_killed_and_comes_again_has_what_it_offers_now_and_the_rest_ends_with_its_lease()
 {
    let cluster = Cluster::start(1);
    let endpoints = cluster.endpoints();
    let killed = EtcdDirectory::builder(endpoints.split(',')).unwrap();
    let killed = killed.lease(Duration::from_secs(2)).build().unwrap();
    let before = Offer::new(["notes", "old"], 1).unwrap();
    killed.register(&before).unwrap();
    let own = directory(&cluster);
    own.register(&Offer::new(["notes", "new"], 1).unwrap())
        .unwrap();
    let names = |expected: &[&str]| (own.list(None).unwrap() == expected).then_some(());
    eventually("the old name is gone", || names(&["NEW", "NOTES"]));
    // One that ends takes nothing of another's along.
    killed.unregister(1).unwrap();
    assert_eq!(own.list(None).unwrap(), ["NEW", "NOTES"]);
}

#[test]
fn hundreds_register_at_a_time_and_a_thousand_services_are_listed() {
    let cluster = Cluster::start(1);
    let shared = directory(&cluster);
    thread::scope(|scope| {
        for host in 1..=8 {
            let directory = at(&shared, [10, 0, 0, host]);
            scope.spawn(move || {
                for port in 1..=50 {
                    let names: Vec<String> = (0..10)
                        .map(|n| format!("service{}", port * 20 + n))
                        .collect();
                    let names = names.iter().map(String::as_str).chain(["all"]);
                    let offer = Offer::new(names, port).unwrap();
                    directory.register(&offer).unwrap();
                }
            });
        }
    });
    assert_eq!(shared.discover("all").unwrap().len(), 400);
    assert_eq!(shared.list(Some("10.0.0.8")).unwrap().len(), 501);
    // What others write as a server does, with etcdctl or whatever.
    let puts: Vec<String> = (0..600)
        .map(|n| format!("put /rpyc/services/MORE{n}/10.1.0.1:1 {{}}"))
        .collect();
    for puts in puts.chunks(100) {
        let mut txn = String::new();
        for put in puts {
            let key = put.split(' ').nth(1).unwrap();
            txn.push_str(&format!(
                "{}{{\"request_put\":{{\"key\":\"{}\",\"value\":\"e30=\"}}}}",
                if txn.is_empty() { "" } else { "," },
                super::hostile::base64(key.as_bytes())
            ));
        }
        let done = cluster.ask("/v3/kv/txn", &format!("{{\"success\":[{txn}]}}"));
        assert!(done.contains("succeeded"), "{done}");
    }
    let names: BTreeSet<String> = shared.list(None).unwrap().into_iter().collect();
    assert_eq!(names.len(), 501 + 600);
    shared.discover("more599").expect("one of them");
}
