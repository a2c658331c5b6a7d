//! The limits and deadlines as options: what a Python client finds that goes beyond one, in every
//! mode, what the log says of it, and that another client is served all the while.

use std::thread;

use rpyc_tests::python::{self, Script};
use rpyc_tests::server::{binary, is_stock, is_warning};
use rpyc_tests::{Server, better_than_stock};

const MODES: [&str; 3] = ["threaded", "pool", "process"];

/// Runs the code of a client in every mode; `ends` is in the one warning that there is of it, if its
/// connection is to end.
#[track_caller]
fn goes_beyond(options: &[&str], code: &str, ends: Option<&str>) {
    if better_than_stock("it has no such limits") {
        return;
    }
    thread::scope(|scope| {
        for mode in MODES {
            scope.spawn(move || {
                let server = Server::with_options(&[&["--mode", mode], options].concat());
                let bystander = "bystander = connect()\nsame(bystander.eval('6 * 7'), 42)\n";
                let after = "\nsame(bystander.eval('6 * 7'), 42)";
                let code = python::dedent(code);
                let client = server.program(&format!("{bystander}{code}{after}"));
                server.succeed(client.outcome());
                let warnings = |lines: &[String]| {
                    let lines = lines.iter().filter(|line| is_warning(line));
                    lines.cloned().collect::<Vec<_>>()
                };
                let Some(ends) = ends else {
                    let told =
                        warnings(&server.log().lines().map(str::to_owned).collect::<Vec<_>>());
                    assert!(told.is_empty(), "{mode}: {told:?}");
                    return;
                };
                let told = server.wait_for_log("why it was ended", |lines| {
                    Some(warnings(lines)).filter(|told| !told.is_empty())
                });
                assert!(
                    told.len() == 1 && told[0].contains(ends),
                    "{mode}: {told:?}"
                );
            });
        }
    });
}

/// A client without rpyc; PING is one of an empty string, as rpyc 6 sends it.
const RAW: &str = r"
import socket
sock = socket.create_connection((HOST, PORT), timeout=PATIENCE)
PING = b'\0\0\0\n\0\1\x11P\x11Q\x11Q\x10\x08\1\n'
";

#[test]
fn handshake_timeout_is_how_long_a_client_may_say_nothing_at_first() {
    let code = format!("{RAW}same(sock.recv(1), b'')");
    // The other client of the test mustn't be as slow as that.
    goes_beyond(&["--handshake-timeout", "5"], &code, Some("5s"));
}

#[test]
fn frame_timeout_is_how_long_a_message_may_take_once_it_has_begun() {
    let code = format!(
        "{RAW}
sock.sendall(PING)
assert sock.recv(100)
sock.sendall(PING[:7])
same(sock.recv(1), b'')"
    );
    let said = "didn't end a frame that it had begun for 400ms";
    goes_beyond(&["--frame-timeout", "0.4"], &code, Some(said));
}

#[test]
fn max_frame_is_the_size_of_a_message() {
    goes_beyond(
        &["--max-frame", "100KiB"],
        "
        conn = connect()
        length = conn.eval('len')
        # It comes as it is: noise can't be made smaller.
        same(length(os.urandom(50_000)), 50_000)
        with raises((EOFError, OSError)):
            length(os.urandom(200_000))
        ",
        Some("of the stream, more than 102400"),
    );
}

#[test]
fn max_inflated_is_the_size_of_a_compressed_message_once_it_is_inflated() {
    goes_beyond(
        &["--max-inflated", "100KiB"],
        "
        conn = connect()
        length = conn.eval('len')
        same(length(bytes(50_000)), 50_000)
        with raises((EOFError, OSError)):
            length(bytes(200_000))
        ",
        Some("bytes inflate to more than 102400"),
    );
}

#[test]
fn max_objects_is_how_many_a_client_holds() {
    goes_beyond(
        &["--max-objects", "50"],
        "
        conn, held = connect(), []
        with raises(MemoryError, '(max_objects)'):
            while len(held) < 60:
                held.append(conn.eval('object()'))
        assert len(held) > 30, held
        held.clear()
        assert conn.eval('object()')
        ",
        None,
    );
}

