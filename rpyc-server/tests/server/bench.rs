//! A service to serve, clients to call it, and deadlines for what they wait for.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpyc_core::Config;
use rpyc_core::Connection;
use rpyc_core::Exception;
use rpyc_core::object::{Any, Args, Context, IdParts, Netref, Object, ObjectRef, ObjectResult};
use rpyc_core::service::{Service, VoidService};
use rpyc_core::transport::PeerAddr;
use rpyc_server::{Builder, Server};
use socket2::{Domain, Socket, Type};

/// How long anything here may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// What happens to the services of one server, as the test sees it.
pub(crate) struct Watch {
    pub(crate) connected: Receiver<String>,
    pub(crate) disconnected: Receiver<String>,
    /// Who each client is, and what its credentials say.
    pub(crate) peers: Receiver<Option<PeerAddr>>,
    pub(crate) credentials: Receiver<Option<String>>,
    /// A `hold` request has begun.
    pub(crate) held: Receiver<()>,
    /// Lets a `hold` request end.
    pub(crate) release: Sender<()>,
}

impl Watch {
    /// The names of all connections that have ended so far.
    pub(crate) fn ended(&self) -> Vec<String> {
        self.disconnected.try_iter().collect()
    }
}

/// A server of [`Demo`] services with default options, and what they tell.
pub(crate) fn demo() -> (Builder, Watch) {
    let (connected, see_connected) = mpsc::channel();
    let (disconnected, see_disconnected) = mpsc::channel();
    let (peers, see_peers) = mpsc::channel();
    let (credentials, see_credentials) = mpsc::channel();
    let (held, see_held) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let wires = Arc::new(Wires {
        held,
        released: Mutex::new(released),
    });
    let factory = move || Demo {
        connected: connected.clone(),
        disconnected: disconnected.clone(),
        peers: peers.clone(),
        credentials: credentials.clone(),
        wires: wires.clone(),
    };
    let watch = Watch {
        connected: see_connected,
        disconnected: see_disconnected,
        peers: see_peers,
        credentials: see_credentials,
        held: see_held,
        release,
    };
    (Server::builder(factory), watch)
}

struct Demo {
    connected: Sender<String>,
    disconnected: Sender<String>,
    peers: Sender<Option<PeerAddr>>,
    credentials: Sender<Option<String>>,
    wires: Arc<Wires>,
}

struct Wires {
    held: Sender<()>,
    released: Mutex<Receiver<()>>,
}

impl Service for Demo {
    fn root(&self) -> ObjectRef {
        Arc::new(Root(self.wires.clone()))
    }

    fn on_connect(&self, cx: &Context<'_>) -> Result<(), Exception> {
        // The test may have seen enough.
        let _ = self.connected.send(cx.connection().connid().to_owned());
        let peer = cx.connection().peer();
        let _ = self.peers.send(peer.address);
        let credentials = peer.credentials.as_ref();
        let credentials = credentials.and_then(|any| any.as_str()).map(str::to_owned);
        let _ = self.credentials.send(credentials);
        Ok(())
    }

    fn on_disconnect(&self, connection: &Connection) {
        let _ = self.disconnected.send(connection.connid().to_owned());
    }
}

/// Its `echo` gives its argument back, its `call` calls it, its `hold` returns when the test says so.
struct Root(Arc<Wires>);

impl Object for Root {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("demo.Root", self)
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        matches!(name, "exposed_call" | "exposed_echo" | "exposed_hold")
    }

    fn call_method(&self, _: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        match name {
            "exposed_echo" => Ok(args.positional.into_iter().next().unwrap_or(Any::NONE)),
            "exposed_call" => match args.positional.first() {
                Some(Any::Netref(callback)) => {
                    let outcome = callback.call(Args::new().arg(1));
                    outcome.map_err(rpyc_core::Error::into_exception)
                }
                _ => Err(Exception::type_error("nothing to call")),
            },
            "exposed_hold" => {
                let _ = self.0.held.send(());
                let released = self
                    .0
                    .released
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                match released.recv_timeout(DEADLINE) {
                    Ok(()) => Ok(Any::from("released")),
                    Err(error) => Err(Exception::runtime_error(error.to_string())),
                }
            }
            _ => Err(self.no_attribute(name)),
        }
    }
}

/// A client that only calls.
pub(crate) fn connect(address: Option<SocketAddr>) -> Connection {
    let address = address.expect("the server listens on TCP");
    let stream = TcpStream::connect(address).expect("the server accepts");
    Connection::open(stream, Arc::new(VoidService), Config::default()).expect("a connection")
}

/// A plain connection to a server of this machine, from one of its loopback addresses.
pub(crate) fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let bound = socket.bind(&SocketAddr::from((source, 0)).into());
    bound.expect("an address of its own");
    socket.connect(&to.into()).expect("it listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("an option");
    socket.into()
}

/// The service's root object.
pub(crate) fn root(client: &Connection) -> Netref {
    match client.root() {
        Ok(Any::Netref(root)) => root,
        other => panic!("not a root: {other:?}"),
    }
}

/// Calls the service's `echo` and checks what comes back.
#[track_caller]
pub(crate) fn assert_serves(client: &Connection) {
    let echo = root(client).call_method("echo", Args::new().arg(42));
    assert!(
        matches!(&echo, Ok(any) if any.as_value() == Some(&42.into())),
        "{echo:?}"
    );
}

/// A folder of a test's own, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("rpyc-server-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
