//! Which addresses are listened on, and what the log says of them.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn each_family_finds_the_server_where_its_options_say() {
    if better_than_stock("it has no such options here") {
        return;
    }
    let serves = |options: &[&str], address: &str, clients: &str| {
        let server = Server::with_options(options);
        // The line of the log, with the port that was free.
        let listening = server.address();
        assert!(listening.port() != 0, "{listening}");
        assert_eq!(listening.ip().to_string(), address, "{options:?}");
        let loop_over = format!(
            "for host, ipv6 in {clients}:
                with rpyc.classic.connect(host, PORT, ipv6=ipv6) as conn:
                    same(conn.eval('6 * 7'), 42)
            "
        );
        server.check_program(&loop_over);
        let refused = "import socket
for family, host in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'):
    with socket.socket(family) as sock:
        print(sock.connect_ex((host, PORT)) == 0)";
        server.check_program(refused)
    };
    let v4 = "[('127.0.0.1', False), ('localhost', False)]";
    let v6 = "[('::1', True)]";
    let both = "[('127.0.0.1', False), ('::1', True)]";
    // Only this machine's programs, unless something else is asked for.
    assert_eq!(serves(&[], "127.0.0.1", v4), "True\nFalse");
    assert_eq!(
        serves(&["--host", "localhost"], "127.0.0.1", v4),
        "True\nFalse"
    );
    assert_eq!(serves(&["--ipv6"], "::1", v6), "False\nTrue");
    let everywhere = ["--insecure", "--host", "0.0.0.0"];
    assert_eq!(serves(&everywhere, "0.0.0.0", v4), "True\nFalse");
    let everywhere = ["--insecure", "--host", "::"];
    assert_eq!(serves(&everywhere, "::", both), "True\nTrue");
    let everywhere = ["--insecure", "--ipv6", "--host", "[::]"];
    assert_eq!(serves(&everywhere, "::", both), "True\nTrue");
}

#[test]
fn sockets_of_clients_send_at_once_and_are_asked_after_by_the_system() {
    if better_than_stock("it does neither") {
        return;
    }
    // On, in seconds: the silence, from question to question; how many; and TCP_NODELAY.
    for (options, expected) in [
        (&[][..], "[1, 60, 5, 3, 1]"),
        (&["--keepalive", "7"], "[1, 7, 5, 3, 1]"),
        (&["--keepalive", "0"], "[0, None, None, None, 1]"),
    ] {
        for mode in ["threaded", "pool", "process"] {
            let server = Server::with_options(&[&["--mode", mode], options].concat());
            let options = server.check(
                "
                conn.execute('''
                import os, socket
                def options(port):
                    for fd in os.listdir('/proc/self/fd'):
                        try:
                            sock = socket.socket(fileno=os.dup(int(fd)))
                            peer = sock.getpeername()
                        except OSError:
                            continue
                        if peer[1:2] == (port,):
                            tcp = socket.IPPROTO_TCP
                            on = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                            names = 'TCP_KEEPIDLE', 'TCP_KEEPINTVL', 'TCP_KEEPCNT'
                            times = [sock.getsockopt(tcp, getattr(socket, n)) for n in names]
                            nodelay = sock.getsockopt(tcp, socket.TCP_NODELAY)
                            return str([on, *(times if on else [None] * 3), nodelay])
                '''.replace('\\n                ', '\\n'))
                print(conn.namespace['options'](local_port(conn)))
                ",
            );
            assert_eq!(options, expected, "{mode}");
        }
    }
}
