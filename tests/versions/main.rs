//! Every version of rpyc on one port: clients from 3.4.4 to 6.0.2 on Rust servers, and a Rust client on
//! Python servers of all of them.

mod client;
mod service;

use std::sync::LazyLock;

use rpyc_tests::Server;
use rpyc_tests::versions::Peer;

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
    rpyc_6_0_2: "6.0.2"
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
