//! The rules, one by one, and whatever happens in whatever order; the clock is a number.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rpyc_core::error::CloseReason;

use super::*;

const POLICY: Policy = Policy {
    max_servers: 4,
    max_connecting: 2,
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(60),
    check_interval: Duration::from_secs(30),
};

fn address(port: u16) -> ServerAddress {
    ServerAddress::new("host", port)
}

fn lost() -> Arc<Error> {
    Arc::new(Error::Closed(CloseReason::Eof))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Connects whatever is to be connected now; a connection is its server's port.
fn connect(servers: &mut Servers<u16>, now: Instant) -> Vec<u16> {
    let mut connected = Vec::new();
    loop {
        let jobs = servers.due(now);
        if jobs.is_empty() {
            return connected;
        }
        for job in jobs {
            if let Job::Connect(ticket, address) = job {
                servers.connected(ticket, address.port, now);
                connected.push(address.port);
            }
        }
    }
}

fn with(ports: &[u16], now: Instant) -> Servers<u16> {
    let mut servers = Servers::new(POLICY);
    servers.list(ports.iter().copied().map(address).collect(), now);
    connect(&mut servers, now);
    servers
}

fn port_of(servers: &mut Servers<u16>) -> u16 {
    servers.choose().expect("one is connected").1
}

#[test]
fn a_call_goes_to_the_server_with_the_fewest_unanswered_and_among_those_to_each_in_turn() {
    let now = Instant::now();
    let mut servers = with(&[1, 2, 3], now);
    let calls: Vec<_> = (0..6).filter_map(|_| servers.choose()).collect();
    let ports: Vec<u16> = calls.iter().map(|(_, port)| *port).collect();
    assert_eq!(ports, [1, 2, 3, 1, 2, 3]);
    servers.answered(calls[1].0, now);
    servers.ended(calls[1].0);
    assert_eq!(port_of(&mut servers), 2);
    servers.ended(calls[5].0);
    servers.ended(calls[2].0);
    assert_eq!([port_of(&mut servers), port_of(&mut servers)], [3, 3]);
}

#[test]
fn a_server_that_fails_is_left_out_until_it_is_connected_anew() {
    let now = Instant::now();
    let mut servers = with(&[1, 2], now);
    let (ticket, port) = servers.choose().expect("connected");
    assert_eq!(port, 1);
    servers.failed(ticket, lost(), now, u64::MAX);
    servers.ended(ticket);
    assert_eq!([port_of(&mut servers), port_of(&mut servers)], [2, 2]);
    assert_eq!(connect(&mut servers, now), [0; 0]);
    assert_eq!(servers.next_due(), Some(now + seconds(1)));
    assert_eq!(connect(&mut servers, now + seconds(1)), [1]);
    assert_eq!(port_of(&mut servers), 1);
}

#[test]
fn pauses_double_with_each_failure_up_to_the_longest_and_have_some_chance_in_them() {
    let now = Instant::now();
    for (chance, expected) in [
        (
            u64::MAX,
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000],
        ),
        (0, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]),
    ] {
        let mut servers: Servers<u16> = Servers::new(POLICY);
        servers.list(vec![address(1)], now);
        let mut at = now;
        for pause in expected {
            let jobs = servers.due(at);
            let [Job::Connect(ticket, _)] = jobs[..] else {
                panic!("{jobs:?}");
            };
            servers.failed(ticket, lost(), at, chance);
            at += Duration::from_millis(pause);
            assert_eq!(servers.next_due(), Some(at));
        }
    }
    assert!(POLICY.pause(u32::MAX, u64::MAX) <= POLICY.longest_pause);
}

#[test]
fn a_server_that_has_failed_gets_one_call_at_a_time_until_it_answers() {
    let now = Instant::now();
    let mut servers = with(&[1, 2], now);
    let (ticket, _) = servers.choose().expect("connected");
    servers.failed(ticket, lost(), now, 0);
    servers.ended(ticket);
    let now = now + seconds(1);
    connect(&mut servers, now);
    let ports: Vec<u16> = (0..4).map(|_| port_of(&mut servers)).collect();
    assert_eq!(ports.iter().filter(|port| **port == 1).count(), 1);
    // It is better than none.
    let (other, _) = servers.connections()[1];
    servers.failed(other, lost(), now, 0);
    assert_eq!(port_of(&mut servers), 1);
    let (ticket, _) = servers.choose().expect("connected");
    servers.answered(ticket, now);
    servers.ended(ticket);
    assert_eq!(servers.statuses(now)[0].failures, 0);
    assert!(servers.statuses(now)[0].last_error.is_none());
}

#[test]
fn what_was_all_right_for_long_is_tried_again_soon() {
    let now = Instant::now();
    let mut servers = with(&[1], now);
    let mut at = now;
    for _ in 0..5 {
        let (ticket, _) = servers.connections()[0];
        servers.failed(ticket, lost(), at, u64::MAX);
        at = servers.next_due().expect("it is tried again");
        connect(&mut servers, at);
    }
    assert_eq!(servers.statuses(at)[0].failures, 5);
    at += POLICY.longest_pause;
    let (ticket, _) = servers.connections()[0];
    servers.failed(ticket, lost(), at, u64::MAX);
    assert_eq!(servers.next_due(), Some(at + POLICY.first_pause));
}

