//! The server's authenticators: what a client has to show, what the service learns of it, and what is said
//! when it isn't served.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::transport::TlsClient;
use rpyc_core::{Any, Connector, Context, Exposed, args, connect, service};
use rpyc_server::auth::{Access, Networks, Secret, Tls};
use rpyc_server::{Running, Server};
use rpyc_tests::certs::{Authority, Identity};
use rpyc_tests::deadline::PATIENCE;

use crate::bench::{HANDSHAKE, python, trusting};

struct WhoService;

#[service(module = "tls_demo")]
impl WhoService {
    #[exposed]
    fn whoami(&self, cx: &Context<'_>) -> Any {
        let credentials = cx.connection().peer().credentials;
        credentials.unwrap_or(Any::NONE)
    }
}

fn serve(access: Access) -> Running {
    let server = Server::builder(|| Exposed::new(WhoService))
        .authenticator(access)
        .handshake_timeout(Some(HANDSHAKE))
        .listen("127.0.0.1:0");
    server.expect("a port").start().expect("a thread")
}

fn tls(server: &Identity, clients: Option<&Authority>) -> Tls {
    let ca = clients.map(Authority::path);
    Tls::from_files(&server.certificate, &server.key, ca.as_deref()).expect("good files")
}

/// The log of this process: what servers say of clients that they refuse.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        self.lines().push(record.args().to_string());
    }
    fn flush(&self) {}
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a line with all of these in it.
    #[track_caller]
    fn wait_for(&self, texts: &[&str]) {
        let until = Instant::now() + PATIENCE;
        while !self
            .lines()
            .iter()
            .any(|line| texts.iter().all(|text| line.contains(text)))
        {
            assert!(
                Instant::now() < until,
                "no line with {texts:?} in {:#?}",
                self.lines()
            );
            thread::yield_now();
        }
    }
}

fn listen_to_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&LOG).expect("the only one");
        log::set_max_level(log::LevelFilter::Warn);
    });
}

#[test]
fn a_services_credentials_are_the_dict_that_pythons_ssl_has() {
    let (ca, clients) = (Authority::new("authority"), Authority::new("clients"));
    let server = serve(Access::new().tls(tls(&ca.server(), Some(&clients))));
    let client = clients.sign(
        "client",
        &["client.example.org", "192.0.2.7", "2001:db8::7"],
        rpyc_tests::certs::Validity::Now,
    );
    let files: [(&str, &Path); 3] = [
        ("CA", &ca.path()),
        ("CERT", &client.certificate),
        ("KEY", &client.key),
    ];
    let port = server.local_addr().expect("TCP").port();
    let code = r#"
        conn = rpyc.ssl_connect(HOST, PORT, ca_certs=os.environ["CA"],
                                keyfile=os.environ["KEY"], certfile=os.environ["CERT"])
        told = conn.root.whoami()
        told = {key: told[key] for key in told}
        same(told, ssl._ssl._test_decode_cert(os.environ["CERT"]))
    "#;
    python(port, &files, code).outcome().expect("the same dict");
    let tls = trusting(&ca).certificate(&client.certificate, &client.key);
    let conn = Connector::new().connect_tls("localhost", port, &tls.build().expect("good files"));
    let subject = conn
        .and_then(|conn| {
            conn.root()?
                .call_method("whoami", args![])?
                .get_item("subject")
        })
        .expect("a subject");
    assert!(format!("{subject:?}").contains("client"), "{subject:?}");
}

