//! What programs do with a server of theirs: where it listens, who its clients are, which registry it tells.

use rpyc_tests::certs::Authority;
use rpyc_tests::registry::Registry;

use crate::embedded::check;

#[test]
fn the_attributes_of_a_server_are_those_of_pythons() {
    let written = check(
        r#"
        import rpyc.utils.server as stock, socket, tempfile
        def wait(condition):
            while not condition(): threading.Event().wait(0.01)
        said = []
        for module in stock, rpyc_rs:
            server = module.ThreadedServer(lab.Counter, hostname="127.0.0.1", port=0, backlog=7)
            facts = [server.active, server.host, type(server.port).__name__, server.backlog, len(server.clients)]
            listen(server)
            thread = in_thread(server)
            wait(lambda: server.active)
            conns = [rpyc.connect("127.0.0.1", server.port) for _ in range(3)]
            for conn in conns: conn.root.next()
            addresses = [socket.socket.getsockname(conn._channel.stream.sock) for conn in conns]
            wait(lambda: len(server.clients) == 3)
            facts += [bool(server.clients), sorted(c.getpeername() for c in server.clients) == sorted(addresses)]
            facts += [next(iter(server.clients)) in server.clients, len(server.clients.copy()), len(set(server.clients))]
            # As a program ends the clients and goes on serving.
            conns[0].close()
            wait(lambda: len(server.clients) == 2)
            for client in set(server.clients):
                try: client.shutdown(socket.SHUT_RDWR)
                except OSError: pass
                client.close()
            for conn in conns[1:]:
                try: facts.append(conn.root.next())
                except EOFError: facts.append("closed")
            facts.append(rpyc.connect("127.0.0.1", server.port).root.next())
            server.close()
            thread.join(30)
            facts += [server.active, server.auto_register, type(server.registrar).__name__]
            said.append(facts)
            path = tempfile.mkdtemp() + "/socket"
            server = module.ThreadedServer(lab.Counter, socket_path=path)
            facts += [server.host, server.port == path]
            listen(server)
            thread = in_thread(server)
            wait(lambda: server.active)
            facts.append(rpyc.utils.factory.unix_connect(path).root.next())
            facts.append([c.getpeername() for c in server.clients])
            server.close()
            thread.join(30)
            try: module.ThreadedServer(lab.Counter, socket_path=path, port=1)
            except ValueError: facts.append("one place")
        assert said[0] == said[1], said
        print(said[0])
        "#,
    );
    assert!(
        written.starts_with("[False, '127.0.0.1', 'int', 7, 0, True, True, True, 3, 3, "),
        "{written}"
    );
}

#[test]
fn a_client_is_ended_while_its_request_runs_and_by_a_request_of_its_own() {
    let written = check(
        r#"
        class Ends(rpyc.Service):
            def exposed_ends_all(self):
                for client in server.clients: client.close()
            def exposed_waits(self):
                started.set()
                is_over.wait(60)
        started, is_over = threading.Event(), threading.Event()
        server = rpyc_rs.ThreadedServer(Ends)
        server.start_in_thread()
        busy = rpyc.connect("127.0.0.1", server.port)
        waits = rpyc.async_(busy.root.waits)()
        started.wait(60)
        (client,) = server.clients
        client.close()
        try: waits.wait()
        except EOFError: print("closed")
        client.close()  # it is gone
        is_over.set()
        try: rpyc.connect("127.0.0.1", server.port).root.ends_all()
        except EOFError: print("closed")
        while server.clients: pass
        server.close()
        print(len(server.clients), server.clients)
        "#,
    );
    assert_eq!(written, "closed\nclosed\n0 set()");
}

#[test]
fn backlog_and_reuse_addr_are_those_of_the_socket_that_listens() {
    let written = check(
        r#"
        import shutil
        # Of a socket that listens it is the third column.
        def backlog(server):
            output = subprocess.run(["ss", "-Hltn", f"sport = :{server.port}"], stdout=subprocess.PIPE, text=True)
            return int(output.stdout.split()[2])
        if shutil.which("ss"):
            with rpyc_rs.ThreadedServer(lab.Counter, backlog=3) as server:
                assert backlog(server) == 3, backlog(server)
        # The side that closes first keeps the port for a while.
        def used(**options):
            server = rpyc_rs.ThreadedServer(lab.Counter, **options)
            server.start_in_thread()
            conn = rpyc.connect("127.0.0.1", server.port)
            conn.root.next()
            server.close()
            return server.port, conn
        port, _ = used()
        rpyc_rs.ThreadedServer(lab.Counter, port=port).close()
        port, kept = used(reuse_addr=False)
        try: rpyc_rs.ThreadedServer(lab.Counter, port=port, reuse_addr=False)
        except OSError as error: print(error.strerror)
        "#,
    );
    assert_eq!(written, "Address already in use");
}

