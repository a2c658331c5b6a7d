//! Servers inside a program of a Python's: the package `rpyc_rs`.

use std::process::Command;

use rpyc_tests::certs::Authority;
use rpyc_tests::package::site;
use rpyc_tests::python::{clear_environment, dedent};
use rpyc_tests::{Script, child, versions};

use crate::folder;

/// A program that finds `rpyc_rs`, stock `rpyc`, the services of `lab.py`, and `client(code)`, which runs a
/// client's code in a process of its own and gives what it writes.
fn program(code: &str) -> Script {
    let beginning = format!(
        r#"
import os, subprocess, sys, textwrap, threading
sys.path[:0] = [{:?}, {:?}]
import rpyc, rpyc_rs, lab
CLIENT = {:?}
def client(port, code):
    text = CLIENT + textwrap.dedent(code)
    ran = subprocess.run([sys.executable, "-c", text, str(port)], stdout=subprocess.PIPE, text=True, timeout=60)
    assert ran.returncode == 0, ran
    return ran.stdout.strip()
def listen(server):
    if hasattr(server, "_listen"): server._listen()
def in_thread(server):
    thread = threading.Thread(target=server.start)
    thread.start()
    return thread
"#,
        site().display(),
        folder().display(),
        include_str!("client.py"),
    );
    Script::new(&format!("{beginning}\n{}", dedent(code)))
}

