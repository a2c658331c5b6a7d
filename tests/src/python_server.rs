//! Python's own server, with its classic service or another.

use std::net::SocketAddr;

use crate::Script;
use crate::python::Running;

/// Python's own classic server.
#[derive(Debug)]
pub struct PythonServer {
    address: SocketAddr,
    _process: Running,
}

impl PythonServer {
    /// Starts one with the classic service.
    #[must_use]
    pub fn start() -> PythonServer {
        PythonServer::of("SlaveService")
    }

    /// Starts one with a service of the expression's, or of what stands in front of it on lines of their own.
    #[must_use]
    pub fn of(service: &str) -> PythonServer {
        let (before, service) = service.rsplit_once('\n').unwrap_or(("", service));
        let process = Script::new(&format!("{SERVER}{before}\nserve({service})\n"));
        let process = process.serving().spawn();
        let port: u16 = process
            .told("port ")
            .parse()
            .unwrap_or_else(|e| panic!("no port: {e}"));
        PythonServer {
            address: ([127, 0, 0, 1], port).into(),
            _process: process,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
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
