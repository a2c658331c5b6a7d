//! How the server ends.

use std::io::Read;
use std::net::TcpStream;

use rpyc_tests::Server;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::server::Signal;

#[test]
fn sigint_ends_the_server_at_once_with_idle_clients_connected() {
    // The end without client code that runs isn't that of the grace: this one is longer than what is
    // waited for.
    let mut server = Server::with_options(&["--grace", "1000"]);
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
        server.stop(Signal::INT, PATIENCE).code(),
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
    server.stop(Signal::TERM, PATIENCE);
    server.succeed(client.finish());
}
