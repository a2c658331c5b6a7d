//! Sessions that work: who is believed, and what goes over them.

use rpyc_core::transport::TlsClient;
use rpyc_core::{Connector, args};
use rpyc_tests::certs::{Authority, Validity};

use crate::bench::{Bench, exercise, python_server, trusting};

/// What a Python client does with the service, and what it does on end: over records that hold
/// more than a frame it would wait for its time-out.
const PYTHON_EXERCISE: &str = r#"
    root = conn.root
    same(root.echo("hello"), "hello")
    bulk = bytes(5_000_000)
    same(root.length(bulk), len(bulk))
    same(root.echo(bulk), bulk)
    counted = []
    same(root.call(counted.append, 50), 50)
    same(counted, list(range(50)))
    began = time.monotonic()
    echo = rpyc.async_(root.echo)
    results = [echo(number) for number in range(200)]
    for number, result in enumerate(results):
        result.set_expiry(PATIENCE)
        same(result.value, number)
    assert time.monotonic() - began < PATIENCE / 2, "the client has waited for records"
    conn.close()
    print("all done")
"#;

#[track_caller]
fn all_done(outcome: Result<String, String>) {
    assert_eq!(outcome.as_deref().map(str::trim), Ok("all done"));
}

#[test]
fn a_python_client_that_verifies_the_server_is_served() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let connect = "conn = rpyc.ssl_connect(HOST, PORT, ca_certs=os.environ['CA'])\n";
    let code = format!("{connect}{}", rpyc_tests::python::dedent(PYTHON_EXERCISE));
    all_done(bench.python(&[("CA", &ca.path())], &code).outcome());
    assert!(bench.closed().is_normal());
}

#[test]
fn a_python_client_with_a_certificate_is_served_where_one_is_required() {
    let (ca, clients) = (Authority::new("authority"), Authority::new("clients"));
    let (bench, client) = (Bench::start(&ca.server(), Some(&clients)), clients.client());
    let files = [
        ("CA", &*ca.path()),
        ("CERT", &*client.certificate),
        ("KEY", &*client.key),
    ];
    let connect = "conn = rpyc.ssl_connect(HOST, PORT, ca_certs=os.environ['CA'],\n    keyfile=os.environ['KEY'], certfile=os.environ['CERT'])\n";
    let code = format!("{connect}{}", rpyc_tests::python::dedent(PYTHON_EXERCISE));
    all_done(bench.python(&files, &code).outcome());
    assert!(bench.closed().is_normal());
}

#[test]
fn a_python_client_with_tls_1_2_is_served() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let connect = "conn = rpyc.ssl_connect(HOST, PORT, ssl_version=ssl.PROTOCOL_TLSv1_2)\n";
    let code = format!("{connect}{}", rpyc_tests::python::dedent(PYTHON_EXERCISE));
    all_done(bench.python(&[], &code).outcome());
}

#[test]
fn a_rust_client_verifies_a_rust_server_and_shows_its_certificate() {
    let (ca, clients) = (Authority::new("authority"), Authority::new("clients"));
    let bench = Bench::start(&ca.server(), Some(&clients));
    let client = clients.client();
    let tls = trusting(&ca).certificate(&client.certificate, &client.key);
    let tls = tls.build().expect("good files");
    for host in ["localhost", "127.0.0.1"] {
        let conn = Connector::new()
            .connect_tls(host, bench.address.port(), &tls)
            .expect("a connection");
        exercise(&conn);
        conn.close().expect("a close");
        assert!(bench.closed().is_normal());
    }
}

#[test]
fn a_rust_client_verifies_a_python_server_and_shows_its_certificate() {
    let (ca, clients) = (Authority::new("authority"), Authority::new("clients"));
    for asks in [None, Some(&clients)] {
        let (_process, port) = python_server(&ca.server(), asks);
        let client = clients.client();
        let tls = trusting(&ca).certificate(&client.certificate, &client.key);
        let tls = tls.build().expect("good files");
        let conn = Connector::new()
            .connect_tls("localhost", port, &tls)
            .expect("a connection");
        exercise(&conn);
        let whoami = conn
            .root()
            .and_then(|root| root.call_method("whoami", args![]));
        let whoami = whoami.and_then(|text| text.extract::<String>());
        let named = whoami.is_ok_and(|text| text.contains("client"));
        assert_eq!(named, asks.is_some());
        conn.close().expect("a close");
    }
}

#[test]
fn a_certificate_in_the_ca_file_is_trusted_for_itself() {
    let ca = Authority::new("authority");
    let server = ca.self_signed("server", Validity::Now);
    let client = ca.self_signed("client", Validity::Now);
    let clients = rpyc_core::transport::TlsServer::from_files(
        &server.certificate,
        &server.key,
        Some(&client.certificate),
    );
    let bench = Bench::of(clients.expect("good files"), crate::bench::HANDSHAKE);
    let tls = TlsClient::builder()
        .ca_file(&server.certificate)
        .certificate(&client.certificate, &client.key)
        .build()
        .expect("good files");
    let conn = Connector::new()
        .connect_tls("localhost", bench.address.port(), &tls)
        .expect("a connection");
    exercise(&conn);
    // A Python client takes and shows them, too.
    let files = [
        ("CA", &*server.certificate),
        ("CERT", &*client.certificate),
        ("KEY", &*client.key),
    ];
    let code = "
        conn = rpyc.ssl_connect(HOST, PORT, ca_certs=os.environ['CA'],
                                keyfile=os.environ['KEY'], certfile=os.environ['CERT'])
        same(conn.root.echo(1), 1)
        print('all done')
    ";
    all_done(bench.python(&files, code).outcome());
}

#[test]
fn a_name_that_the_certificate_is_not_for_is_taken_by_an_explicit_option_alone() {
    let ca = Authority::new("authority");
    let named = ca.sign("named", &["rpyc.example.org"], Validity::Now);
    let bench = Bench::start(&named, None);
    let port = bench.address.port();
    let refused =
        Connector::new().connect_tls("localhost", port, &trusting(&ca).build().expect("a file"));
    let text = format!("{:?}", refused.as_ref().err());
    assert!(text.contains("rpyc.example.org"), "{text}");
    drop(bench.refused());
    let builders = [
        trusting(&ca).server_name("rpyc.example.org"),
        trusting(&ca).any_server_name(),
        TlsClient::builder().insecure_any_server(),
    ];
    for builder in builders {
        let tls = builder.build().expect("a file");
        let conn = Connector::new().connect_tls("localhost", port, &tls);
        conn.expect("a connection").ping().expect("an echo");
    }
}

#[test]
fn a_python_client_sees_one_frame_a_record() {
    // Frames that were queued together: replies to requests that came in one write.
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let code = r#"
        conn = rpyc.ssl_connect(HOST, PORT, ca_certs=os.environ["CA"])
        echo = rpyc.async_(conn.root.echo)
        # All requests in one record; the channel reads a frame at a time.
        sock = conn._channel.stream.sock
        sent = []
        class Gather:
            def send(self, data):
                sent.append(bytes(data))
                return len(data)
            def __getattr__(self, name):
                return getattr(sock, name)
        conn._channel.stream.sock = Gather()
        results = [echo(number) for number in range(20)]
        conn._channel.stream.sock = sock
        sock.sendall(b"".join(sent))
        for number, result in enumerate(results):
            result.set_expiry(PATIENCE)
            same(result.value, number)
            assert sock.pending() == 0, "a record held more than a frame"
        print("all done")
    "#;
    all_done(bench.python(&[("CA", &ca.path())], code).outcome());
}
