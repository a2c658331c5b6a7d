//! The same scenarios with {Rust, Python} clients on {Rust, Python} servers; the Python side is the
//! rpyc from PyPI, its fork rpyc-ng, and this project's package rpyc_rs.

mod classic;
mod client;
mod pipes;
mod servers;
mod threads;
mod typed;

use self::servers::{PythonServer, Rpyc, RustServer};

/// The scenarios as a Python client runs them.
const PYTHON_CLIENT: &str = include_str!("client.py");

fn python_client(rpyc: Rpyc, port: u16) {
    let script = rpyc.script(PYTHON_CLIENT);
    let outcome = script
        .variable("PEER_HOST", "127.0.0.1")
        .variable("PEER_PORT", port.to_string())
        .outcome();
    assert_eq!(outcome.as_deref().map(str::trim), Ok("all done"));
}

#[test]
fn a_rust_client_on_a_rust_server() {
    let server = RustServer::start();
    client::run(server.port(), None);
}

#[test]
fn a_rust_client_on_a_python_server() {
    let server = PythonServer::start(Rpyc::Stock);
    client::run(server.port(), Some(Rpyc::Stock));
}

#[test]
fn a_rust_client_on_a_server_of_rpyc_ng() {
    let server = PythonServer::start(Rpyc::Ng);
    client::run(server.port(), Some(Rpyc::Ng));
}

#[test]
fn a_python_client_on_a_rust_server() {
    let server = RustServer::start();
    python_client(Rpyc::Stock, server.port());
}

#[test]
fn a_client_of_rpyc_ng_on_a_rust_server() {
    let server = RustServer::start();
    python_client(Rpyc::Ng, server.port());
}

#[test]
fn a_python_client_on_a_python_server() {
    for rpyc in Rpyc::ALL {
        let server = PythonServer::start(rpyc);
        python_client(rpyc, server.port());
    }
}

#[test]
fn a_rust_client_on_a_server_of_rpyc_rs() {
    let server = PythonServer::start(Rpyc::Rs);
    client::run(server.port(), Some(Rpyc::Rs));
}

#[test]
fn a_client_of_rpyc_rs_on_a_rust_server() {
    let server = RustServer::start();
    python_client(Rpyc::Rs, server.port());
}

#[test]
fn a_client_of_rpyc_rs_on_servers_of_the_others() {
    for rpyc in [Rpyc::Stock, Rpyc::Ng] {
        let server = PythonServer::start(rpyc);
        python_client(Rpyc::Rs, server.port());
    }
}

#[test]
fn clients_of_the_others_on_a_server_of_rpyc_rs() {
    for rpyc in [Rpyc::Stock, Rpyc::Ng] {
        let server = PythonServer::start(Rpyc::Rs);
        python_client(rpyc, server.port());
    }
}