#[track_caller]
pub(crate) fn check(code: &str) -> String {
    program(code)
        .outcome()
        .unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn the_servers_have_the_names_and_arguments_of_pythons_and_serve_the_same() {
    let written = check(
        r#"
        import logging, rpyc.utils.server as stock
        USES = '''
            root = connect().root
            print(root.add(1, 2), root.calls(lambda x: x + 1, 4), root.root(), len(root.Coil(3)))
            tried("public", getattr, root, "secret")
            show("fails", root.fails, "own")
        '''
        said = []
        for module in stock, rpyc_rs:
            for name in "ThreadedServer", "ThreadPoolServer", "OneShotServer":
                server = getattr(module, name)(
                    lab.MagnetService, hostname="127.0.0.1", port=0, listener_timeout=0.1,
                    protocol_config={"allow_public_attrs": True}, logger=logging.getLogger("magnets"))
                thread = in_thread(server)
                said.append(client(server.port, USES).replace("bound method", "method")[:60])
                server.close()
                thread.join(30)
                assert not thread.is_alive() and not server.active
        assert len(set(said)) == 1, said
        print(said[0].splitlines()[0])
        "#,
    );
    assert_eq!(written, "3 5 answer 3");
}

#[test]
fn several_servers_serve_one_process_and_one_instance_may_be_for_all() {
    let written = check(
        r#"
        servers = [rpyc_rs.ThreadedServer(service) for service in (lab.Counter, lab.Counter(10), lab.Plain)]
        for server in servers:
            server.start_in_thread()
        code = "print(connect().root.next(), connect().root.next())"
        print(client(servers[0].port, code), client(servers[1].port, code))
        print(client(servers[2].port, "print(connect().root.double(4))"))
        for server in servers:
            server.close()
            server.close()
        "#,
    );
    assert_eq!(written, "1 1 11 12\n8");
}

#[test]
fn changed_default_options_hold_for_servers_that_are_made_from_then_on() {
    let written = check(
        r#"
        from rpyc_rs.core.protocol import DEFAULT_CONFIG
        def secret(**given):
            server = rpyc_rs.ThreadedServer(lab.MagnetService, **given)
            server.start_in_thread()
            written = client(server.port, "tried('public', getattr, connect().root, 'secret')")
            server.close()
            return "refused" in written
        print(secret())
        DEFAULT_CONFIG["allow_public_attrs"] = True
        print(secret(), secret(protocol_config={"allow_public_attrs": False}))
        "#,
    );
    assert_eq!(written, "True\nFalse True");
}

#[test]
fn a_service_of_the_packages_own_base_needs_no_rpyc() {
    let written = check(
        r#"
        @rpyc_rs.service
        class LampService(rpyc_rs.Service):
            """Lamps."""
            def __init__(self, place="hall"):
                self.place = place
            @rpyc_rs.exposed
            def where(self):
                return self.place
            def exposed_hidden_from(self):
                return "none"
            def hidden(self):
                return "not for clients"
        with rpyc_rs.ThreadedServer(rpyc_rs.classpartial(LampService, "attic")) as server:
            server.start_in_thread()
            print(client(server.port, '''
                root = connect().root
                print(root.where(), root.hidden_from(), root.get_service_name(), root.get_service_aliases())
                tried("hidden", getattr, root, "hidden")
                tried("set", setattr, root, "place", 1)
            '''))
        "#,
    );
    assert_eq!(
        written,
        "attic none LAMP ('LAMP',)\nhidden is refused\nset is refused"
    );
}

#[test]
fn requests_are_run_by_the_loop_of_asyncio_on_its_thread_also_nested_ones() {
    let written = check(
        r#"
        import asyncio
        class Device:
            def __init__(self):
                self.threads = {threading.get_ident()}
            def on_connect(self, conn):
                self.threads.add(threading.get_ident())
            def exposed_where(self):
                self.threads.add(threading.get_ident())
                # Only the loop's own thread may do this.
                asyncio.get_running_loop().call_soon(lambda: None)
                return self.threads == {threading.main_thread().ident}
            def exposed_nests(self, function, depth):
                here = threading.get_ident()
                result = function(depth)
                return result and here == threading.get_ident() == threading.main_thread().ident
        async def main():
            loop = asyncio.get_running_loop()
            ticks = 0
            with rpyc_rs.ThreadedServer(Device, dispatch=loop.call_soon_threadsafe) as server:
                server.start_in_thread()
                work = loop.run_in_executor(None, client, server.port, '''
                    root = connect().root
                    print(root.where(), root.nests(lambda depth: root.where(), 1))
                    down = lambda depth: root.nests(down, depth - 1) if depth else root.where()
                    print(root.nests(down, 5))
                    threads = [__import__("threading").Thread(target=lambda: connect().root.where()) for _ in range(4)]
                    for thread in threads: thread.start()
                    for thread in threads: thread.join()
                ''')
                while not work.done():
                    ticks += 1
                    await asyncio.sleep(0.01)
                print(work.result())
                await loop.run_in_executor(None, server.close)
            return ticks
        assert asyncio.run(main()) > 0
        "#,
    );
    assert_eq!(written, "True True\nTrue");
}

#[test]
fn a_request_that_the_program_does_not_take_fails_and_one_that_it_never_runs_ends_with_the_server()
{
    let written = check(
        r#"
        kept, is_broken = [], False
        def dispatch(run):
            if is_broken:
                raise RuntimeError("the loop is closed")
            kept.append(run) if is_kept else run()
        is_kept = False
        server = rpyc_rs.ThreadedServer(lab.Counter, dispatch=dispatch)
        server.start_in_thread()
        conn = rpyc.connect("127.0.0.1", server.port)
        print(conn.root.next())
        is_broken = True
        try: conn.root.next()
        except Exception as error: print(type(error).__name__)
        is_broken, is_kept = False, True

        waiting = threading.Thread(target=lambda: outcome.append(attempt()))
        outcome = []
        def attempt():
            try: return conn.root.next()
            except EOFError: return "closed"
            except Exception as error: return type(error).__name__
        waiting.start()
        while not kept: pass
        server.close()
        waiting.join(30)
        for run in kept: run()  # nothing happens any more
        print(outcome)
        "#,
    );
    assert!(written.starts_with("1\nRuntimeError\n["), "{written}");
    assert!(!written.contains("[2]"), "{written}");
}

#[test]
fn an_authenticator_in_python_lets_in_and_says_as_whom() {
    let authority = Authority::new("authority");
    let identity = authority.server();
    let script = format!(
        r#"
        import ssl
        class Who(rpyc.Service):
            def on_connect(self, conn):
                self.who = conn._config["credentials"]
            def exposed_who(self):
                return self.who
        def by_word(sock):
            if sock.recv(4) != b"abcd":
                raise rpyc_rs.AuthenticationError("the wrong word")
            return sock, {{"name": "me"}}["name"]
        server = rpyc_rs.ThreadedServer(Who, authenticator=by_word)
        server.start_in_thread()
        code = '''
            import socket
            def who(word):
                sock = socket.create_connection(("127.0.0.1", PORT))
                sock.sendall(word)
                return rpyc.connect_stream(rpyc.SocketStream(sock)).root.who()
            print(who(b"abcd"))
            try: print(who(b"xxxx"))
            except (EOFError, OSError): print("refused")
        '''
        print(client(server.port, code))
        server.close()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain({:?}, {:?})
        def by_tls(sock):
            wrapped = context.wrap_socket(sock, server_side=True)
            return wrapped, wrapped.version()
        server = rpyc_rs.ThreadedServer(Who, authenticator=by_tls)
        server.start_in_thread()
        print(client(server.port, '''
            conn = rpyc.ssl_connect("127.0.0.1", PORT, ca_certs={:?})
            print(conn.root.who(), len(conn.root.who() * 200000))
            conn.close()
        '''))
        server.close()
        "#,
        identity.certificate,
        identity.key,
        authority.path(),
    );
    assert_eq!(check(&script), "me\nrefused\nTLSv1.3 1400000");
}

#[test]
fn a_registrar_is_told_of_the_server_and_of_its_end() {
    let written = check(
        r#"
        told = []
        is_told = threading.Event()
        class Registrar:
            def register(self, aliases, port, interface=""):
                told.append(("register", tuple(aliases), port == server.port, interface))
                is_told.set()
                return True
            def unregister(self, port):
                told.append(("unregister", port == server.port))
                is_told.set()
                return True
        server = rpyc_rs.ThreadedServer(lab.MagnetService, registrar=Registrar(), auto_register=True)
        server.start_in_thread()
        is_told.wait(30); is_told.clear()
        server.close()
        is_told.wait(30)
        print(told)
        "#,
    );
    assert_eq!(
        written,
        "[('register', ('MAGNET', 'COIL'), True, '127.0.0.1'), ('unregister', True)]"
    );
}

#[test]
fn a_program_ends_as_it_likes_with_clients_that_are_connected() {
    for (what, end, code) in [
        ("idle", "sys.exit(3)", "status: 3"),
        ("idle", "raise ValueError('mine')", "status: 1"),
        ("busy", "sys.exit(0)", ""),
    ] {
        let outcome = program(&format!(
            r#"
            started = threading.Event()
            class Busy(rpyc.Service):
                def exposed_idle(self):
                    started.set()
                def exposed_busy(self):
                    started.set()
                    while True: pass
            server = rpyc_rs.ThreadedServer(Busy)
            server.start_in_thread()
            conns = [rpyc.connect("127.0.0.1", server.port) for _ in range(3)]
            calls = [rpyc.async_(conn.root.{what})() for conn in conns]
            started.wait(30)
            print("the end", flush=True)
            {end}
            "#
        ))
        .outcome();
        match (outcome, code) {
            (Ok(written), "") => assert_eq!(written, "the end"),
            (Err(failure), code) if !code.is_empty() => {
                assert!(
                    failure.contains(code) && failure.contains("the end"),
                    "{failure}"
                );
            }
            (outcome, _) => panic!("{what}, {end}: {outcome:?}"),
        }
    }
}

#[test]
fn what_is_wrong_is_told_where_it_is_asked_for() {
    let written = check(
        r#"
        def tell(**options):
            try: rpyc_rs.ThreadedServer(lab.Counter, **options)
            except Exception as error: print(type(error).__name__, str(error)[:40])
        tell(protocol_config={"allow_everything": True})
        tell(auto_register=True)
        tell(auto_register=True, socket_path="/tmp/no-such-socket")
        taken = rpyc_rs.ThreadedServer(lab.Counter)
        tell(port=taken.port)
        taken.close()
        try: taken.start()
        except RuntimeError as error: print(error)
        "#,
    );
    let lines: Vec<&str> = written.lines().collect();
    assert!(
        lines[0].starts_with("ValueError there is no option allow_everything"),
        "{written}"
    );
    assert_eq!(
        lines[1],
        "ValueError auto_register: the server listens on loo"
    );
    assert_eq!(
        lines[2],
        "ValueError auto_register: a registry knows TCP port"
    );
    assert!(lines[3].starts_with("OSError"), "{written}");
}

#[test]
fn the_package_is_for_one_interpreter_of_a_process() {
    let site = site().to_string_lossy();
    for (name, python) in versions::pythons(&["3.10", "3.11", "3.12", "3.13"]) {
        let code = r#"
            import sys
            sys.path.insert(0, sys.argv[1])
            try: import _interpreters as interpreters
            except ImportError: import _xxsubinterpreters as interpreters
            import rpyc_rs
            run = getattr(interpreters, "exec", None) or interpreters.run_string
            try: told = run(interpreters.create(), f"import sys; sys.path[:0] = {sys.argv[1:]!r}; import rpyc_rs")
            except Exception as error: told = error
            print("ImportError" in str(told), str(told)[:300])
            class Service: exposed_answer = 42
            server = rpyc_rs.ThreadedServer(Service)
            server.start_in_thread()
            print(rpyc_rs.connect("127.0.0.1", server.port).root.answer)
            server.close()
        "#;
        let mut command = Command::new(&python);
        let command = clear_environment(&mut command).args(["-c", &dedent(code), &site]);
        let output = child::output(command).expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let is_right = said.starts_with("True") && said.ends_with("\n42\n");
        assert!(output.status.success() && is_right, "{name}: {output:?}");
    }
}
