//! What the server logs about its sessions.

use std::net::SocketAddr;

use rpyc_tests::server::{is_warning, names_peer};
use rpyc_tests::{Server, better_than_stock};

/// The lines of the log about the client with this port, once there are `count` of them.
#[track_caller]
fn lines_about(server: &Server, port: &str, count: usize) -> Vec<String> {
    let peer: SocketAddr = format!("127.0.0.1:{port}")
        .parse()
        .unwrap_or_else(|e| panic!("the port {port:?}: {e}"));
    server.wait_for_log(&format!("{count} lines about {peer}"), |lines| {
        let of_peer = lines.iter().filter(|line| names_peer(line, peer));
        let found: Vec<String> = of_peer.cloned().collect();
        (found.len() >= count).then_some(found)
    })
}

#[test]
fn twenty_sessions_of_every_kind_are_two_lines_each_and_no_warning() {
    if better_than_stock("it logs more lines, without the port") {
        return;
    }
    let server = Server::start();
    let ports = server.check_program(
        r#"
        for i in range(20):
            with connect() as conn:
                same(list(conn.eval('iter([1, 2])')), [1, 2])
                for text in ('1 / 0', 'next(iter(()))', 'undefined', '{}[1]', '__import__("sys").exit(1)'):
                    with raises(BaseException):
                        conn.eval(text)
                with raises(AttributeError):
                    conn.eval('[]').nothing
                assert not isinstance(conn.root, int)
                conn.eval('lambda f: f()')(lambda: None)
                print(local_port(conn))
        "#,
    );
    for port in ports.lines() {
        let lines = lines_about(&server, port, 2);
        let [start, end] = lines.as_slice() else {
            panic!("more than two lines:\n{}", server.log());
        };
        let connid = |line: &str| {
            let mut words = line.split_whitespace();
            words
                .find(|word| word.starts_with("conn"))
                .map(str::to_owned)
        };
        assert!(connid(start).is_some(), "no connection id: {start}");
        assert_eq!(connid(start), connid(end));
        assert!(end.contains("close"), "no reason: {end}");
    }
    let log = server.log();
    let warnings: Vec<&str> = log.lines().filter(|line| is_warning(line)).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}

#[test]
fn a_client_that_is_killed_is_logged_by_its_start_and_its_end() {
    if better_than_stock("it logs more lines, without the port") {
        return;
    }
    let server = Server::start();
    let victim = server
        .client("conn.execute('import string')\nconn.modules.string.port = local_port(conn)\nsay('ready')\nthreading.Event().wait()")
        .spawn();
    victim.wait_for("ready");
    let port = server.check("print(conn.modules.string.port)");
    victim.kill();
    assert_eq!(lines_about(&server, &port, 2).len(), 2, "{}", server.log());
}