#[test]
fn refused_clients_are_logged_with_the_reason() {
    listen_to_the_log();
    let (ca, clients) = (Authority::new("authority"), Authority::new("clients"));
    let server = serve(Access::new().tls(tls(&ca.server(), Some(&clients))));
    let address = server.local_addr().expect("TCP");
    let without = trusting(&ca).build().expect("a file");
    let refused = Connector::new().connect_tls("localhost", address.port(), &without);
    assert!(refused.is_err());
    LOG.wait_for(&["refused: no TLS session with it", "showed no certificate"]);
    let mut plain = TcpStream::connect(address).expect("it listens");
    plain.write_all(b"\0\0\0\x01\0\x01\n").expect("it reads");
    let from = plain.local_addr().expect("its address").to_string();
    LOG.wait_for(&[&from, "plain RPyC"]);

    let elsewhere = Networks::parse(["192.0.2.0/24"]).expect("a network");
    let server = serve(Access::new().networks(elsewhere));
    let mut client = TcpStream::connect(server.local_addr().expect("TCP")).expect("it listens");
    let from = client.local_addr().expect("its address").to_string();
    // Not a byte is said to it.
    let mut said = Vec::new();
    let _ = client.read_to_end(&mut said);
    assert_eq!(said, b"");
    LOG.wait_for(&[&from, "none of the allowed networks"]);
}

#[test]
fn a_python_client_passes_with_the_secret_by_the_documented_lines_over_tcp_and_tls() {
    listen_to_the_log();
    let ca = Authority::new("authority");
    let secret = || Secret::new("correct horse battery staple").expect("a secret");
    let networks = || Networks::parse(["127.0.0.0/8"]).expect("a network");
    let plain = serve(Access::new().networks(networks()).secret(secret()));
    let over_tls = Access::new().networks(networks()).secret(secret());
    let over_tls = serve(over_tls.tls(tls(&ca.server(), None)));
    for server in [&plain, &over_tls] {
        let code = r#"
            import hmac, socket
            from rpyc.core.stream import SocketStream

            def connect(secret):
                sock = socket.create_connection((HOST, PORT))
                if "CA" in os.environ:
                    context = ssl.create_default_context(cafile=os.environ["CA"])
                    sock = context.wrap_socket(sock, server_hostname="localhost")
                challenge = b""
                while len(challenge) < 32:
                    challenge += sock.recv(32 - len(challenge)) or exit("refused")
                sock.sendall(hmac.digest(secret, challenge, "sha256"))
                return rpyc.connect_stream(SocketStream(sock))

            conn = connect(b"correct horse battery staple")
            same(conn.root.whoami(), None)
            with raises((EOFError, ConnectionError)):
                connect(b"wrong horse battery staple").root
        "#;
        let mut files = Vec::new();
        let path = ca.path();
        if std::ptr::eq(server, &over_tls) {
            files.push(("CA", &*path));
        }
        let port = server.local_addr().expect("TCP").port();
        python(port, &files, code).outcome().expect("it passes");
        LOG.wait_for(&["it doesn't know the secret"]);
    }
}

#[test]
fn a_rust_client_passes_with_the_secret() {
    let secret = Secret::new("correct horse battery staple").expect("a secret");
    let server = serve(Access::new().secret(secret.clone()));
    let stream = TcpStream::connect(server.local_addr().expect("TCP")).expect("it listens");
    secret.answer(&stream).expect("a question");
    let conn = Connector::new()
        .connect_stream(stream)
        .expect("a connection");
    conn.ping().expect("an echo");
}

#[test]
fn before_the_secret_nothing_of_rpyc_is_seen_and_no_two_questions_are_the_same() {
    let secret = Secret::new("correct horse battery staple").expect("a secret");
    let server = serve(Access::new().secret(secret));
    let ask = || {
        let mut client = TcpStream::connect(server.local_addr().expect("TCP")).expect("it listens");
        client.set_read_timeout(Some(PATIENCE)).expect("an option");
        let mut question = [0; 32];
        client.read_exact(&mut question).expect("a question");
        // A request for the root, and no answer but the end.
        client
            .write_all(b"\0\0\0\x0b\0\x11\x51\x52\x0c\x53\x0b0123456789abcdef0123\n")
            .expect("it reads");
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        assert_eq!(rest, b"");
        question
    };
    assert_ne!(ask(), ask());
}

