//! The same scenarios with {Rust, Python} clients on {Rust, Python} servers; the Python side is the
//! rpyc from PyPI.

mod classic;
mod client;
mod pipes;
mod servers;
mod threads;

use rpyc_tests::Script;

use self::servers::{PythonServer, RustServer};

/// The scenarios as a Python client runs them.
const PYTHON_CLIENT: &str = include_str!("client.py");

fn python_client(port: u16) {
    let outcome = Script::new(PYTHON_CLIENT)
        .variable("PEER_HOST", "127.0.0.1")
        .variable("PEER_PORT", port.to_string())
        .outcome();
    assert_eq!(outcome.as_deref().map(str::trim), Ok("all done"));
}

#[test]
fn a_rust_client_on_a_rust_server() {
    let server = RustServer::start();
    client::run(server.port());
}

#[test]
fn a_rust_client_on_a_python_server() {
    let server = PythonServer::start();
    client::run(server.port());
}

#[test]
fn a_python_client_on_a_rust_server() {
    let server = RustServer::start();
    python_client(server.port());
}

#[test]
fn a_python_client_on_a_python_server() {
    let server = PythonServer::start();
    python_client(server.port());
}