#[test]
fn what_is_said_of_a_connection_of_before_changes_nothing() {
    let now = Instant::now();
    let mut servers = with(&[1], now);
    let (old, _) = servers.choose().expect("connected");
    servers.failed(old, lost(), now, 0);
    connect(&mut servers, now + seconds(1));
    servers.failed(old, lost(), now + seconds(1), 0);
    servers.answered(old, now + seconds(1));
    let state = &servers.statuses(now)[0];
    assert!(state.is_connected && state.failures == 1 && state.unanswered == 1);
    servers.ended(old);
    assert_eq!(servers.statuses(now)[0].unanswered, 0);
}

#[test]
fn a_server_that_isnt_listed_any_more_is_used_while_there_is_no_other_and_then_forgotten() {
    let now = Instant::now();
    let mut servers = with(&[1], now);
    servers.list(Vec::new(), now);
    let (ticket, port) = servers.choose().expect("it is connected");
    assert_eq!(port, 1);
    servers.list(vec![address(2)], now);
    assert_eq!(port_of(&mut servers), 1);
    connect(&mut servers, now);
    assert_eq!(port_of(&mut servers), 2);
    servers.ended(ticket);
    assert_eq!(servers.statuses(now).len(), 2);
    servers.ended(ticket);
    assert_eq!(servers.statuses(now).len(), 1);
    // One that isn't connected is forgotten at once.
    let (ticket, _) = servers.connections()[0];
    servers.failed(ticket, lost(), now, 0);
    servers.list(Vec::new(), now);
    assert_eq!(servers.statuses(now).len(), 0);
    assert!(matches!(
        servers.take_discarded()[..],
        [
            Discarded::Connection(1),
            Discarded::Connection(2),
            Discarded::Error(_)
        ]
    ));
}

#[test]
fn an_idle_server_is_checked_and_a_busy_one_isnt() {
    let now = Instant::now();
    let mut servers = with(&[1, 2], now);
    let (_, busy) = servers.choose().expect("connected");
    assert_eq!(busy, 1);
    assert_eq!(servers.next_due(), Some(now + seconds(30)));
    let jobs = servers.due(now + seconds(30));
    let [Job::Check(ticket, 2)] = jobs[..] else {
        panic!("{jobs:?}");
    };
    assert_eq!(servers.due(now + seconds(60)), []);
    servers.seen(ticket, now + seconds(60));
    assert_eq!(servers.next_due(), Some(now + seconds(90)));
}

#[test]
fn a_directory_with_too_many_servers_doesnt_drive_out_those_that_are_known() {
    let now = Instant::now();
    let mut servers = with(&[1, 2], now);
    servers.list((0..1000).rev().map(address).collect(), now);
    let ports: Vec<u16> = servers
        .statuses(now)
        .iter()
        .map(|server| server.address.port)
        .collect();
    assert_eq!(ports, [1, 2, 999, 998]);
    let jobs = servers.due(now);
    assert_eq!(jobs.len(), POLICY.max_connecting);
    assert_eq!(servers.next_due(), Some(now + seconds(30)));
}

#[test]
fn a_directory_that_names_others_each_time_has_no_more_connections_made_at_a_time() {
    let now = Instant::now();
    let mut servers = with(&[1], now);
    let mut jobs = Vec::new();
    for port in (10..100).step_by(2) {
        servers.list(vec![address(1), address(port), address(port + 1)], now);
        jobs.extend(servers.due(now));
    }
    assert_eq!(jobs.len(), POLICY.max_connecting);
    // The places are free again when these have ended, however that is.
    for (job, works) in jobs.into_iter().zip([true, false]) {
        let Job::Connect(ticket, address) = job else {
            panic!("{job:?}");
        };
        match works {
            true => servers.connected(ticket, address.port, now),
            false => servers.failed(ticket, lost(), now, 0),
        }
    }
    let jobs = servers.due(now);
    assert_eq!(jobs.len(), POLICY.max_connecting, "{jobs:?}");
    // Nobody wants those that the directory doesn't name any more.
    assert_eq!(servers.statuses(now).len(), 3);
}

#[test]
fn a_directory_that_names_others_each_time_leaves_few_connections() {
    let now = Instant::now();
    let mut servers: Servers<u16> = Servers::new(POLICY);
    for port in (10..100).step_by(2) {
        servers.list(vec![address(port), address(port + 1)], now);
        connect(&mut servers, now);
        assert!(servers.connections().len() <= POLICY.max_servers);
    }
}

