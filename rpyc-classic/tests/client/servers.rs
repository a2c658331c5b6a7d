//! The two servers.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rpyc_classic::{ClassicConnection, connect};
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::python::Running;
use rpyc_tests::{Script, Server};

/// Python's own classic server.
pub(crate) struct PythonServer {
    address: SocketAddr,
    _process: Running,
}

impl PythonServer {
    pub(crate) fn start() -> PythonServer {
        PythonServer::of("SlaveService")
    }

    /// With a service of the expression's, or of what stands in front of it on lines of their own.
    pub(crate) fn of(service: &str) -> PythonServer {
        let (before, service) = service.rsplit_once('\n').unwrap_or(("", service));
        let process = Script::new(&format!("{SERVER}{before}\nserve({service})\n")).spawn();
        let port: u16 = process.told("port ").parse().expect("a port");
        PythonServer {
            address: ([127, 0, 0, 1], port).into(),
            _process: process,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

const SERVER: &str = "
from rpyc.core import SlaveService, Service
from rpyc.utils.server import ThreadedServer
def serve(service):
    server = ThreadedServer(service, hostname='127.0.0.1', port=0)
    server._listen()
    say('port %d' % server.port)
    server.start()
";

/// Runs the scenario with a connection to each of the servers.
pub(crate) fn on_both(scenario: fn(&ClassicConnection)) {
    // Building takes longer than a scenario may.
    rpyc_tests::server::binary();
    within(2 * PATIENCE, "the scenario", move || {
        let python = PythonServer::start();
        let conn = connect(python.address()).expect("a connection to Python's server");
        scenario(&conn);
        conn.close().expect("a clean end");

        let ours = Server::start();
        let conn = connect(ours.address()).expect("a connection to this project's server");
        scenario(&conn);
        conn.close().expect("a clean end");
    });
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
