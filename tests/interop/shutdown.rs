//! How the server ends.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use rpyc_tests::Server;
use rpyc_tests::server::Signal;

/// With client code that never ends there is a grace; without, the end comes well before it.
const GRACE: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_secs(4);

#[test]
fn sigterm_ends_the_server_with_code_0() {
    let mut server = Server::start();
    assert_eq!(
        server.stop(Signal::TERM, SOON).code(),
        Some(0),
        "{}",
        server.log()
    );
}

#[test]
fn sigint_ends_the_server_with_code_0() {
    let mut server = Server::start();
    assert_eq!(
        server.stop(Signal::INT, SOON).code(),
        Some(0),
        "{}",
        server.log()
    );
}

#[track_caller]
fn ends_with_idle_clients(signal: Signal) {
    let mut server = Server::start();
    let mut silent: Vec<TcpStream> = (0..20).map(|_| server.raw_connection()).collect();
    let idle = server
        .client(
            "
            xs = conn.eval('[]')
            say('idle')
            with raises(EOFError):
                while True:
                    conn.serve(PATIENCE)
            say('noticed')
            ",
        )
        .spawn();
    idle.wait_for("idle");
    assert_eq!(
        server.stop(signal, SOON).code(),
        Some(0),
        "{}",
        server.log()
    );
    idle.wait_for("noticed");
    for socket in &mut silent {
        // A client may be told of the end, by a CLOSE, before it comes.
        let mut last = Vec::new();
        let _ = socket.read_to_end(&mut last);
        assert!(
            last.is_empty() || last.ends_with(b"\n"),
            "cut off: {last:?}"
        );
    }
    assert!(
        TcpStream::connect(server.address()).is_err(),
        "somebody still listens"
    );
}

#[test]
fn sigterm_ends_the_server_with_idle_clients_connected() {
    ends_with_idle_clients(Signal::TERM);
}

#[test]
fn sigint_ends_the_server_with_idle_clients_connected() {
    ends_with_idle_clients(Signal::INT);
}

#[test]
fn sigterm_ends_the_server_in_spite_of_client_code_that_never_ends() {
    let mut server = Server::start();
    let looping = server
        .program(
            r#"
            conn = connect()
            say('loops')
            with raises(EOFError):
                conn.execute('while True: pass')
            "#,
        )
        .spawn();
    looping.wait_for("loops");
    server.check("conn.ping()");
    assert_eq!(
        server.stop(Signal::TERM, GRACE).code(),
        Some(0),
        "{}",
        server.log()
    );
    server.succeed(looping.finish());
}

#[test]
fn a_client_that_uses_a_connection_after_the_servers_end_gets_an_eof_error() {
    let mut server = Server::start();
    let client = server
        .client(
            r#"
            xs = conn.eval('[]')
            say('ready')
            with raises(EOFError):
                while True:
                    xs.append(1)
            with raises(EOFError):
                conn.eval('1')
            "#,
        )
        .spawn();
    client.wait_for("ready");
    server.stop(Signal::TERM, GRACE);
    server.succeed(client.finish());
}