/// Those whose connections were made too late were all kept, as none was named any more.
#[test]
fn servers_that_connect_when_others_are_named_already_leave_few_connections() {
    let now = Instant::now();
    let mut servers: Servers<u16> = Servers::new(POLICY);
    for port in (10..200).step_by(2) {
        let under_way = servers.due(now);
        servers.list(vec![address(port), address(port + 1)], now);
        for job in under_way {
            if let Job::Connect(ticket, address) = job {
                servers.connected(ticket, address.port, now);
            }
        }
        let most = POLICY.max_servers + POLICY.max_connecting;
        assert!(servers.statuses(now).len() <= most);
    }
    assert_eq!(servers.connections().len(), 1);
}

/// What may happen.
#[derive(Clone, Debug)]
enum Event {
    List(BTreeSet<u16>),
    Choose,
    End { call: usize, outcome: u8 },
    Job { job: usize, works: bool },
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => proptest::collection::btree_set(0_u16..6, 0..6).prop_map(Event::List),
        4 => Just(Event::Choose),
        4 => (any::<usize>(), 0_u8..3).prop_map(|(call, outcome)| Event::End { call, outcome }),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(job, works)| Event::Job { job, works }),
        2 => (0_u64..40).prop_map(Event::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_calls_are_counted_connections_are_few_and_who_comes_back_is_used(
        events in proptest::collection::vec(event(), 0..120),
        chance in any::<u64>(),
    ) {
        let mut now = Instant::now();
        let mut servers: Servers<u64> = Servers::new(POLICY);
        let (mut jobs, mut calls) = (Vec::new(), Vec::new());
        let (mut made, mut dropped) = (0_u64, BTreeSet::new());
        let mut listed = BTreeSet::new();
        for event in events {
            match event {
                Event::List(ports) => {
                    servers.list(ports.iter().copied().map(address).collect(), now);
                    listed = ports;
                }
                Event::Choose => {
                    let before = servers.statuses(now);
                    let connected = before.iter().any(|server| server.is_connected);
                    let chosen = servers.choose();
                    prop_assert_eq!(chosen.is_some(), connected);
                    calls.extend(chosen);
                }
                Event::End { call, outcome } if !calls.is_empty() => {
                    let (ticket, _) = calls.swap_remove(call % calls.len());
                    match outcome {
                        0 => servers.failed(ticket, lost(), now, chance),
                        1 => servers.answered(ticket, now),
                        _ => {}
                    }
                    servers.ended(ticket);
                }
                Event::Job { job, works } if !jobs.is_empty() => {
                    match (jobs.swap_remove(job % jobs.len()), works) {
                        (Job::Connect(ticket, _), true) => {
                            made += 1;
                            servers.connected(ticket, made, now);
                        }
                        (Job::Check(ticket, _), true) => servers.seen(ticket, now),
                        (Job::Connect(ticket, _) | Job::Check(ticket, _), false) => {
                            servers.failed(ticket, lost(), now, chance);
                        }
                    }
                }
                Event::Pass(time) => now += seconds(time),
                Event::End { .. } | Event::Job { .. } => {}
            }
            jobs.extend(servers.due(now));
            for discarded in servers.take_discarded() {
                if let Discarded::Connection(connection) = discarded {
                    prop_assert!(dropped.insert(connection), "dropped twice");
                }
            }
            let connecting = jobs.iter().filter(|job| matches!(job, Job::Connect(..)));
            prop_assert!(connecting.count() <= POLICY.max_connecting);
            let state = servers.statuses(now);
            let held = state.iter().filter(|server| server.is_connected).count();
            prop_assert_eq!(held as u64 + dropped.len() as u64, made);
            let of_listed = state.iter().filter(|server| server.is_listed);
            prop_assert!(of_listed.count() <= POLICY.max_servers);
            // A server's calls outlast its being known.
            let unanswered: usize = state.iter().map(|server| server.unanswered).sum();
            prop_assert!(unanswered <= calls.len());
            let mut each = BTreeMap::new();
            for server in &state {
                *each.entry(server.address.port).or_insert(0) += 1;
                let pause = server.next_try.unwrap_or_default();
                prop_assert!(pause <= POLICY.longest_pause);
            }
            prop_assert!(each.values().all(|count| *count == 1));
        }
        // From now on all is well.
        for (ticket, _) in calls {
            servers.answered(ticket, now);
            servers.ended(ticket);
        }
        for _ in 0..20 {
            for job in jobs.drain(..) {
                match job {
                    Job::Connect(ticket, _) => servers.connected(ticket, 0, now),
                    Job::Check(ticket, _) => servers.seen(ticket, now),
                }
            }
            now += POLICY.longest_pause;
            jobs.extend(servers.due(now));
        }
        let state = servers.statuses(now);
        let of_listed: Vec<&ServerStatus> = state.iter().filter(|server| server.is_listed).collect();
        prop_assert_eq!(of_listed.len(), listed.len().min(POLICY.max_servers));
        prop_assert!(of_listed.iter().all(|server| server.is_connected));
        prop_assert!(state.iter().all(|server| server.unanswered == 0));
    }
}
