//! What the tests of pools stand on: a directory that says what it is told to, servers that write down
//! what they do.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::{Config, Connection, VoidService, service};
use rpyc_registry::service_pool::{Builder, PoolStatus, ServerStatus, ServicePool};
use rpyc_registry::{Directory, Offer, RegistryError, ServerAddress, ServerEntry, Watch};
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::python;
use rpyc_tests::server::{self, Server};

/// A directory in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<(Mutex<Answer>, Condvar)>);

#[derive(Debug, Default)]
struct Answer {
    servers: Vec<ServerAddress>,
    is_away: bool,
    version: u64,
}

impl Told {
    pub(crate) fn of(servers: &[SocketAddr]) -> Told {
        let told = Told::default();
        told.tell(servers);
        told
    }

    pub(crate) fn tell(&self, servers: &[SocketAddr]) {
        self.change(|answer| {
            let addresses = servers.iter();
            let address =
                |server: &SocketAddr| ServerAddress::new(server.ip().to_string(), server.port());
            answer.servers = addresses.map(address).collect();
        });
    }

    pub(crate) fn be_away(&self) {
        self.change(|answer| answer.is_away = true);
    }

    fn change(&self, change: impl FnOnce(&mut Answer)) {
        let (answer, changed) = &*self.0;
        let mut answer = answer.lock().expect("no panic");
        change(&mut answer);
        answer.version += 1;
        changed.notify_all();
    }
}

impl Directory for Told {
    fn discover(&self, _: &str) -> Result<Vec<ServerEntry>, RegistryError> {
        unimplemented!("a pool watches")
    }

    fn list(&self, _: Option<&str>) -> Result<Vec<String>, RegistryError> {
        unimplemented!("a pool watches")
    }

    fn register(&self, _: &Offer) -> Result<Duration, RegistryError> {
        unimplemented!("a pool offers nothing")
    }

    fn unregister(&self, _: u16) -> Result<(), RegistryError> {
        unimplemented!("a pool offers nothing")
    }

    fn watch(&self, _: &str) -> Result<Box<dyn Watch>, RegistryError> {
        Ok(Box::new(Watching {
            told: self.clone(),
            seen: 0,
        }))
    }
}

#[derive(Debug)]
struct Watching {
    told: Told,
    seen: u64,
}

impl Watch for Watching {
    fn next(&mut self, limit: Duration) -> Result<Option<Vec<ServerEntry>>, RegistryError> {
        let (answer, changed) = &*self.told.0;
        let answer = answer.lock().expect("no panic");
        let waited = changed.wait_timeout_while(answer, limit, |now| now.version == self.seen);
        let (answer, _) = waited.expect("no panic");
        if answer.version == self.seen {
            return Ok(None);
        }
        self.seen = answer.version;
        if answer.is_away {
            return Err(RegistryError::NoAnswer {
                registry: "memory".to_owned(),
                after: limit,
            });
        }
        let servers = answer.servers.iter().cloned();
        Ok(Some(servers.map(ServerEntry::new).collect()))
    }
}

/// A folder in which servers write down what they do.
#[derive(Debug)]
pub(crate) struct CallLog(tempfile::TempDir);

impl CallLog {
    pub(crate) fn new() -> CallLog {
        let folder = tempfile::TempDir::new().expect("a folder");
        CallLog(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// How often each call was done, at all servers.
    pub(crate) fn done(&self) -> BTreeMap<u64, usize> {
        let mut done = BTreeMap::new();
        for entry in fs::read_dir(self.path()).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let text = fs::read_to_string(entry.path()).expect("text");
            for line in text.lines() {
                *done.entry(line.parse().expect("a number")).or_insert(0) += 1;
            }
        }
        done
    }

    fn note(&self, number: u64) {
        use std::io::Write;
        let mut options = fs::File::options();
        let file = options
            .create(true)
            .append(true)
            .open(self.path().join("here"));
        let line = format!("{number}\n");
        let written = file.expect("a file").write_all(line.as_bytes());
        written.expect("it is writable");
    }

    /// Where the Python service is.
    fn services(&self) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pool");
        folder.display().to_string()
    }