#[test]
fn max_nested_is_how_deep_callbacks_call_back() {
    goes_beyond(
        &["--max-nested", "5"],
        "
        conn = connect()
        call = conn.eval('lambda f, n: f(n)')
        with raises(RecursionError, '(max_nested)'):
            again = lambda n: call(again, n + 1)
            again(0)
        same(call(lambda n: call(lambda n: n, n), 42), 42)
        ",
        None,
    );
}

#[test]
fn max_pending_is_how_many_calls_back_wait_for_the_client() {
    goes_beyond(
        &["--max-pending", "3"],
        "
        conn = connect()
        conn.execute(dedent('''
            import rpyc
            def call(f, n, done):
                try:
                    results = [rpyc.async_(f)() for _ in range(n)]
                finally:
                    open(done, 'w').close()
        '''))
        def call(n):
            # The first one keeps this client from answering the others until all are under way.
            done = os.path.abspath(f'done-{n}')
            waits = lambda: eventually(lambda: os.path.exists(done), 'the calls')
            conn.namespace['call'](waits, n, done)
        with raises(Exception, '(max_pending)'):
            call(4)
        call(3)
        ",
        None,
    );
}

#[test]
fn max_queued_is_how_many_requests_wait_while_the_server_waits_for_the_client() {
    goes_beyond(
        &["--max-queued", "3"],
        "
        conn, results = connect(), []
        conn.execute(dedent('''
            import os, time
            def wait_for(path):
                while not os.path.exists(path):
                    time.sleep(0.01)
        '''))
        wait = rpyc.async_(conn.namespace['wait_for'])
        path = os.path.abspath('refused')
        def ask():
            results.extend(wait(path) for _ in range(12))
            eventually(lambda: any(result.ready for result in results), 'one is refused')
            open(path, 'w').close()
        conn.eval('lambda f: f()')(ask)
        for result in results:
            result.wait()
        refused = [result for result in results if result.error]
        assert 0 < len(refused) < 12, len(refused)
        with raises(RuntimeError, '(max_queued)'):
            refused[0].value
        same(conn.eval('6 * 7'), 42)
        ",
        None,
    );
}

