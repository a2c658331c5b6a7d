//! A service of rpyc-core behind TLS, in this process, and Python's server behind its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rpyc_core::error::CloseReason;
use rpyc_core::object::Function;
use rpyc_core::transport::{TlsClient, TlsError, TlsServer};
use rpyc_core::{Any, Args, Config, Connection, Context, Exception, Exposed, Value, args, service};
use rpyc_tests::certs::{Authority, Identity};
use rpyc_tests::python::Running;
use rpyc_tests::{Script, deadline::PATIENCE};

/// How long a handshake may take here: in time for tests of it, and enough for a busy machine.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
pub(crate) struct DemoService;

#[service(module = "tls_demo")]
impl DemoService {
    #[exposed]
    fn echo(&self, value: Any) -> Any {
        value
    }

    #[exposed]
    fn call(&self, cx: &Context<'_>, function: Any, count: u64) -> Result<u64, Exception> {
        for number in 0..count {
            function.call_in(cx, Args::new().arg(number))?;
        }
        Ok(count)
    }

    #[exposed]
    fn length(&self, bytes: Any) -> Option<usize> {
        match bytes {
            Any::Value(Value::Bytes(bytes)) => Some(bytes.len()),
            _ => None,
        }
    }
}

/// A TLS server of rpyc-core: a thread for each client, which says how it ended.
pub(crate) struct Bench {
    pub(crate) address: SocketAddr,
    pub(crate) ends: Receiver<End>,
}

/// How a client ended.
pub(crate) enum End {
    NoSession(TlsError),
    Closed(CloseReason),
}

impl Bench {
    pub(crate) fn start(identity: &Identity, ca: Option<&Authority>) -> Bench {
        let ca = ca.map(Authority::path);
        let tls = TlsServer::from_files(&identity.certificate, &identity.key, ca.as_deref());
        Bench::of(tls.expect("good files"), HANDSHAKE)
    }

    pub(crate) fn of(tls: TlsServer, limit: Duration) -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (told, ends) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, tls, told) = (stream.expect("a client"), tls.clone(), told.clone());
                thread::spawn(move || {
                    let end = match tls.accept(stream, Some(limit)) {
                        Err(error) => End::NoSession(error),
                        Ok(stream) => {
                            let service = Arc::new(Exposed::new(DemoService));
                            let config = Config::default();
                            let conn = Connection::open(stream, service, config);
                            End::Closed(conn.expect("a connection").serve_all())
                        }
                    };
                    // Nobody listens once the test is over.
                    let _ = told.send(end);
                });
            }
        });
        Bench { address, ends }
    }

    #[track_caller]
    pub(crate) fn refused(&self) -> TlsError {
        match self.ends.recv_timeout(PATIENCE) {
            Ok(End::NoSession(error)) => error,
            Ok(End::Closed(reason)) => panic!("it was served, and ended: {reason}"),
            Err(_) => panic!("no client has ended"),
        }
    }

    #[track_caller]
    pub(crate) fn closed(&self) -> CloseReason {
        match self.ends.recv_timeout(PATIENCE) {
            Ok(End::Closed(reason)) => reason,
            Ok(End::NoSession(error)) => panic!("it wasn't served: {error}"),
            Err(_) => panic!("no client has ended"),
        }
    }

    pub(crate) fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("an option");
        socket
    }

    /// A Python script that finds the server, and the given files by name.
    pub(crate) fn python(&self, files: &[(&str, &std::path::Path)], code: &str) -> Script {
        python(self.address.port(), files, code)
    }
}

/// A Python script that finds a server, and the given files by name.
pub(crate) fn python(port: u16, files: &[(&str, &std::path::Path)], code: &str) -> Script {
    let mut script = Script::new(&format!("import ssl\n{}", rpyc_tests::python::dedent(code)))
        .variable("PEER_HOST", "127.0.0.1")
        .variable("PEER_PORT", port.to_string());
    for (name, path) in files {
        script = script.variable(name, path.to_str().expect("a readable path"));
    }
    script
}

/// Python's own server with its SSLAuthenticator, and its port.
pub(crate) fn python_server(identity: &Identity, ca: Option<&Authority>) -> (Running, u16) {
    let ca = ca.map(Authority::path);
    let mut files = vec![("CERT", &*identity.certificate), ("KEY", &*identity.key)];
    files.extend(ca.as_deref().map(|path| ("CA", path)));
    let code = r#"
        from rpyc.utils.server import ThreadedServer
        from rpyc.utils.authenticators import SSLAuthenticator

        class DemoService(rpyc.Service):
            def on_connect(self, conn):
                self.conn = conn
            def exposed_echo(self, value):
                return value
            def exposed_call(self, function, count):
                for number in range(count):
                    function(number)
                return count
            def exposed_length(self, data):
                return len(data)
            def exposed_whoami(self):
                credentials = self.conn._config["credentials"]
                return repr(credentials and credentials["subject"])

        authenticator = SSLAuthenticator(os.environ["KEY"], os.environ["CERT"], os.environ.get("CA"))
        server = ThreadedServer(DemoService, hostname="127.0.0.1", port=0, authenticator=authenticator)
        server._listen()
        say("port %d" % server.port)
        server.start()
    "#;
    let process = python(0, &files, code).serving().spawn();
    let port = process.told("port ").parse().expect("a port");
    (process, port)
}

/// A client that trusts this authority.
pub(crate) fn trusting(ca: &Authority) -> rpyc_core::transport::TlsClientBuilder {
    TlsClient::builder().ca_file(ca.path())
}

/// Calls, bulk in both directions, callbacks, requests on end: all over one connection.
#[track_caller]
pub(crate) fn exercise(conn: &Connection) {
    let root = conn.root().expect("a root");
    let call = |name: &str, args: Args| root.call_method(name, args).expect("a result");
    assert_eq!(call("echo", args!["hello"]).as_str(), Some("hello"));
    let bulk = Any::from(vec![7_u8; 5_000_000]);
    let length = call("length", args![bulk.clone()]);
    assert_eq!(length.as_value(), Some(&Value::from(5_000_000)));
    let back = call("echo", args![bulk.clone()]);
    assert_eq!(back.as_value(), bulk.as_value());
    let counted = Arc::new(AtomicU64::new(0));
    let counter = counted.clone();
    let function = Any::object(Function::new("count", move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(Any::NONE)
    }));
    call("call", args![function, 50]);
    assert_eq!(counted.load(Ordering::SeqCst), 50);
    let send = |number: u64| root.async_call_method("echo", args![number]).expect("sent");
    let sent: Vec<_> = (0..200).map(send).collect();
    for (number, result) in (0..200).zip(sent) {
        let value = result.value().expect("an echo");
        assert_eq!(value.extract::<u64>().ok(), Some(number));
    }
}
