//! Every version of rpyc on one port: clients from 3.4.4 to 6.0.2 and of rpyc-ng 7 on Rust servers, and a Rust client on
//! Python servers of all of them.

mod client;
mod service;
mod sessions;

use std::sync::LazyLock;

use rpyc_tests::server::is_warning;
use rpyc_tests::versions::Peer;
use rpyc_tests::{Server, better_than_stock};

/// The Rust servers, which clients of every version share.
static CLASSIC: LazyLock<Server> = LazyLock::new(Server::start);
static SERVICE: LazyLock<u16> = LazyLock::new(service::serve);

/// A module for each version, so that each shows in the name of its tests.
macro_rules! versions {
    ($($name:ident: $version:literal),*) => {
        $(mod $name {
            #[test]
            fn its_classic_clients_are_served() {
                super::classic_client($version);
            }

            #[test]
            fn its_normal_sessions_are_two_lines_each_in_the_log_and_no_warning() {
                super::normal_sessions($version);
            }

            #[test]
            fn its_clients_of_a_service_are_served() {
                super::service_client($version);
            }

            #[test]
            fn a_rust_client_uses_its_classic_server() {
                super::client::uses_classic_server($version);
            }

            #[test]
            fn a_rust_client_uses_its_service() {
                super::client::uses_service($version);
            }
        })*
    };
}

versions! {
    rpyc_3_4_4: "3.4.4",
    rpyc_4_0_2: "4.0.2",
    rpyc_4_1_5: "4.1.5",
    rpyc_5_0_1: "5.0.1",
    rpyc_5_3_1: "5.3.1",
    rpyc_6_0_2: "6.0.2",
    rpyc_ng_7_0_15: "7.0.15"
}

#[track_caller]
fn classic_client(version: &'static str) {
    let outcome = Peer::new(version).client("classic_client.py", CLASSIC.address().port());
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
}

#[track_caller]
fn service_client(version: &'static str) {
    let outcome = Peer::new(version).client("service_client.py", *SERVICE);
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
}

#[track_caller]
fn normal_sessions(version: &'static str) {
    if better_than_stock("it logs more lines") {
        return;
    }
    let server = Server::start();
    let outcome = Peer::new(version).client("normal_sessions.py", server.address().port());
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
    let of_sessions = |log: &[String]| {
        let lines = log.iter().filter(|line| line.contains(" from 127.0.0.1:"));
        lines.cloned().collect::<Vec<_>>()
    };
    let lines = server.wait_for_log("two lines for each session", |log| {
        Some(of_sessions(log)).filter(|lines| lines.len() >= 200)
    });
    assert_eq!(lines.len(), 200, "{lines:#?}");
    for (part, count) in [(": connected", 100), (": ended: ", 100)] {
        let with = lines.iter().filter(|line| line.contains(part));
        assert_eq!(with.count(), count, "{part}: {lines:#?}");
    }
    let log = server.log();
    let warnings: Vec<&str> = log.lines().filter(|line| is_warning(line)).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}
