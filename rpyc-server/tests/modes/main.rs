//! Each mode of serving, with unmodified Python clients: the example `modes` as they see it.

mod server;

use rustix::process::{Resource, getrlimit, setrlimit};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rpyc_tests::deadline::PATIENCE;

use self::server::{Example, stdio_script};

/// What every mode has to do for a client.
const USUAL: &str = r#"
same(conn.root.add(2, 3), 5)
same(conn.root.call(lambda x: conn.root.add(x, 1), 41), 42)
with raises(ValueError):
    conn.root.fail()
same(conn.root.add(4, 5), 9)
text = 'x' * 300_000
same(conn.root.echo(text), text)
"#;

#[test]
fn threads_serve_a_stock_client() {
    Example::start("threaded").check(USUAL);
}

#[test]
fn a_pool_serves_a_stock_client() {
    Example::start("pool").check(USUAL);
}

#[test]
fn a_process_serves_a_stock_client() {
    Example::start("process").check(USUAL);
}

#[test]
fn a_one_shot_server_serves_a_stock_client_and_ends() {
    let mut example = Example::start("oneshot");
    example.check(USUAL);
    assert!(example.ends(PATIENCE), "it is still there");
}

#[test]
fn stdio_serves_a_stock_client_and_ends_with_it() {
    stdio_script(
        r#"
        same(conn.root.add(2, 3), 5)
        same(conn.root.call(lambda x: conn.root.add(x, 1), 41), 42)
        with raises(ValueError):
            conn.root.fail()
        same(conn.root.caller(), 'stdio')
        "#,
    );
}

#[test]
fn what_a_stdio_server_prints_never_reaches_the_stream() {
    stdio_script(
        r#"
        for n in range(50):
            conn.root.print('x' * n)
            same(conn.root.add(n, 1), n + 1)
        "#,
    );
}

#[test]
fn a_ping_over_stdio_takes_less_than_a_millisecond() {
    stdio_script(
        r#"
        def ping():
            began = time.perf_counter()
            conn.ping()
            return time.perf_counter() - began
        # A busy machine may delay nearly all of them. One that looked now and then would delay each.
        best = min(ping() for _ in range(1000))
        assert best < 0.001, best
        "#,
    );
}

#[test]
fn each_client_has_a_process_of_its_own_and_one_that_dies_takes_nobody_along() {
    Example::start("process").check(
        r#"
        other = connect()
        mine, others = conn.root.process_id(), other.root.process_id()
        assert mine != others, mine
        with raises(EOFError):
            other.root.abort()
        same(conn.root.add(1, 1), 2)
        same(connect().root.add(1, 1), 2)
        "#,
    );
}

#[test]
fn processes_leave_no_zombies_and_end_with_their_clients() {
    let example = Example::start("process");
    example.check(
        r#"
        for _ in range(20):
            c = connect()
            c.root.add(1, 2)
            c.close()
        conn.close()
        "#,
    );
    let deadline = Instant::now() + PATIENCE;
    while !example.children().is_empty() {
        assert!(Instant::now() < deadline, "{:?}", example.children());
        std::thread::yield_now();
    }
}