#[test]
fn sync_request_timeout_is_how_long_the_server_waits_when_it_calls_back() {
    goes_beyond(
        &["--sync-request-timeout", "2"],
        "
        conn = connect()
        conn.execute(dedent('''
            def call(f, ended):
                try:
                    return f()
                finally:
                    open(ended, 'w').close()
        '''))
        call, ended = conn.namespace['call'], os.path.abspath('ended')
        # The client answers once the server waits no more.
        late = lambda: eventually(lambda: os.path.exists(ended), 'the end of the call')
        with raises(TimeoutError, \"wasn't answered within 2s\"):
            call(late, ended)
        same(call(lambda: 42, ended), 42)
        ",
        None,
    );
}

#[test]
fn max_clients_per_address_leaves_places_for_other_addresses() {
    if is_stock() {
        return;
    }
    let code = r#"
        import re, socket, subprocess
        def ip(*words):
            subprocess.run(['ip', *words], check=True)
        # Those of this machine aren't counted: the server is in another network.
        other = subprocess.Popen(['unshare', '--net', 'sleep', 'infinity'])
        own = os.readlink('/proc/self/ns/net')
        while os.readlink(f'/proc/{other.pid}/ns/net') == own:
            time.sleep(0.01)
        there = ['nsenter', f'--net=/proc/{other.pid}/ns/net']
        ip('link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', str(other.pid))
        for machine, addresses in ([], ['10.9.0.1/24', '10.9.0.2/24']), (there, ['10.9.0.3/24']):
            for address in addresses:
                subprocess.run(
                    [*machine, 'ip', 'address', 'add', address, 'dev', 'wire'], check=True)
            subprocess.run([*machine, 'ip', 'link', 'set', 'wire', 'up'], check=True)
        server = subprocess.Popen(
            [*there, os.environ['SERVER'], '--classic', '--insecure', '--host', '10.9.0.3',
             '--max-clients-per-address', '2', '--mode', sys.argv[1]],
            stderr=subprocess.PIPE, text=True)
        log = []
        def read():
            for line in server.stderr:
                log.append(line)
        threading.Thread(target=read, daemon=True).start()
        eventually(lambda: any('listening on' in line for line in log), 'it listens')
        from rpyc.core.stream import SocketStream
        def connect(source):
            sock = socket.create_connection(('10.9.0.3', 18812), source_address=(source, 0))
            return rpyc.connect_stream(SocketStream(sock), rpyc.core.service.ClassicService)
        first, second = connect('10.9.0.1'), connect('10.9.0.1')
        with raises((EOFError, OSError)):
            connect('10.9.0.1').root
        same(connect('10.9.0.2').eval('6 * 7'), 42)
        same(first.eval('6 * 7'), 42)
        # The log comes through a pipe, at times after the refusal itself.
        eventually(lambda: any('refused' in line for line in log), 'it logs the refusal')
        refused = [line for line in log if 'refused' in line]
        assert len(refused) == 1 and '(max_clients_per_address)' in refused[0], log
        second.close()
        # The place is free a moment after the end.
        def place():
            try:
                return connect('10.9.0.1').eval('True')
            except (EOFError, OSError):
                return False
        eventually(place, 'there is a place')
        server.terminate()
        same(server.wait(PATIENCE), 0)
    "#;
    thread::scope(|scope| {
        for mode in MODES {
            scope.spawn(move || {
                let script = Script::new(code).argument(mode);
                let script = script.variable("SERVER", binary().to_string_lossy());
                let outcome = script.in_own_network().outcome();
                outcome.unwrap_or_else(|reason| panic!("{mode}: {reason}"));
            });
        }
    });
}

#[test]
fn compress_and_no_traceback_do_what_they_say() {
    if better_than_stock("it has no such options") {
        return;
    }
    for (options, compressed, traceback) in [
        (&[][..], false, true),
        (&["--compress"], true, true),
        (&["--no-traceback"], false, false),
    ] {
        let server = Server::with_options(options);
        let code = r#"
            flags, stream = [], conn._channel.stream
            class Watch:
                def read(self, count):
                    data = stream.read(count)
                    if count == 5:  # a header: the length, and whether it is compressed
                        flags.append(data[4])
                    return data
                def __getattr__(self, name):
                    return getattr(stream, name)
            conn._channel.stream = Watch()
            same(conn.eval('bytes(100_000)'), bytes(100_000))
            print(flags[-1] == 1)
            try:
                conn.eval('1 / 0')
            except ZeroDivisionError as error:
                print('line 1' in error._remote_tb)
        "#;
        let printed = server.check(code);
        let python = |truth: bool| if truth { "True" } else { "False" };
        let expected = [python(compressed), python(traceback)].join("\n");
        assert_eq!(printed, expected, "{options:?}");
    }
}

#[test]
fn max_clients_lets_a_pool_have_five_thousand_idle_ones() {
    if is_stock() {
        return;
    }
    let server = Server::with_options(&["--mode", "pool", "--max-clients", "6000"]);
    let script = server.program(
        r"
        import resource, socket
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        PING = b'\0\0\0\n\0\1\x11P\x11Q\x11Q\x10\x08\1\n'
        def status(name):
            with open('/proc/' + os.environ['SERVER_ID'] + '/status') as file:
                return next(int(line.split()[1]) for line in file if line.startswith(name))
        def client():
            # Each has its own time for the first message.
            sock = socket.create_connection((HOST, PORT))
            sock.sendall(PING)
            return sock
        idle = [client() for _ in range(5000)]
        for sock in idle:
            sock.settimeout(PATIENCE)
            assert sock.recv(100)
        assert status('VmRSS:') < 150_000, status('VmRSS:')
        def computed():
            # The processor's time, in seconds: another program's doesn't count.
            with open('/proc/' + os.environ['SERVER_ID'] + '/stat') as file:
                fields = file.read().rsplit(')', 1)[1].split()
            return sum(map(int, fields[11:13])) / os.sysconf('SC_CLK_TCK')
        def calls(count):
            began = computed()
            for _ in range(count):
                same(conn.eval('6 * 7'), 42)
            return computed() - began
        conn = connect()
        best = min(calls(20) for _ in range(5)) / 20
        assert best < 0.010, best
        # Threads that took them in end after a while.
        def few():
            calls(1)
            return status('Threads:') < 60
        eventually(few, 'few threads')
        ",
    );
    let script = script.variable("SERVER_ID", server.process_id().to_string());
    server.succeed(script.outcome());
}