    /// Python's own server.
    pub(crate) fn stock(&self) -> Server {
        let mut command = Command::new(python::interpreter());
        command.args(["-B", "-u", "-c"]).arg(format!(
            "import sys; sys.path.insert(0, {:?})\n{}",
            self.services(),
            include_str!("../hosting/stock.py")
        ));
        command.args(["counter:CounterService", "{}"]);
        command.env("JOURNAL", self.path());
        Server::by(command)
    }

    /// The same service, hosted by `rpyc-server`.
    pub(crate) fn hosted(&self) -> Server {
        let mut command = Command::new(server::binary());
        command.args(["--service", "counter:CounterService", "--port", "0"]);
        command.args(["--path", &self.services()]);
        command.env("JOURNAL", self.path());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Server::by(command)
    }
}

/// A service in Rust, of this process, that does the same.
struct Counter(Arc<CallLog>);

#[service]
impl Counter {
    #[exposed]
    fn count(&self, number: u64, pause: f64) -> u32 {
        self.0.note(number);
        thread::sleep(Duration::from_secs_f64(pause)); // that is the work
        0
    }
}

/// A server of this process, which can turn its clients away.
pub(crate) struct Here {
    pub(crate) address: SocketAddr,
    turns_away: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<Connection>>>,
}

impl Here {
    pub(crate) fn start(calls: &Arc<CallLog>) -> Here {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let here = Here {
            address: listener.local_addr().expect("an address"),
            turns_away: Arc::default(),
            connections: Arc::default(),
        };
        let (calls, turns_away) = (calls.clone(), here.turns_away.clone());
        let connections = here.connections.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if turns_away.load(Ordering::SeqCst) {
                    continue;
                }
                let opened = Connection::open(stream, Counter(calls.clone()), Config::new());
                let connection = opened.expect("a connection");
                connections
                    .lock()
                    .expect("no panic")
                    .push(connection.clone());
                thread::spawn(move || connection.serve_all());
            }
        });
        here
    }

    /// Ends all connections, and those that come.
    pub(crate) fn leave(&self) {
        self.turns_away.store(true, Ordering::SeqCst);
        let connections = std::mem::take(&mut *self.connections.lock().expect("no panic"));
        for connection in connections {
            connection.shut_down(Duration::ZERO);
        }
    }

    pub(crate) fn come_back(&self) {
        self.turns_away.store(false, Ordering::SeqCst);
    }

    pub(crate) fn open_connections(&self) -> usize {
        let connections = self.connections.lock().expect("no panic");
        let open = connections.iter().filter(|conn| !conn.is_closed());
        open.count()
    }
}

/// Takes connections, and neither reads nor says anything.
pub(crate) fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    address
}

/// A server that says that it is there, and then nothing.
pub(crate) fn black_hole() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            let opened = Connection::open(stream, VoidService, Config::new());
            let connection = opened.expect("a connection");
            // The question for the root. A client that has gone asks none.
            let _ = connection.serve(Some(PATIENCE));
            held.push(connection);
        }
    });
    address
}

/// A pool that is brisk, because tests wait for it.
pub(crate) fn brisk() -> Builder {
    ServicePool::builder().pauses(Duration::from_millis(50), Duration::from_millis(500))
}

/// Waits until the pool's state is as it should be.
#[track_caller]
pub(crate) fn wait_until(pool: &ServicePool, is_so: impl Fn(&PoolStatus) -> bool) -> PoolStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = pool.status();
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < until, "{status:?}");
        thread::sleep(Duration::from_millis(5)); // between two looks
    }
}

pub(crate) fn of(status: &PoolStatus, server: SocketAddr) -> Option<&ServerStatus> {
    let mut servers = status.servers.iter();
    servers.find(|known| known.address.port == server.port())
}

/// So many servers are connected.
pub(crate) fn connected(servers: usize) -> impl Fn(&PoolStatus) -> bool {
    move |status| {
        let connected = status.servers.iter().filter(|server| server.is_connected);
        connected.count() == servers
    }
}
