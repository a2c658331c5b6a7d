//! Whose lease it is, and what becomes of it.

use super::super::*;
use super::simulation::Etcd;
use crate::Offer;

fn directory(etcd: &Etcd) -> EtcdDirectory {
    let keys = Keys::below("/rpyc/").expect("short");
    let lease = Duration::from_secs(30);
    let directory = EtcdDirectory::over(Arc::new(etcd.clone()), "etcd", keys, lease);
    directory.advertise(IpAddr::from([10, 0, 0, 1]))
}

fn notes(port: u16) -> Offer {
    Offer::new(["notes"], port).expect("a good offer")
}

fn names(count: usize, port: u16) -> Offer {
    let names: Vec<String> = (0..count).map(|n| format!("service{n}")).collect();
    Offer::new(names.iter().map(String::as_str), port).expect("a good offer")
}

/// Until the entries have been looked at.
fn renew(directory: &EtcdDirectory, offer: &Offer) {
    for _ in 0..6 {
        directory.register(offer).expect("renewed");
    }
}

#[test]
fn of_two_servers_at_one_address_each_takes_its_own_entries_along_and_is_told_of_the_other() {
    let etcd = Etcd::default();
    let (first, second) = (directory(&etcd), directory(&etcd));
    let (tell, told) = std::sync::mpsc::channel();
    let first = first.on_warning(move |line| tell.send(line.to_owned()).expect("the test waits"));
    first.register(&notes(1)).expect("registered");
    second.register(&notes(1)).expect("registered");
    assert_eq!(etcd.lock().leases(), 2);
    // The one that came last is found; the other one leaves it alone.
    renew(&first, &notes(1));
    let told = told.try_recv().expect("it is told at once");
    assert!(
        told.contains("another server is at 10.0.0.1:1, too"),
        "{told}"
    );
    first.unregister(1).expect("gone");
    assert_eq!(second.discover("notes").expect("there").len(), 1);
    // The other way round: who stays is found again.
    first.register(&notes(1)).expect("registered");
    first.unregister(1).expect("gone");
    assert!(second.discover("notes").is_err());
    renew(&second, &notes(1));
    assert_eq!(second.discover("notes").expect("there").len(), 1);
    second.unregister(1).expect("gone");
    assert_eq!(etcd.lock().leases(), 0);
}

#[test]
fn a_server_that_has_yielded_its_address_is_found_with_its_next_renewal_once_the_other_has_gone() {
    let etcd = Etcd::default();
    let (first, second) = (directory(&etcd), directory(&etcd));
    first.register(&notes(1)).expect("registered");
    second.register(&notes(1)).expect("registered");
    renew(&first, &notes(1));
    second.unregister(1).expect("gone");
    assert!(first.discover("notes").is_err());
    first.register(&notes(1)).expect("renewed");
    assert_eq!(first.discover("notes").expect("there").len(), 1);
}

#[test]
fn a_server_that_offers_less_than_before_is_found_by_no_name_that_it_has_given_up() {
    let etcd = Etcd::default();
    let own = directory(&etcd);
    own.register(&names(3, 1)).expect("registered");
    own.register(&names(2, 1)).expect("registered");
    let listed = own.list(None).expect("there");
    assert_eq!(listed, ["SERVICE0", "SERVICE1"]);
    assert_eq!(etcd.lock().leases(), 1);
    own.unregister(1).expect("gone");
    assert_eq!(etcd.lock().entries(), 0);
}

#[test]
fn a_server_that_was_never_registered_asks_nothing_at_its_end() {
    let etcd = Etcd::default();
    let own = directory(&etcd);
    etcd.lock().is_away = true;
    own.register(&notes(1)).expect_err("nobody is there");
    own.unregister(1).expect("there is nothing to do");
    etcd.lock().is_away = false;
    own.unregister(1).expect("there is nothing to do");
    assert!(etcd.lock().asked.is_empty());
}

