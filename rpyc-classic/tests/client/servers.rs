//! The two servers.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rpyc_classic::{ClassicConnection, connect};
use rpyc_tests::Server;
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::python_server::PythonServer;

/// Runs the scenario with a connection to each of the servers.
pub(crate) fn on_both(scenario: fn(&ClassicConnection)) {
    at_both(move |address| {
        let conn = connect(address).expect("a connection");
        scenario(&conn);
        conn.close().expect("a clean end");
    });
}

/// Runs the scenario with the address of each of the servers: Python's, and this project's.
pub(crate) fn at_both(scenario: impl Fn(SocketAddr) + Send + 'static) {
    // Building and installing take longer than a scenario may.
    rpyc_tests::server::binary();
    rpyc_tests::python::interpreter();
    within(2 * PATIENCE, "the scenario", move || {
        let python = PythonServer::start();
        scenario(python.address());
        let ours = Server::start();
        scenario(ours.address());
    });
}

/// Python's rpyc leaves what a lost connection had to the collector of garbage, and an idle server never collects.
pub(crate) fn collect(address: SocketAddr) {
    let conn = connect(address).expect("a connection");
    conn.execute("import gc; gc.collect()").expect("collected");
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "never: {what}");
        thread::yield_now();
    }
}

/// A writer whose text can be read afterwards.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic")).into_owned()
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