#[test]
fn registry_clients_say_the_same_as_pythons_of_either_registry() {
    for transport in ["udp", "tcp"] {
        let registry = Registry::start(&["--host", "127.0.0.1", "--listing", "-m", transport]);
        let written = check(&format!(
            r#"
            import logging, rpyc.utils.registry as stock
            logging.disable(logging.CRITICAL)
            PORT, NAME = {}, "{}RegistryClient"
            for module in stock, rpyc_rs:
                client = getattr(module, NAME)("127.0.0.1", port=PORT, timeout=30)
                facts = [client.discover("nobody"), client.register(("LAMP", "LIGHT"), 4000, "127.0.0.1")]
                facts += [client.discover("lamp"), client.list(), client.list("127.0.0.1"), client.list("192.0.2.1")]
                facts.append(client.unregister(4000))
                # Python's doesn't wait for the registry's answer.
                while client.discover("lamp"): pass
                facts += [client.REREGISTER_INTERVAL, client.ip, client.port == PORT, client.timeout]
                # Nobody is there.
                client = getattr(module, NAME)("127.0.0.1", port=1, timeout=0.1)
                for ask in lambda: client.discover("x"), lambda: client.register(("A",), 5), lambda: client.unregister(5):
                    try: facts.append(ask())
                    except OSError as error: facts.append(type(error).__name__)
                print(facts)
            "#,
            registry.address().port(),
            transport.to_uppercase(),
        ));
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines[0], lines[1], "{transport}");
        assert!(lines[0].contains("(('127.0.0.1', 4000),)"), "{written}");
    }
}

#[test]
fn a_server_is_found_by_its_names_and_gone_from_the_registry_when_it_is_closed() {
    let registry = Registry::start(&["--host", "127.0.0.1"]);
    let written = check(&format!(
        r#"
        import logging
        registrar = rpyc_rs.UDPRegistryClient("127.0.0.1", port={}, timeout=30)
        server = rpyc_rs.ThreadedServer(lab.MagnetService, registrar=registrar)
        assert server.auto_register and server.registrar is registrar
        server.start_in_thread()
        while not registrar.discover("COIL"): pass
        print(registrar.discover("magnet") == (("127.0.0.1", server.port),))
        server.close()
        print(registrar.discover("magnet"))
        # One that isn't there is no reason not to serve, nor to wait at the end.
        logging.disable(logging.CRITICAL)
        nobody = rpyc_rs.TCPRegistryClient("127.0.0.1", port=1, timeout=30)
        with rpyc_rs.ThreadedServer(lab.Counter, registrar=nobody) as server:
            server.start_in_thread()
            print(rpyc.connect("127.0.0.1", server.port).root.next())
        for options in dict(interface="nowhere"), dict(aliases=()):
            try: registrar.register(**{{"aliases": ("A",), "port": 5, **options}})
            except ValueError as error: print(error)
        "#,
        registry.address().port(),
    ));
    assert!(
        written.starts_with("True\n()\n1\ninterface: nowhere is no IP address"),
        "{written}"
    );
}

#[test]
fn the_authenticator_for_tls_lets_in_whom_pythons_lets_in() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    let (server, client, other) = (authority.server(), authority.client(), stranger.client());
    let written = check(&format!(
        r#"
        import rpyc.utils.server, rpyc.utils.authenticators, rpyc_rs.utils.server, rpyc_rs.utils.authenticators, logging
        logging.disable(logging.CRITICAL)
        class Who(rpyc.Service):
            def on_connect(self, conn):
                self.who = conn._config["credentials"]
            def exposed_who(self):
                return str(self.who and self.who["subject"])
        AUTHORITY, KEY, CERTIFICATE = {:?}, {:?}, {:?}
        CLIENTS = (None, None), ({:?}, {:?}), ({:?}, {:?})
        said = []
        for module in rpyc, rpyc_rs:
            for authority in None, AUTHORITY:
                let_in = module.utils.authenticators.SSLAuthenticator(KEY, CERTIFICATE, authority)
                server = module.utils.server.ThreadedServer(Who, hostname="127.0.0.1", port=0, authenticator=let_in)
                listen(server)
                thread = in_thread(server)
                for key, certificate in CLIENTS:
                    try:
                        conn = rpyc.ssl_connect("127.0.0.1", server.port, key, certificate, ca_certs=AUTHORITY)
                        said.append(conn.root.who())
                        conn.close()
                    except (EOFError, OSError):
                        said.append("refused")
                server.close()
                thread.join(30)
        assert said[:6] == said[6:], said
        print(said[:6])
        "#,
        authority.path(),
        server.key,
        server.certificate,
        client.key,
        client.certificate,
        other.key,
        other.certificate,
    ));
    assert!(
        written.starts_with("['None', 'None', 'None', 'refused', "),
        "{written}"
    );
    assert!(written.ends_with(", 'refused']"), "{written}");
}
