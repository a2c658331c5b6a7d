//! Every function of `rpyc.classic`, each at this server.

use std::fs;
use std::path::Path;

use rpyc_tests::server::{binary, is_stock};
use rpyc_tests::{Script, Server};

/// What `rpyc.classic` has, and the test of this folder that shows it.
const SHOWN_BY: &[(&str, &str)] = &[
    (
        "MockClassicConnection",
        "inside::a_mock_connection_is_the_interpreter_itself",
    ),
    (
        "connect",
        "connecting::connecting_with_keepalive_makes_no_difference",
    ),
    (
        "connect_channel",
        "classic_module::streams_and_channels_of_the_programs_own_lead_to_the_server",
    ),
    (
        "connect_multiprocess",
        "classic_module::python_services_of_threads_and_processes_use_the_server_too",
    ),
    (
        "connect_pipes",
        "classic_module::pipes_lead_to_a_server_on_its_standard_streams",
    ),
    (
        "connect_stdpipes",
        "classic_module::a_child_finds_the_server_on_its_standard_streams",
    ),
    (
        "connect_stream",
        "classic_module::streams_and_channels_of_the_programs_own_lead_to_the_server",
    ),
    (
        "connect_subproc",
        "classic_module::a_server_script_is_started_as_a_child",
    ),
    (
        "connect_thread",
        "classic_module::python_services_of_threads_and_processes_use_the_server_too",
    ),
    (
        "deliver",
        "transfer::deliver_copies_a_local_object_by_value",
    ),
    (
        "download",
        "transfer::folders_go_up_and_down_with_all_they_hold",
    ),
    (
        "download_dir",
        "classic_module::each_way_of_copying_takes_chunks_filters_and_what_is_invalid",
    ),
    (
        "download_file",
        "classic_module::each_way_of_copying_takes_chunks_filters_and_what_is_invalid",
    ),
    (
        "interact",
        "stdio::interact_runs_a_console_of_the_server_at_the_client",
    ),
    ("obtain", "transfer::obtain_copies_a_remote_object_by_value"),
    ("pm", "exceptions::pm_debugs_the_last_exception"),
    (
        "redirected_stdio",
        "stdio::redirected_stdio_covers_all_three_streams_and_gives_them_back",
    ),
    (
        "ssh_connect",
        "classic_module::a_tunnel_leads_to_the_server",
    ),
    (
        "ssl_connect",
        "access::with_a_ca_only_clients_with_its_certificates_get_in_from_anywhere",
    ),
    (
        "teleport_function",
        "getconn::teleporting_bytecode_ends_in_a_type_error_that_says_what_to_do",
    ),
    (
        "unix_connect",
        "classic_module::a_unix_socket_leads_to_the_server",
    ),
    (
        "upload",
        "transfer::folders_go_up_and_down_with_all_they_hold",
    ),
    (
        "upload_dir",
        "classic_module::each_way_of_copying_takes_chunks_filters_and_what_is_invalid",
    ),
    (
        "upload_file",
        "classic_module::each_way_of_copying_takes_chunks_filters_and_what_is_invalid",
    ),
    (
        "upload_module",
        "classic_module::a_module_goes_where_the_servers_python_finds_it",
    ),
    (
        "upload_package",
        "transfer::a_package_of_the_client_is_uploaded_and_imported",
    ),
];

#[test]
fn each_function_of_it_has_a_test() {
    let listed = Script::new(
        "
        import inspect
        assert rpyc.classic is rpyc.utils.classic
        for name, member in vars(rpyc.classic).items():
            if callable(member) and member.__module__ == 'rpyc.utils.classic':
                print(name)
        ",
    );
    let listed = listed.outcome().unwrap_or_else(|reason| panic!("{reason}"));
    let mut names: Vec<&str> = listed.lines().collect();
    names.sort_unstable();
    let shown: Vec<&str> = SHOWN_BY.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, shown);
    for (name, test) in SHOWN_BY {
        let (module, function) = test.split_once("::").expect("a module's test");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("interop/{module}.rs"));
        let source =
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, body) = source
            .split_once(&format!("fn {function}() {{"))
            .unwrap_or_else(|| panic!("{test} isn't there"));
        let body = body.split("\n#[test]").next().unwrap_or_default();
        let called = body.contains(&format!("{name}("));
        assert!(called, "{test} doesn't call {name}");
    }
}

