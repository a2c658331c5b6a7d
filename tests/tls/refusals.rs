//! Sessions that don't come about: refused in time, with the reason at both sides.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use rpyc_core::transport::{TlsClient, TlsError, TlsServer};
use rpyc_core::{Connector, Error};
use rpyc_tests::certs::{Authority, Identity, Validity};
use rpyc_tests::deadline::PATIENCE;

use crate::bench::{Bench, HANDSHAKE, trusting};

/// The text of an error and of what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[test]
fn a_client_whose_certificate_isnt_accepted_is_told_why_as_the_server_is() {
    let (ca, clients) = (Authority::new("authority"), Authority::new("clients"));
    let bench = Bench::start(&ca.server(), Some(&clients));
    let strangers = Authority::new("strangers");
    let expired = clients.sign("expired", &[], Validity::Past);
    let future = clients.sign("future", &[], Validity::Future);
    let own = clients.self_signed("own", Validity::Now);
    let rows: [(Option<Identity>, &str, &str, &str); 5] = [
        (
            Some(strangers.client()),
            "isn't signed by an authority that is trusted here",
            "unknown_ca",
            "unknown ca",
        ),
        (
            Some(expired),
            "it has expired",
            "certificate_expired",
            "certificate expired",
        ),
        (
            Some(future),
            "isn't valid yet",
            "certificate_expired",
            "certificate expired",
        ),
        (
            Some(own),
            "it is an authority's, as self-signed ones are",
            "bad_certificate",
            "certificate unknown",
        ),
        (
            None,
            "showed no certificate",
            "certificate_required",
            "certificate required",
        ),
    ];
    for (identity, here, there, python) in rows {
        let began = Instant::now();
        let mut builder = trusting(&ca);
        if let Some(identity) = &identity {
            builder = builder.certificate(&identity.certificate, &identity.key);
        }
        let tls = builder.build().expect("good files");
        let refused = Connector::new().connect_tls("localhost", bench.address.port(), &tls);
        let refused = chain(&refused.expect_err("a refusal"));
        assert!(refused.contains(there), "{there}: {refused}");
        let told = bench.refused().to_string();
        assert!(told.contains(here), "{here}: {told}");
        assert!(began.elapsed() < HANDSHAKE);

        let mut files = vec![("CA", ca.path())];
        if let Some(identity) = identity {
            files.extend([("CERT", identity.certificate), ("KEY", identity.key)]);
        }
        let files: Vec<_> = files.iter().map(|(name, path)| (*name, &**path)).collect();
        let code = r#"
            try:
                conn = rpyc.ssl_connect(HOST, PORT, ca_certs=os.environ["CA"],
                    keyfile=os.environ.get("KEY"), certfile=os.environ.get("CERT"))
                conn.root
                print("connected")
            except (ssl.SSLError, EOFError) as error:
                print(error)
        "#;
        let outcome = bench.python(&files, code).outcome().expect("it ends");
        assert!(
            outcome.replace('_', " ").to_lowercase().contains(python),
            "{python}: {outcome}"
        );
        let told = bench.refused().to_string();
        assert!(told.contains(here), "{here}: {told}");
    }
}

#[test]
fn a_server_whose_certificate_isnt_accepted_is_told_why_as_the_client_is() {
    let (ca, others) = (Authority::new("authority"), Authority::new("others"));
    let expired = ca.sign("expired", &["localhost"], Validity::Past);
    let pinned = ca.self_signed("pinned", Validity::Past);
    let rows = [
        (&expired, ca.path(), "it has expired", "has expired"),
        (
            &pinned,
            pinned.certificate.clone(),
            "it has expired",
            "has expired",
        ),
        (
            &ca.server(),
            others.path(),
            "isn't signed by",
            "doesn't trust the authority",
        ),
    ];
    for (identity, trusted, here, there) in rows {
        let bench = Bench::start(identity, None);
        let tls = TlsClient::builder()
            .ca_file(trusted)
            .build()
            .expect("a file");
        let refused = Connector::new().connect_tls("localhost", bench.address.port(), &tls);
        let refused = refused.expect_err("a refusal");
        assert!(matches!(refused, Error::Tls(_)), "{refused:?}");
        assert!(chain(&refused).contains(here), "{}", chain(&refused));
        let told = bench.refused().to_string();
        assert!(told.contains(there), "{told}");
    }
}

