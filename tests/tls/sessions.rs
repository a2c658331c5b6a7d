//! What a session lives through: odd records, many of it, ends of all kinds.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use rpyc_core::error::CloseReason;
use rpyc_core::transport::{TlsClient, memory_pair};
use rpyc_core::{Config, Connection, Connector, VoidService};
use rpyc_tests::certs::Authority;
use rpyc_tests::child::Child;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::python::Running;

use crate::bench::{Bench, exercise, python_server, trusting};

#[test]
fn many_sessions_leave_no_descriptor_behind() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let tls = trusting(&ca).build().expect("a file");
    let descriptors = || fs::read_dir("/proc/self/fd").expect("a list").count();
    let session = || {
        let conn = Connector::new()
            .connect_tls("localhost", bench.address.port(), &tls)
            .expect("a connection");
        conn.ping().expect("an echo");
        conn.close().expect("a close");
        bench.closed();
    };
    session();
    let before = descriptors();
    for _ in 0..5000 {
        session();
    }
    let until = Instant::now() + PATIENCE;
    // Other tests of this process come and go with their own.
    while descriptors() > before + 100 {
        assert!(
            Instant::now() < until,
            "{} descriptors were {before}",
            descriptors()
        );
        thread::yield_now();
    }
}

#[test]
fn records_that_come_a_byte_at_a_time_are_understood() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let (here, there) = memory_pair();
    let address = bench.address;
    // Between client and server: one byte a write towards the server.
    thread::spawn(move || {
        use rpyc_core::transport::Stream;
        let socket = TcpStream::connect(address).expect("it listens");
        socket.set_nodelay(true).expect("an option");
        let there = std::sync::Arc::new(there);
        let (back, from) = (there.clone(), socket.try_clone().expect("a handle"));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let slice = std::io::IoSlice::new(&buffer[..count]);
                if back.write_vectored(&[slice]).is_err() {
                    return;
                }
            }
            back.shutdown();
        });
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = there.read(&mut buffer) {
            for byte in &buffer[..count] {
                if (&socket).write_all(&[*byte]).is_err() {
                    return;
                }
            }
        }
        let _ = socket.shutdown(std::net::Shutdown::Both);
    });
    let tls = trusting(&ca).build().expect("a file");
    let stream = tls
        .connect(here, "localhost", Some(PATIENCE))
        .expect("a session");
    let conn = Connection::open(stream, std::sync::Arc::new(VoidService), Config::default());
    let conn = conn.expect("a connection");
    conn.ping().expect("an echo");
    conn.close().expect("a close");
    assert!(bench.closed().is_normal());
}

#[test]
fn plaintext_records_of_one_byte_are_understood() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let code = r#"
        conn = rpyc.ssl_connect(HOST, PORT, ca_certs=os.environ["CA"])
        sock = conn._channel.stream.sock
        class ByBytes:
            def send(self, data):
                for byte in bytes(data):
                    sock.send(bytes([byte]))
                return len(data)
            def __getattr__(self, name):
                return getattr(sock, name)
        conn._channel.stream.sock = ByBytes()
        same(conn.root.echo("x" * 500), "x" * 500)
        conn.close()
    "#;
    let outcome = bench.python(&[("CA", &ca.path())], code).outcome();
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(bench.closed().is_normal());
}

#[test]
fn the_end_of_a_session_is_an_end_with_and_without_close_notify() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    for end in ["sock.unwrap()", "os._exit(0)"] {
        let code = format!(
            "
            import socket
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(socket.create_connection((HOST, PORT)))
            {end}
            os._exit(0)
            "
        );
        bench.python(&[], &code).outcome().expect("it ends");
        let reason = bench.closed();
        assert!(matches!(reason, CloseReason::Eof), "{end}: {reason}");
    }
}

#[test]
fn this_side_says_close_notify() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let code = r#"
        context = ssl.create_default_context(cafile=os.environ["CA"])
        import socket
        sock = context.wrap_socket(socket.create_connection((HOST, PORT)), server_hostname="localhost",
                                   suppress_ragged_eofs=False)
        # What isn't the protocol ends the connection; without close_notify recv would raise.
        sock.sendall(b"\xff" * 10)
        same(sock.recv(100), b"")
    "#;
    let outcome = bench.python(&[("CA", &ca.path())], code).outcome();
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(!bench.closed().is_normal());
}