#[test]
fn a_lease_whose_answer_got_lost_is_the_same_when_it_is_asked_for_again() {
    let etcd = Etcd::default();
    let own = directory(&etcd);
    for path in ["/v3/lease/grant", "/v3/kv/txn"] {
        etcd.lock().loses_answer = Some(path);
        own.register(&notes(1)).expect_err("no answer");
        own.register(&notes(1)).expect("registered");
        renew(&own, &notes(1));
        assert_eq!(own.discover("notes").expect("there").len(), 1);
        assert_eq!(etcd.lock().leases(), 1, "{path}");
        own.unregister(1).expect("gone");
        assert_eq!(etcd.lock().leases(), 0);
    }
}

#[test]
fn a_copy_of_a_registry_leaves_no_lease_behind_that_nothing_is_on() {
    let etcd = Etcd::default();
    let copy = directory(&etcd).stateless(100);
    for path in ["/v3/lease/grant", "/v3/kv/txn"] {
        // It isn't written.
        etcd.lock().refuses = Some("/v3/kv/txn");
        copy.register(&notes(1)).expect_err("not written");
        etcd.lock().refuses = None;
        // It is, and nobody hears of it.
        etcd.lock().loses_answer = Some(path);
        copy.register(&notes(2)).expect_err("no answer");
        copy.register(&notes(3)).expect("written");
        copy.register(&notes(2)).expect("written");
        assert_eq!(etcd.lock().leases(), 2, "{path}");
        assert_eq!(copy.discover("notes").expect("there").len(), 2);
        copy.unregister(2).expect("gone");
        copy.unregister(3).expect("gone");
    }
    assert_eq!(etcd.lock().leases(), 0);
}

#[test]
fn a_copy_takes_no_lease_from_a_server_that_has_its_own() {
    let etcd = Etcd::default();
    let (own, copy) = (directory(&etcd), directory(&etcd).stateless(100));
    own.register(&notes(1)).expect("registered");
    copy.unregister(1).expect("nothing of its own");
    assert_eq!(own.discover("notes").expect("there").len(), 1);
    copy.register(&notes(1)).expect("registered");
    assert_eq!(etcd.lock().leases(), 2);
    own.unregister(1).expect("gone");
    assert_eq!(copy.discover("notes").expect("there").len(), 1);
    copy.unregister(1).expect("gone");
    assert_eq!(etcd.lock().leases(), 0);
}

#[test]
fn copies_take_no_more_entries_than_they_may_however_they_come() {
    let etcd = Etcd::default();
    let copy = || directory(&etcd).stateless(200);
    // A name each at first, and then more of them.
    for port in 1..=50 {
        copy().register(&names(1, port)).expect("there is room");
    }
    for port in 1..=50 {
        let grown = copy().register(&names(64, port));
        grown.expect_err("no room for so many");
    }
    assert!(etcd.lock().entries() <= 100, "half of them for one host");
    // The other way round.
    let other = || copy().advertise(IpAddr::from([10, 0, 0, 2]));
    for port in 1..=100 {
        let _ = other().register(&names(if port == 1 { 64 } else { 1 }, port));
    }
    assert!(etcd.lock().entries() <= 200);
    let third = copy().advertise(IpAddr::from([10, 0, 0, 3]));
    for port in 1..=100 {
        let _ = third.register(&names(1, port));
    }
    assert_eq!(etcd.lock().entries(), 200, "all together");
    third
        .register(&names(2, 1))
        .expect_err("no room for one more");
    copy().register(&names(1, 9)).expect("it was there before");
}

#[test]
fn servers_that_begin_together_dont_renew_together() {
    let etcd = Etcd::default();
    let pauses: Vec<Duration> = (0..20)
        .map(|port| {
            let own = directory(&etcd);
            let first = own.register(&notes(port + 1)).expect("registered");
            assert!(first <= Duration::from_secs(10));
            let second = own.register(&notes(port + 1)).expect("renewed");
            assert_eq!(second, Duration::from_secs(10));
            first
        })
        .collect();
    assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
}