#[test]
fn streams_and_channels_of_the_programs_own_lead_to_the_server() {
    Server::start().check_program(
        "
        import socket
        def stream(): return rpyc.SocketStream(socket.create_connection((HOST, PORT)))
        for conn in (rpyc.classic.connect_stream(stream()), rpyc.classic.connect_channel(rpyc.Channel(stream()))):
            with conn:
                same(conn.eval('lambda f: f(20)')(lambda x: x + 1), 21)
        ",
    );
}

#[test]
fn a_unix_socket_leads_to_the_server() {
    if is_stock() {
        return;
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("socket");
    let path = path.to_str().expect("a plain path");
    let server = Server::with_options(&["--unix", path]);
    let script = server.program(
        "
        with rpyc.classic.unix_connect(sys.argv[1]) as conn:
            same(conn.eval('lambda f: f(20)')(lambda x: x + 1), 21)
            same(conn.modules.os.path.basename('/a/b'), 'b')
        ",
    );
    server.succeed(script.argument(path).outcome());
}

/// A script that finds the program as `SERVER`.
fn with_program(code: &str) {
    let script = Script::new(code).variable("SERVER", binary().to_str().expect("a plain path"));
    script.outcome().unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn pipes_lead_to_a_server_on_its_standard_streams() {
    if is_stock() {
        return;
    }
    with_program(
        "
        import subprocess
        server = subprocess.Popen([os.environ['SERVER'], '--classic', '--mode', 'stdio'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with rpyc.classic.connect_pipes(server.stdout, server.stdin) as conn:
            same(conn.eval('lambda f: f(20)')(lambda x: x + 1), 21)
        same(server.wait(PATIENCE), 0)
        ",
    );
}

#[test]
fn a_child_finds_the_server_on_its_standard_streams() {
    if is_stock() {
        return;
    }
    with_program(
        r#"
        import subprocess
        # Python's end fails where rpyc has closed the standard streams.
        program = "import rpyc; conn = rpyc.classic.connect_stdpipes(); conn.execute('import sys; sys.stderr.write(str(6 * 7))'); conn.close(); import os; os._exit(0)"
        server = subprocess.Popen([os.environ['SERVER'], '--classic', '--mode', 'stdio'],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child = subprocess.Popen([sys.executable, '-c', program], stdin=server.stdout, stdout=server.stdin)
        server.stdin.close()
        server.stdout.close()
        same((child.wait(PATIENCE), server.wait(PATIENCE)), (0, 0))
        assert b'42' in server.stderr.read()
        "#,
    );
}

#[test]
fn a_server_script_is_started_as_a_child() {
    if is_stock() {
        return;
    }
    // What stands where Python's `rpyc_classic.py` did.
    with_program(
        r#"
        with open('server.py', 'w') as script:
            script.write("import os, sys\nprogram = os.environ['SERVER']\nos.execv(program, [program, '--classic', *sys.argv[1:]])\n")
        with rpyc.classic.connect_subproc('server.py') as conn:
            same(list(conn.eval('__import__("sys").argv')), [''])
            same(conn.eval('lambda f: f(20)')(lambda x: x + 1), 21)
        "#,
    );
}

#[test]
fn a_tunnel_leads_to_the_server() {
    Server::start().check_program(
        "
        import socket
        class Machine:
            'Forwards a port, as a machine at the other end of ssh does.'
            def tunnel(self, local, remote):
                listener = socket.create_server(('127.0.0.1', local))
                def forward():
                    near, far = listener.accept()[0], socket.create_connection((HOST, remote))
                    listener.close()
                    def pump(source, target):
                        while data := source.recv(65536):
                            target.sendall(data)
                        target.shutdown(socket.SHUT_WR)
                    threading.Thread(target=pump, args=(far, near), daemon=True).start()
                    pump(near, far)
                threading.Thread(target=forward, daemon=True).start()
                return self
            def close(self): self.is_closed = True
        machine = Machine()
        with rpyc.classic.ssh_connect(machine, PORT) as conn:
            same(conn.eval('lambda f: f(20)')(lambda x: x + 1), 21)
            same(len(conn.eval('bytes(1_000_000)')), 1_000_000)
        assert machine.is_closed
        ",
    );
}

#[test]
fn python_services_of_threads_and_processes_use_the_server_too() {
    Server::start().check(
        "
        thread = rpyc.classic.connect_thread()
        thread.namespace['far'] = conn
        same(thread.eval('far.eval(\"6 * 7\")'), 42)
        thread.namespace['items'] = conn.eval('[3, 1, 2]')
        thread.execute('items.sort()')
        same(list(thread.namespace['items']), [1, 2, 3])
        thread.close()
        process = rpyc.classic.connect_multiprocess({'number': 20})
        far = process.modules['rpyc'].classic.connect(HOST, PORT)
        same(far.eval('lambda f: f(20)')(lambda x: x + 1), 21)
        assert far.modules.os.getpid() == conn.modules.os.getpid() != process.modules.os.getpid()
        same(process.namespace['number'], 20)
        process.close()
        ",
    );
}

#[test]
fn each_way_of_copying_takes_chunks_filters_and_what_is_invalid() {
    Server::start().check(
        r#"
        import tempfile
        classic, base = rpyc.classic, tempfile.mkdtemp()
        def place(*names): return os.path.join(base, *names)
        os.makedirs(place('here', 'sub'))
        content = bytes(range(256)) * 1000
        for name in ('a.bin', 'b.txt', 'sub/c.bin'):
            with open(place('here', name), 'wb') as file:
                file.write(content)
        def tree(root): return sorted(os.path.relpath(os.path.join(f, n), root) for f, _, names in os.walk(root) for n in names)
        def only_bin(name): return not name.endswith('.txt')
        classic.upload_file(conn, place('here', 'a.bin'), place('up'), chunk_size=1000)
        classic.download_file(conn, place('up'), place('back'), chunk_size=77_777)
        same((open(place('up'), 'rb').read(), open(place('back'), 'rb').read()), (content, content))
        classic.upload_dir(conn, place('here'), place('there', 'deep'), filter=only_bin, chunk_size=5000)
        same(tree(place('there', 'deep')), ['a.bin', 'sub/c.bin'])
        classic.download_dir(conn, place('here'), place('down'), filter=only_bin, chunk_size=64_000)
        same(tree(place('down')), ['a.bin', 'sub/c.bin'])
        same(open(place('down', 'sub', 'c.bin'), 'rb').read(), content)
        for copy in (classic.upload, classic.download):
            with raises(ValueError, 'cannot'):
                copy(conn, place('nothing'), place('target'))
            assert copy(conn, place('nothing'), place('target'), ignore_invalid=True) is None
            assert not os.path.exists(place('target'))
        with raises(FileNotFoundError):
            classic.upload_file(conn, place('back'), place('no', 'folder', 'file'))
        with raises(FileNotFoundError):
            classic.download_file(conn, place('nothing'), place('target'))
        "#,
    );
}

#[test]
fn a_module_goes_where_the_servers_python_finds_it() {
    Server::start().check(
        r#"
        import tempfile
        here, there = tempfile.mkdtemp(), tempfile.mkdtemp()
        os.mkdir(os.path.join(here, 'gone_up'))
        with open(os.path.join(here, 'gone_up', '__init__.py'), 'w') as file:
            file.write('def answer():\n    return 42\n')
        sys.path.append(here)
        import gone_up
        assert rpyc.classic.upload_module is rpyc.classic.upload_package
        conn.modules.sys.path.insert(0, there)
        # Where: the first folder of sys.path that can be written to. Python 3.12 has no distutils to say so.
        target = None if 'distutils.sysconfig' in conn.modules and 'RustPython' in conn.modules.sys.version else os.path.join(there, 'gone_up')
        rpyc.classic.upload_module(conn, gone_up, target)
        same(conn.modules.gone_up.answer(), 42)
        assert conn.modules.gone_up.__file__.startswith(there)
        conn.modules.sys.path.remove(there)
        "#,
    );
}
