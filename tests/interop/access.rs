//! Who gets in, as the program's options say.

use std::time::Duration;

use rpyc_tests::certs::{Authority, Identity, Validity};
use rpyc_tests::server::Signal;
use rpyc_tests::{Script, Server, better_than_stock};

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A script that finds the client's files as `KEY`, `CERT` and `CA`.
fn program(server: &Server, identity: &Identity, authority: &Authority, code: &str) -> Script {
    let names = "KEY, CERT, CA = (os.environ['PEER_' + n] for n in ('KEY', 'CERT', 'CA'))";
    server
        .program(&format!("{names}\n{code}"))
        .variable("PEER_HOST", "127.0.0.1")
        .variable("PEER_KEY", text(&identity.key))
        .variable("PEER_CERT", text(&identity.certificate))
        .variable("PEER_CA", text(&authority.path()))
}

const SSL_CONNECT: &str = "\
import ssl
def ssl_connect(**files):
    return rpyc.classic.ssl_connect(HOST, PORT, ca_certs=CA, cert_reqs=ssl.CERT_REQUIRED, **files)
";

#[test]
fn with_a_ca_only_clients_with_its_certificates_get_in_from_anywhere() {
    if better_than_stock("it has no such options here") {
        return;
    }
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let (identity, ca) = (ours.server(), ours.path());
    // On all addresses, and --insecure isn't asked for.
    let server = Server::with_options(&[
        "--host",
        "0.0.0.0",
        "--ssl-keyfile",
        text(&identity.key),
        "--ssl-certfile",
        text(&identity.certificate),
        "--ssl-cafile",
        text(&ca),
    ]);
    server.wait_for_log("how to connect", |lines| {
        let hint = |line: &&String| line.contains("rpyc.classic.ssl_connect");
        lines.iter().find(hint).map(|_| ())
    });
    let code = format!(
        "{SSL_CONNECT}
with ssl_connect(keyfile=KEY, certfile=CERT) as conn:
    same(conn.modules.os.path.basename('/a/b'), 'b')
    same(conn.eval('6 * 7'), 42)
with raises((OSError, EOFError)):
    ssl_connect().eval('1')
"
    );
    server.succeed(program(&server, &ours.client(), &ours, &code).outcome());
    server.wait_for_log("why", |lines| {
        let why = |line: &&String| line.contains("showed no certificate");
        lines.iter().find(why).map(|_| ())
    });
    let code = format!(
        "{SSL_CONNECT}
with raises((OSError, EOFError)):
    ssl_connect(keyfile=KEY, certfile=CERT).eval('1')
"
    );
    server.succeed(program(&server, &others.client(), &ours, &code).outcome());
}

#[test]
fn sighup_has_the_files_of_tls_read_anew_and_wrong_ones_change_nothing() {
    if better_than_stock("it has no such options here") {
        return;
    }
    let authority = Authority::new("ours");
    let first = authority.sign("first", &["127.0.0.1"], Validity::Now);
    let second = authority.sign("second", &["127.0.0.1"], Validity::Now);
    let mut server = Server::with_options(&[
        "--ssl-keyfile",
        text(&first.key),
        "--ssl-certfile",
        text(&first.certificate),
    ]);
    let shown = |server: &Server| {
        let code = "
sock = __import__('socket').create_connection((HOST, PORT))
context = __import__('ssl').create_default_context(cafile=CA)
with context.wrap_socket(sock, server_hostname='127.0.0.1') as sock:
    print(dict(pair[0] for pair in sock.getpeercert()['subject'])['commonName'])
";
        server.succeed(program(server, &first, &authority, code).outcome())
    };
    assert_eq!(shown(&server), "first");
    std::fs::copy(&second.key, &first.key).expect("copied");
    std::fs::copy(&second.certificate, &first.certificate).expect("copied");
    server.signal(Signal::HUP);
    server.wait_for_log("reading anew", |lines| {
        let anew = |line: &&String| line.contains("read anew");
        lines.iter().find(anew).map(|_| ())
    });
    assert_eq!(shown(&server), "second");
    std::fs::write(&first.certificate, "nonsense").expect("written");
    server.signal(Signal::HUP);
    server.wait_for_log("the refusal", |lines| {
        let refused = |line: &&String| line.contains("stay as they were");
        lines.iter().find(refused).map(|_| ())
    });
    assert_eq!(shown(&server), "second");
    let status = server.stop(Signal::TERM, Duration::from_secs(30));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn an_allow_list_and_a_secret_are_enough_for_an_address_that_others_reach() {
    if better_than_stock("it has no such options here") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "correct horse battery staple\n").expect("written");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&secret, private).expect("private");
    for mode in ["threaded", "pool", "process"] {
        let start = |options: &[&str]| {
            let all = ["--mode", mode, "--host", "0.0.0.0"];
            Server::with_options(&[&all, options].concat())
        };
        let server = start(&["--allow", "127.0.0.0/8"]);
        server.check("same(conn.eval('6 * 7'), 42)");
        assert!(!server.log().contains("whoever reaches"));
        let server = start(&["--allow", "192.0.2.0/24"]);
        server.check_program(
            "
            with raises((OSError, EOFError)):
                connect().eval('1')
            ",
        );
        let server = start(&["--secret-file", text(&secret), "--handshake-timeout", "2"]);
        server.check_program(
            "
            import contextlib, hmac, socket
            from rpyc.core.stream import SocketStream
            sock = socket.create_connection((HOST, PORT))
            challenge = b''
            while len(challenge) < 32:
                challenge += sock.recv(32 - len(challenge))
            sock.sendall(hmac.digest(b'correct horse battery staple', challenge, 'sha256'))
            conn = rpyc.connect_stream(SocketStream(sock))
            same(conn.root.eval('6 * 7'), 42)
            wrong = socket.create_connection((HOST, PORT))
            wrong.sendall(b'x' * 32)
            silent = socket.create_connection((HOST, PORT))
            for sock in wrong, silent:
                with contextlib.suppress(ConnectionResetError):
                    while sock.recv(100):
                        pass
            same(conn.root.eval('6 * 7'), 42)
            ",
        );
        for reason in ["know the secret", "within 2s"] {
            server.wait_for_log(reason, |lines| {
                let told = |line: &&String| line.contains("refused: ") && line.contains(reason);
                lines.iter().find(told).map(|_| ())
            });
        }
    }
}
