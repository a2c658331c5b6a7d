//! A fleet that registers, renews and vanishes: what it asks of etcd, and when who watches notices.
//! `RPYC_FLEET=10000` makes it as large as docs/scale.md's, and `--nocapture` shows the figures.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::super::*;
use super::simulation::Etcd;
use crate::{Offer, ServerFacts};

const LEASE: u64 = 30_000;
/// As the program does it after a failure.
const RETRY: u64 = 5_000;
/// How often etcd looks for leases that have ended.
const TICK: u64 = 500;

struct Fleet {
    etcd: Etcd,
    servers: Vec<EtcdDirectory>,
    /// When each one speaks up next.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    dead: Vec<bool>,
    now: u64,
}

impl Fleet {
    /// That many servers, which begin one after the other over a lease's third, as a fleet does that
    /// isn't switched on at once.
    fn new(size: usize) -> Fleet {
        let etcd = Etcd::default();
        let server = |n: usize| {
            let [_, a, b, c] = u32::try_from(n).expect("a few").to_be_bytes();
            directory(&etcd).advertise(IpAddr::from([10, a, b, c]))
        };
        let begins = |n: usize| Reverse((n as u64 * LEASE / 3 / size as u64, n));
        Fleet {
            servers: (0..size).map(server).collect(),
            due: (0..size).map(begins).collect(),
            dead: vec![false; size],
            etcd,
            now: 0,
        }
    }

    /// Lets this time pass.
    fn run(&mut self, until: u64) {
        while self.now < until {
            while let Some(&Reverse((due, n))) = self.due.peek().filter(|due| due.0.0 <= self.now) {
                self.due.pop();
                if self.dead[n] {
                    continue;
                }
                let facts = ServerFacts {
                    version: Some("0.1.0".to_owned()),
                    started: Some(1_700_000_000),
                    evaluator: Some("RustPython".to_owned()),
                    max_clients: Some(1_000),
                    clients: Some(n as u64 % 7),
                };
                let offer = Offer::new([&*format!("SERVICE{}", n % 100), "ALL"], 18_812);
                let offer = offer.expect("a good offer").facts(facts);
                let pause = match self.servers[n].register(&offer) {
                    Ok(pause) => u64::try_from(pause.as_millis()).expect("seconds"),
                    Err(_) => RETRY,
                };
                self.due.push(Reverse((due + pause, n)));
            }
            self.now += TICK;
            self.etcd.lock().at(self.now);
        }
    }

    /// What was asked since it was asked for last.
    fn asked(&self) -> (HashMap<String, u64>, u64, u64) {
        let mut store = self.etcd.lock();
        let (written, told) = (store.written, store.told);
        (store.written, store.told) = (0, 0);
        (std::mem::take(&mut store.asked), written, told)
    }
}

fn directory(etcd: &Etcd) -> EtcdDirectory {
    let keys = Keys::below("/rpyc/").expect("short");
    let lease = Duration::from_millis(LEASE);
    EtcdDirectory::over(Arc::new(etcd.clone()), "the simulated one", keys, lease)
}

#[test]
fn a_fleet_asks_little_of_etcd_and_who_vanishes_is_noticed_within_a_lease() {
    let size = std::env::var("RPYC_FLEET").map_or(300, |size| size.parse().expect("a number"));
    let mut fleet = Fleet::new(size);
    let client = directory(&fleet.etcd);
    let mut watch = client.watch("all").expect("a good name");
    let mut next = || watch.next(Duration::ZERO).expect("it is there");
    assert_eq!(next().map(|all| all.len()), Some(0));
    fleet.run(LEASE);
    assert_eq!(next().map(|all| all.len()), Some(size));
    let (beginning, written, _) = fleet.asked();
    // A lease and a transaction for each.
    assert_eq!(written, 2 * size as u64);
    println!("{size} servers begin: {beginning:?}, {written} written");
    let bytes = fleet.etcd.lock().bytes();
    println!("{} bytes of keys and values a server", bytes / size);
    assert!(bytes < 600 * size);

    // Then they stay as they are.
    fleet.run(5 * LEASE);
    let seconds = 4 * LEASE / 1_000;
    let (asked, written, told) = fleet.asked();
    let all: u64 = asked.values().sum();
    println!(
        "as they stay: {asked:?}, {} a second, {written} written",
        all / seconds
    );
    assert_eq!((written, told), (0, 0));
    // Each asks three times in a lease, and each sixth time once more.
    assert!(all <= size as u64 * (3 * 4 + 2 + 1), "{all}");

    // A tenth vanishes.
    let killed = fleet.now;
    let gone = size / 10;
    fleet.dead[..gone].fill(true);
    let mut noticed = Vec::new();
    while noticed.len() < gone {
        let now = fleet.now + TICK;
        fleet.run(now);
        if let Some(all) = next() {
            noticed.resize(size - all.len(), now - killed);
        }
        assert!(now - killed <= LEASE + TICK, "{} of {gone}", noticed.len());
    }
    let mean = noticed.iter().sum::<u64>() / noticed.len() as u64;
    println!(
        "{gone} vanish: noticed after {mean} ms on average, {:?} at most",
        noticed.last()
    );
    assert!(
        noticed
            .first()
            .is_some_and(|&first| first >= LEASE * 2 / 3 - 2 * TICK)
    );

    // etcd is away for longer than a lease, and all leases have ended.
    fleet.asked();
    fleet.etcd.lock().is_away = true;
    fleet.run(fleet.now + 2 * LEASE);
    assert!(client.discover("all").is_err());
    fleet.etcd.lock().is_away = false;
    let back = fleet.now;
    while client.discover("all").map_or(0, |all| all.len()) < size - gone {
        fleet.run(fleet.now + TICK);
        assert!(fleet.now - back <= RETRY + 2 * TICK);
    }
    let (asked, written, _) = fleet.asked();
    println!(
        "etcd is back: all known after {} ms, {asked:?}, {written} written",
        fleet.now - back
    );

    let mut watch = client.watch("all").expect("a good name");
    let used = allocation_counter::measure(|| {
        assert_eq!(
            watch
                .next(Duration::ZERO)
                .expect("told")
                .map(|all| all.len()),
            Some(size - gone)
        );
    });
    println!(
        "a watch: {} bytes a server, {} at most",
        used.bytes_current / (size - gone) as i64,
        used.bytes_max
    );
}

#[test]
fn a_look_at_what_hasnt_changed_takes_as_little_however_many_servers_there_are() {
    let etcd = Etcd::default();
    let directory = directory(&etcd).advertise(IpAddr::from([10, 0, 0, 1]));
    for port in 1..=500 {
        let offer = Offer::new(["notes"], port).expect("a good offer");
        directory.register(&offer).expect("registered");
    }
    let mut watch = directory.watch("notes").expect("a name");
    let first = watch.next(Duration::ZERO).expect("an answer");
    assert_eq!(first.map(|servers| servers.len()), Some(500));
    let mut next = None;
    let used = allocation_counter::measure(|| next = watch.next(Duration::ZERO).expect("there"));
    assert_eq!(next, None);
    assert!(used.bytes_max < 8 * 1024, "{used:?}");
    directory.unregister(7).expect("gone");
    let next = watch.next(Duration::ZERO).expect("there");
    assert_eq!(next.map(|servers| servers.len()), Some(499));
}
