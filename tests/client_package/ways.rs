//! Ways to a server.

use rpyc_tests::Server;
use rpyc_tests::certs::Authority;
use rpyc_tests::registry::Registry;

use crate::{benches, client, same_on, script};

/// The program writes the same with either package.
#[track_caller]
fn same(code: &str, arguments: &[String]) -> String {
    let by = |peer| client(peer, code, arguments).unwrap_or_else(|failure| panic!("{failure}"));
    let expected = by("rpyc");
    assert_eq!(by("rpyc_rs"), expected);
    expected
}

#[test]
fn streams_threads_and_pipes_are_connected_over() {
    same_on(
        benches(),
        r#"
        from importlib import import_module
        import socket
        stream = import_module(rpyc.__name__ + ".core.stream")
        print(rpyc.connect_stream(stream.SocketStream.connect(HERE, port())).root.add(1))
        sock = socket.create_connection((HERE, port()))
        print(rpyc.connect_stream(rpyc.SocketStream(sock)).root.add(2))
        channel = rpyc.Channel(rpyc.SocketStream(socket.create_connection((HERE, port()))))
        print(rpyc.connect_channel(channel).root.add(3))
        class Echo(rpyc.Service):
            def exposed_echo(self, x):
                return x
        print(rpyc.connect_thread(remote_service=Echo).root.echo("in a thread"))
        print(rpyc.classic.connect_thread().eval("1 + 1"))
        forth, back = os.pipe(), os.pipe()
        def serve():
            conn = rpyc.connect_pipes(os.fdopen(forth[0], "rb", 0), os.fdopen(back[1], "wb", 0), Echo)
            conn.serve_all()
        threading.Thread(target=serve, daemon=True).start()
        conn = rpyc.connect_pipes(os.fdopen(back[0], "rb", 0), os.fdopen(forth[1], "wb", 0))
        print(conn.root.echo("in pipes"))
        conn.close()
        child = '''if 1:
            import importlib, os
            rpyc = importlib.import_module(os.environ["PEER"])
            class Child(rpyc.Service):
                def exposed_parent(self):
                    return os.getppid()
            conn = rpyc.connect_stdpipes(Child)
            conn.serve_all()
        '''
        conn = rpyc.connect_subproc([sys.executable, "-c", child])
        print(conn.root.parent() == os.getpid(), conn.proc.poll())
        conn.close()
        print(conn.proc.wait() in (0, 120)) # Python's own leaves it without its stdout
        "#,
    );
}

#[test]
fn a_classic_server_is_started_as_a_program_of_its_own() {
    let said = client(
        "rpyc_rs",
        r#"
        conn = rpyc.classic.connect_subproc()
        print(conn.modules.os.getppid() == os.getpid(), conn.modules.sys.version == sys.version)
        conn.close()
        print(conn.proc.wait())
        "#,
        &[],
    );
    assert_eq!(
        said.unwrap_or_else(|failure| panic!("{failure}")),
        "True True\n0"
    );
}

#[test]
fn a_unix_socket_is_connected_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket").to_string_lossy().into_owned();
    let code = format!(
        "
        from importlib import import_module
        rpyc = import_module({:?})
        server = import_module(rpyc.__name__ + '.utils.server')
        served = server.ThreadedServer(rpyc.ClassicService, socket_path={path:?})
        say('there')
        served.start()
        ",
        "rpyc"
    );
    let serving = script("rpyc", &code).serving().spawn();
    serving.wait_for("there");
    let said = same(
        r#"
        conn = wait_until(lambda: os.path.exists(sys.argv[1])) or rpyc.classic.unix_connect(sys.argv[1])
        print(conn.eval("1 + 1"), rpyc.utils.factory.unix_connect(sys.argv[1]).root is not None)
        show("none", rpyc.utils.factory.unix_connect, "/there/is/nothing")
        "#,
        &[path],
    );
    assert!(
        said.starts_with("2 True\nnone raises FileNotFoundError"),
        "{said}"
    );
}

#[test]
fn tls_is_spoken_with_certificates_as_far_as_they_are_asked_for() {
    let server = Server::with_tls(&[]);
    let authority = server.authority().expect("it has one");
    let client_files = authority.client();
    let stranger = Authority::new("somebody else");
    let said = same(
        r#"
        import ssl
        key, cert, ca, other = sys.argv[2:6]
        def connects(**given):
            return rpyc.utils.classic.ssl_connect(HERE, port(), keyfile=key, certfile=cert, **given).eval("1 + 1")
        print(connects(), connects(ca_certs=ca), connects(ca_certs=ca, cert_reqs=ssl.CERT_REQUIRED))
        try:
            connects(ca_certs=other)
        except OSError:
            print("not trusted")
        conn = rpyc.ssl_connect(HERE, port(), keyfile=key, certfile=cert, service=rpyc.ClassicService)
        print(conn.modules.sys.maxsize)
        "#,
        &[
            server.address().port().to_string(),
            client_files.key.to_string_lossy().into_owned(),
            client_files.certificate.to_string_lossy().into_owned(),
            authority.path().to_string_lossy().into_owned(),
            stranger.path().to_string_lossy().into_owned(),
        ],
    );
    assert!(said.contains("not trusted"), "{said}");
}

#[test]
fn servers_are_found_by_name_in_a_registry() {
    let registry = Registry::start(&["--mode", "tcp", "--listing", "true"]);
    let mut arguments = vec![registry.address().port().to_string()];
    arguments.push(benches()[0].port.to_string());
    let said = same(
        r#"
        from importlib import import_module
        registry = import_module(rpyc.__name__ + ".utils.registry")
        client = registry.TCPRegistryClient(HERE, port())
        print(client.register(("BENCH", "OTHER"), port(1)))
        print(rpyc.discover("bench", registrar=client) == ((HERE, port(1)),), sorted(rpyc.list_services(client)))
        conn = rpyc.connect_by_service("BENCH", registrar=client)
        print(conn.root.add(1), len(rpyc.discover("other", host=HERE, registrar=client)))
        show("none", rpyc.discover, "nobody", None, client)
        show("not there", rpyc.discover, "bench", "192.0.2.1", client)
        client.unregister(port(1))
        wait_until(lambda: not client.discover("BENCH"))
        show("gone", rpyc.connect_by_service, "bench", None, client)
        "#,
        &arguments,
    );
    assert!(
        said.starts_with("True\nTrue ('BENCH', 'OTHER')") || said.contains("BENCH"),
        "{said}"
    );
}