#[test]
fn plain_bytes_on_a_tls_port_are_named_and_end_at_once() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    for (bytes, name) in [
        (&b"\0\0\0\x09\x01\x01\x02\x03\x04\x05"[..], "plain RPyC"),
        (b"GET / HTTP/1.1\r\n\r\n", "plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b"\xff\xff\xff\xff", "something else"),
    ] {
        let mut socket = bench.socket();
        socket.write_all(bytes).expect("it listens");
        let mut answer = Vec::new();
        // A reset is as good an end.
        let _ = socket.read_to_end(&mut answer);
        assert_eq!(
            answer, b"",
            "{name}: an answer that no such client understands"
        );
        let told = bench.refused();
        assert!(
            matches!(told, TlsError::NotTls(what) if what.contains(name)),
            "{told}"
        );
    }
}

#[test]
fn a_stock_client_without_tls_on_a_tls_port_fails_at_once() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let code = "
        began = time.monotonic()
        with raises((EOFError, ConnectionError)):
            rpyc.connect(HOST, PORT).root
        assert time.monotonic() - began < PATIENCE / 2
    ";
    bench.python(&[], code).outcome().expect("it fails in time");
    assert!(matches!(bench.refused(), TlsError::NotTls(what) if what.contains("plain RPyC")));
}

#[test]
fn a_tls_client_on_a_plain_port_fails_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let service = std::sync::Arc::new(rpyc_core::VoidService);
            let config = rpyc_core::Config::default();
            let conn = rpyc_core::Connection::open(stream, service, config);
            std::thread::spawn(move || conn.expect("a connection").serve_all());
        }
    });
    let tls = TlsClient::builder().insecure_any_server().build();
    let connector = Connector::new().timeout(Some(PATIENCE));
    let began = Instant::now();
    let refused = connector.connect_tls("localhost", port, &tls.expect("no files"));
    assert!(matches!(refused, Err(Error::Tls(_))), "{refused:?}");
    assert!(began.elapsed() < PATIENCE / 2);
}

#[test]
fn a_silent_client_and_a_silent_server_are_given_up_in_time() {
    let ca = Authority::new("authority");
    let server = ca.server();
    let tls = TlsServer::from_files(&server.certificate, &server.key, None);
    let bench = Bench::of(tls.expect("good files"), Duration::from_millis(200));
    // Not a byte, and one byte of a record: neither holds it up.
    let silent = bench.socket();
    assert!(matches!(bench.refused(), TlsError::TooSlow(_)));
    let mut slow = bench.socket();
    slow.write_all(b"\x16").expect("it listens");
    assert!(matches!(bench.refused(), TlsError::TooSlow(_)));
    drop((silent, slow));

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let tls = TlsClient::builder().insecure_any_server().build();
    let connector = Connector::new().timeout(Some(Duration::from_secs(1)));
    let refused = connector.connect_tls("localhost", port, &tls.expect("no files"));
    let late =
        matches!(&refused, Err(Error::Tls(error)) if matches!(**error, TlsError::TooSlow(_)));
    assert!(late, "{refused:?}");
}

#[test]
fn files_that_cant_be_used_are_named() {
    let ca = Authority::new("authority");
    let (server, other) = (ca.server(), ca.client());
    let nowhere = std::path::Path::new("/no/such/file.pem");
    let text = |result: Result<TlsServer, TlsError>| chain(&result.expect_err("no files"));
    let missing = text(TlsServer::from_files(nowhere, &server.key, None));
    assert!(
        missing.contains("certificate file /no/such/file.pem"),
        "{missing}"
    );
    let no_key = text(TlsServer::from_files(
        &server.certificate,
        &server.certificate,
        None,
    ));
    assert!(no_key.contains("no private key"), "{no_key}");
    let no_ca = text(TlsServer::from_files(
        &server.certificate,
        &server.key,
        Some(&server.key),
    ));
    assert!(no_ca.contains("CA file"), "{no_ca}");
    let unequal = text(TlsServer::from_files(&server.certificate, &other.key, None));
    assert!(unequal.contains("can't be used with the key"), "{unequal}");
}