#[test]
fn a_stop_ends_the_processes_too() {
    let mut example = Example::start("process");
    let client = example.spawn("conn.root.add(1, 2)\nsay('ready')\nwith raises(EOFError):\n    while True: conn.serve(PATIENCE)");
    client.wait_for("ready");
    let children = example.children();
    assert_eq!(children.len(), 1);
    example.stop();
    assert!(example.ends(PATIENCE));
    client.finish().unwrap_or_else(|e| panic!("{e}"));
    for child in children {
        let deadline = Instant::now() + PATIENCE;
        while fs::exists(format!("/proc/{child}")).unwrap() {
            assert!(Instant::now() < deadline, "{child}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_service_knows_who_calls() {
    Example::start("pool").check(
        r#"
        host, port = conn._channel.stream.sock.getsockname()
        same(conn.root.caller(), f'{host}:{port}')
        "#,
    );
}

#[test]
fn clients_that_ask_and_dont_read_hold_no_worker() {
    // Four workers, eight clients.
    Example::start("pool").check(
        r#"
        stuck = [connect() for _ in range(8)]
        for c in stuck:
            c.root
            for _ in range(20):
                c.async_request(rpyc.core.consts.HANDLE_PING, b'x' * 2_000_000)
        # A stuck pool takes a minute for the first of them, longer than a script may.
        for _ in range(20):
            same(connect().root.add(1, 2), 3)
        "#,
    );
}

#[test]
fn idle_clients_of_a_pool_cost_no_threads_and_little_memory() {
    let mut descriptors = getrlimit(Resource::Nofile);
    descriptors.current = descriptors.maximum;
    setrlimit(Resource::Nofile, descriptors).unwrap();
    let enough = descriptors.maximum.is_none_or(|most| most > 5100);
    assert!(
        enough,
        "5,000 clients need more descriptors: see `ulimit -Hn`"
    );
    let example = Example::start("pool");
    let before = example.status("Threads");
    let idle: Vec<TcpStream> = (0..5000)
        .map(|_| {
            let mut client = TcpStream::connect(example.address()).unwrap();
            client.write_all(PING).unwrap();
            client
        })
        .collect();
    for mut client in &idle {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(client.read(&mut [0; 64]).unwrap() > 0);
    }
    let deadline = Instant::now() + PATIENCE;
    // Idle threads of the executor end after a while.
    while example.status("Threads") > before + 8 {
        assert!(
            Instant::now() < deadline,
            "{} threads",
            example.status("Threads")
        );
        std::thread::yield_now();
    }
    assert!(
        example.status("VmRSS") < 150_000,
        "{} kB",
        example.status("VmRSS")
    );
    // What a call costs is the processor's time: other programs' doesn't count.
    let before = example.cpu_ticks();
    example.check(
        r#"
        for _ in range(200):
            same(conn.root.add(1, 2), 3)
        "#,
    );
    let spent = example.cpu_ticks() - before;
    // A tick is 10 ms, and so a call costs less than that.
    assert!(spent < 200, "{spent} ticks");
}

#[test]
fn clients_that_come_call_and_vanish_at_random_see_no_unexpected_end() {
    let example = Example::start("pool");
    example.check(
        r#"
        import random, socket
        errors = []
        def one(seed):
            r = random.Random(seed)
            try:
                for _ in range(5):
                    c = connect()
                    for n in range(r.randrange(5)):
                        same(c.root.add(n, 1), n + 1)
                    how = r.randrange(3)
                    if how == 0:
                        c.close()
                    elif how == 1:
                        c._channel.stream.sock.shutdown(socket.SHUT_RDWR)
                    else:
                        sock = c._channel.stream.sock
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
                        sock.close()
            except Exception as error:
                errors.append(repr(error))
        for start in range(0, 60, 20):
            threads = [threading.Thread(target=one, args=(start + n,)) for n in range(20)]
            for t in threads: t.start()
            for t in threads: t.join(PATIENCE)
        same(errors, [])
        "#,
    );
    let deadline = Instant::now() + PATIENCE;
    while example.status("Threads") >= 80 {
        let now = example.status("Threads");
        assert!(Instant::now() < deadline, "{now} threads");
        std::thread::yield_now();
    }
}

#[test]
fn a_server_whose_clients_have_all_vanished_uses_no_processor() {
    for mode in ["threaded", "pool"] {
        let example = Example::start(mode);
        for n in 0..1000 {
            let mut client = TcpStream::connect(example.address()).unwrap();
            // Some within a frame, some before one.
            client.write_all(&PING[..n % PING.len()]).unwrap();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = example.cpu_ticks();
            std::thread::sleep(Duration::from_secs(1)); // the time over which the ticks are counted
            // One tick is 10 ms.
            if example.cpu_ticks() - before <= 2 {
                break;
            }
            assert!(Instant::now() < deadline, "{mode}: still busy");
        }
    }
}

#[test]
fn clients_that_ask_close_and_dont_read_hold_nobody_up() {
    // The answer to a CLOSE waits for the answers ahead of it, and they for the client to read.
    Example::start("pool").check(
        r#"
        stuck = [connect() for _ in range(8)]
        for c in stuck:
            c.root
            for _ in range(20):
                c.async_request(rpyc.core.consts.HANDLE_PING, b'x' * 2_000_000)
            c.async_request(rpyc.core.consts.HANDLE_CLOSE)
        other = connect()
        # Beyond the five seconds after which the CLOSE is answered whatever runs.
        began, slowest = time.monotonic(), 0
        while time.monotonic() - began < 6:
            before = time.monotonic()
            same(other.root.add(1, 2), 3)
            slowest = max(slowest, time.monotonic() - before)
            for c in stuck:
                try:
                    c._channel.stream.sock.send(bytes(4) + b'\0\n')
                except OSError:
                    pass
            time.sleep(0.02)
        # As long as an answer may be left unread; a busy machine is slow, too.
        assert slowest < PATIENCE, slowest
        "#,
    );
}

#[test]
fn clients_that_have_gone_leave_no_descriptor() {
    for mode in ["threaded", "pool"] {
        let example = Example::start(mode);
        example.check("conn.root.add(1, 2)");
        let before = example.descriptors();
        example.check(
            r#"
            for _ in range(200):
                c = connect()
                c.root.add(1, 2)
                c.close()
            "#,
        );
        let deadline = Instant::now() + PATIENCE;
        while example.descriptors() > before {
            let now = example.descriptors();
            assert!(Instant::now() < deadline, "{mode}: {before}, then {now}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn silent_clients_of_a_process_server_cost_no_process_and_hold_nobody_up() {
    let example = Example::start("process");
    let silent: Vec<TcpStream> = (0..400)
        .map(|_| TcpStream::connect(example.address()).unwrap())
        .collect();
    example.check(
        r#"
        same(conn.root.add(1, 2), 3)
        conn.close()
        "#,
    );
    let deadline = Instant::now() + PATIENCE;
    while !example.children().is_empty() {
        assert!(Instant::now() < deadline, "{:?}", example.children());
        std::thread::yield_now();
    }
    drop(silent);
}

#[test]
fn many_clients_at_once_of_a_process_server_are_all_served() {
    Example::start("process").check(
        r#"
        errors = []
        def one(number):
            try:
                same(connect().root.add(number, 1), number + 1)
            except Exception as error:
                errors.append(repr(error))
        threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
        for t in threads: t.start()
        for t in threads: t.join(PATIENCE)
        same(errors, [])
        "#,
    );
}

#[test]
fn a_process_that_was_stopped_doesnt_outlive_its_client_for_long() {
    let example = Example::start("process");
    example.check(
        r#"
        import signal
        os.kill(conn.root.process_id(), signal.SIGSTOP)
        conn._channel.close()
        "#,
    );
    let deadline = Instant::now() + PATIENCE;
    while !example.children().is_empty() {
        assert!(Instant::now() < deadline, "{:?}", example.children());
        std::thread::yield_now();
    }
}

/// PING, seq 0, of an empty string, as rpyc 6 sends it.
const PING: &[u8] = b"\x00\x00\x00\n\x00\x01\x11P\x11Q\x11Q\x10\x08\x01\n";