#[test]
fn damaged_records_end_the_session_with_an_alert() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let code = r#"
        context = ssl.create_default_context(cafile=os.environ["CA"])
        import socket
        plain = socket.create_connection((HOST, PORT))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(100_000))
        plain.sendall(outgoing.read())
        session.write(b"\0\0\0\1\0\1\n")
        record = bytearray(outgoing.read())
        record[-1] ^= 1
        plain.sendall(record)
        with raises(ssl.SSLError, "bad record mac"):
            while True:
                got = plain.recv(100_000)
                incoming.write(got) if got else incoming.write_eof()
                try:
                    if session.read(100) == b"":
                        break
                except ssl.SSLWantReadError:
                    pass
    "#;
    let outcome = bench.python(&[("CA", &ca.path())], code).outcome();
    assert!(outcome.is_ok(), "{outcome:?}");
    let reason = bench.closed();
    assert!(matches!(reason, CloseReason::Io(_)), "{reason}");
}

/// A connection to Python's server, and that.
fn python_connection() -> (Running, Connection) {
    let ca = Authority::new("authority");
    let (process, port) = python_server(&ca.server(), None);
    let tls = trusting(&ca).build().expect("a file");
    let connected = Connector::new().connect_tls("localhost", port, &tls);
    (process, connected.expect("a connection"))
}

#[test]
fn a_blocked_reader_is_woken_by_the_end_of_its_own_side() {
    let (_process, conn) = python_connection();
    let serving = conn.clone();
    let reader = thread::spawn(move || serving.serve_all());
    conn.close().expect("a close");
    assert!(reader.join().expect("no panic").is_normal());
}

#[test]
fn two_sides_that_send_much_at_once_dont_block_each_other() {
    let (_process, conn) = python_connection();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let conn = conn.clone();
            thread::spawn(move || exercise(&conn))
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

/// `openssl s_client` with these options: each input goes in when the text beside it has been
/// printed. Returns all that was printed when the server has ended the session.
fn openssl(bench: &Bench, options: &[&str], inputs: &[(&str, &str)]) -> String {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &bench.address.to_string()])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Child::spawn(&mut command).expect("the tests of TLS need openssl");
    let (sender, pieces) = mpsc::channel();
    let outputs: [Box<dyn Read + Send>; 2] = [
        Box::new(child.stdout.take().expect("a pipe")),
        Box::new(child.stderr.take().expect("a pipe")),
    ];
    for mut output in outputs {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                let _ = sender.send(String::from_utf8_lossy(&buffer[..count]).into_owned());
            }
        });
    }
    drop(sender);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut text = String::new();
    for (awaited, input) in inputs {
        while !text.contains(awaited) {
            let piece = pieces.recv_timeout(PATIENCE);
            text.push_str(&piece.unwrap_or_else(|_| panic!("no {awaited:?} in {text}")));
        }
        stdin.write_all(input.as_bytes()).expect("it reads");
    }
    // It stays until the server ends the session.
    let ended = bench.ends.recv_timeout(PATIENCE);
    drop(stdin);
    text.extend(pieces.iter());
    // It has closed its output.
    let _ = child.wait();
    assert!(ended.is_ok(), "the session hasn't ended: {text}");
    text
}

#[test]
fn renegotiation_gets_no_further_than_its_own_session() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let text = openssl(&bench, &["-tls1_2"], &[("Verify return code", "R\n")]);
    assert!(
        text.contains("RENEGOTIATING") || text.contains("enegotiation"),
        "{text}"
    );
    let tls = TlsClient::builder().insecure_any_server().build();
    let conn =
        Connector::new().connect_tls("localhost", bench.address.port(), &tls.expect("no files"));
    conn.expect("a connection").ping().expect("an echo");
}

#[test]
fn there_are_no_session_tickets_and_so_no_early_data() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    let text = openssl(
        &bench,
        &["-tls1_3"],
        &[("Verify return code", "this is no frame\n")],
    );
    assert!(text.contains("TLSv1.3"), "{text}");
    assert!(
        !text.contains("Post-Handshake New Session Ticket"),
        "{text}"
    );
    assert!(
        text.contains("Early data was not sent") || !text.contains("Max Early Data"),
        "{text}"
    );
}

#[test]
fn key_updates_of_the_peer_are_followed() {
    let ca = Authority::new("authority");
    let bench = Bench::start(&ca.server(), None);
    // K: a key update that asks for another in return.
    let text = openssl(
        &bench,
        &["-tls1_3"],
        &[
            ("Verify return code", "K\n"),
            ("KEYUPDATE", "this is no frame\n"),
        ],
    );
    // It was understood under the new key: the server has no quarrel but with the frame.
    assert!(!text.contains("alert"), "{text}");
}