#[test]
fn silent_clients_of_a_tls_port_hold_nobody_up() {
    let ca = Authority::new("authority");
    let server = serve(Access::new().tls(tls(&ca.server(), None)));
    let address = server.local_addr().expect("TCP");
    let silent: Vec<_> = (0..30)
        .map(|_| TcpStream::connect(address).expect("it listens"))
        .collect();
    let tls = trusting(&ca).build().expect("a file");
    let began = Instant::now();
    let conn = Connector::new()
        .connect_tls("localhost", address.port(), &tls)
        .expect("a connection");
    conn.ping().expect("an echo");
    assert!(began.elapsed() < HANDSHAKE);
    drop(silent);
}

#[test]
fn a_client_that_never_ends_its_handshake_is_ended_in_time() {
    listen_to_the_log();
    let ca = Authority::new("authority");
    let server = Server::builder(|| Exposed::new(WhoService))
        .authenticator(Access::new().tls(tls(&ca.server(), None)))
        .handshake_timeout(Some(Duration::from_millis(300)))
        .listen("127.0.0.1:0");
    let server = server.expect("a port").start().expect("a thread");
    let mut client = TcpStream::connect(server.local_addr().expect("TCP")).expect("it listens");
    client.set_read_timeout(Some(PATIENCE)).expect("an option");
    client.write_all(b"\x16\x03\x01").expect("it reads");
    assert!(!matches!(client.read(&mut [0; 10]), Ok(1..)));
    let from = client.local_addr().expect("its address").to_string();
    LOG.wait_for(&[&from, "wasn't authenticated within"]);
}

#[test]
fn certificates_are_read_again_and_connected_clients_stay() {
    let (ca, next) = (Authority::new("authority"), Authority::new("next"));
    let files = ca.server();
    let tls = tls(&files, None);
    let server = serve(Access::new().tls(tls.clone()));
    let port = server.local_addr().expect("TCP").port();
    let client = |authority: &Authority| {
        let trusting = trusting(authority).build().expect("a file");
        Connector::new().connect_tls("localhost", port, &trusting)
    };
    let before = client(&ca).expect("a connection");
    // A file that can't be used changes nothing.
    fs::write(&files.certificate, "no certificate").expect("a file");
    assert!(tls.reload().is_err());
    client(&ca).expect("a connection").ping().expect("an echo");
    let renewed = next.server();
    fs::copy(&renewed.certificate, &files.certificate).expect("a file");
    fs::copy(&renewed.key, &files.key).expect("a file");
    tls.reload().expect("good files");
    assert!(client(&ca).is_err());
    client(&next)
        .expect("a connection")
        .ping()
        .expect("an echo");
    before.ping().expect("an echo");
}

#[test]
fn without_a_test_of_clients_everybody_gets_in_and_it_says_so() {
    let ca = Authority::new("authority");
    assert!(Access::new().is_open());
    assert!(Access::new().tls(tls(&ca.server(), None)).is_open());
    assert!(!Access::new().tls(tls(&ca.server(), Some(&ca))).is_open());
    let server = serve(Access::new());
    connect(server.local_addr().expect("TCP")).expect("a connection");
    drop(TlsClient::builder());
}

#[test]
fn a_secret_that_others_than_its_owner_may_read_or_write_is_refused_with_the_way_out() {
    use std::os::unix::fs::PermissionsExt;
    let ca = Authority::new("authority");
    let path = ca.path().with_file_name("secret");
    fs::write(&path, "correct horse battery staple\n").expect("a file");
    let allow = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its owner");
        Secret::from_file(&path)
    };
    for mode in [0o600, 0o400, 0o711] {
        assert!(allow(mode).is_ok(), "{mode:o}");
    }
    for mode in [0o644, 0o604, 0o602, 0o640, 0o620, 0o660, 0o666, 0o777] {
        let error = allow(mode).expect_err("an exposed secret").to_string();
        let says = |text: &str| error.contains(text);
        assert!(says(&format!("{mode:o}")) && says("chmod go-rw"), "{error}");
    }
}
