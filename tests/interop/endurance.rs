//! Long runs and many clients at once: everything is in parallel, and nothing is left behind.
//!
//! Short by default; `cargo endure` runs them at full length.

use std::env;
use std::time::Duration;

use rpyc_tests::Server;
use rpyc_tests::server::{Evaluator, is_stock, only_on};

/// The number for a quick run, or the full one.
fn scaled(quick: u32, full: u32) -> String {
    let is_full = env::var_os("RPYC_ENDURANCE").is_some_and(|value| value == "full");
    (if is_full { full } else { quick }).to_string()
}

/// Runs a script that looks at the server's process.
#[track_caller]
fn endures(server: &mut Server, code: &str) -> String {
    let pid = server.process_id();
    let code = format!(
        "{}\nSERVER = {pid}\n{}",
        include_str!("endurance.py"),
        rpyc_tests::python::dedent(code)
    );
    let script = server.program(&code).deadline(Duration::from_secs(600));
    let output = server.succeed(script.outcome());
    assert!(server.is_running());
    assert!(!server.log().contains("panicked"), "{}", server.log());
    output
}

#[test]
fn clients_that_compute_at_once_run_in_parallel() {
    let code = r#"
        CLIENTS = 4
        watcher = connect()
        watcher.execute('import string\nstring.stop = False')
        def computes(k):
            with connect() as conn:
                conn.execute('import string\nwhile not string.stop: pass')
        def watches(k):
            # With a global lock all but one of them would sleep. Here each of them runs, or would if
            # the machine had a core for it.
            try:
                eventually(lambda: min(runnable() for _ in range(50)) >= CLIENTS, 'all run at once')
            finally:
                watcher.execute('string.stop = True')
        if RUN_AT_ONCE:
            together(CLIENTS + 1, lambda k: watches(k) if k == CLIENTS else computes(k))

        # What that means in time, for people.
        def adds_up(k):
            with connect() as conn:
                conn.execute('def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)')
                assert conn.eval('fib(FIB)') > 0
        for clients in 1, 2, 4, 8:
            started, cpu = time.monotonic(), cpu_seconds()
            together(clients, adds_up)
            took = time.monotonic() - started
            cores = f'{(cpu_seconds() - cpu) / took:.2f} of {os.cpu_count()} cores'
            print(f'{clients} at once: {took:.2f} s, {cores}')
        "#;
    let at_once = only_on(Evaluator::RustPython, "CPython has a global lock");
    let at_once = if at_once { "True" } else { "False" };
    let code = code
        .replace("RUN_AT_ONCE", at_once)
        .replace("FIB", &scaled(20, 30));
    let measured = endures(&mut Server::start(), &code);
    rpyc_tests::python::progress(&measured);
}

#[test]
fn sixteen_clients_with_mixed_work_leave_nothing_behind() {
    let mut server = Server::start();
    let seconds = scaled(4, 60);
    let code = r#"
        watcher = connect()
        alone = descriptors()
        watcher.execute('import string\nstring.shared, string.lock = {}, __import__("threading").RLock()')

        DEFINITIONS = dedent('''
            import gc, string, threading
            class Node:
                def __init__(self, *children): self.children = children
                def __repr__(self): return f"Node({len(self.children)})"
            def cycle():
                node = Node()
                node.children = [node, bytearray(2000)]
            def fails(n):
                if n == 0: raise KeyError("on purpose")
                try: fails(n - 1)
                except KeyError as error: raise ValueError("wrapped") from error
            def in_threads(f, n):
                results = []
                workers = [threading.Thread(target=lambda k=k: results.append(f(k))) for k in range(n)]
                for worker in workers: worker.start()
                for worker in workers: worker.join()
                return tuple(sorted(results))
            def share(key, value):
                with string.lock:
                    string.shared[key] = value
                    return len(string.shared) > 0
        ''')
        MODULES = 'json', 'decimal', 'xml.dom.minidom', 'email.message', 'sqlite3', 'asyncio', 'hashlib', 'csv'

        def session(conn, rng, mine):
            conn.execute(DEFINITIONS)
            space = conn.namespace
            def evaluates():
                n = rng.randrange(1000)
                same(conn.eval(f'{n} * 2'), n * 2)
            def imports():
                conn.modules[rng.choice(MODULES)].__name__
            def raises_there():
                with raises(ValueError, 'wrapped'):
                    space['fails'](rng.randrange(1, 20))
            def raises_here():
                def callback(x): raise LookupError(x)
                with raises(LookupError):
                    conn.eval('lambda f: f(7)')(callback)
            def calls_back():
                xs = conn.builtins.list(rng.sample(range(99), 9))
                same(list(conn.builtins.sorted(xs, key=lambda x: -x)), sorted(xs, reverse=True))
            def references():
                nodes = [space['Node'](i) for i in range(20)]
                same(repr(rng.choice(nodes)), 'Node(1)')
                same(len(conn.builtins.tuple(nodes)), 20)
            def collects():
                space['cycle']()
                if rng.random() < 0.1:
                    conn.eval('gc.collect()')
            def runs_threads():
                same(space['in_threads'](conn.eval('lambda k: k * k'), 3), (0, 1, 4))
            def shares():
                assert space['share'](mine, rng.random())
            def defines():
                conn.execute(f'class Defined{rng.randrange(50)}(Node): pass')
            everything = [evaluates, imports, raises_there, raises_here, calls_back, references,
                          collects, runs_threads, shares, defines]
            for _ in range(rng.randrange(20, 60)):
                rng.choice(everything)()

        def work(k, until, done):
            rng = random.Random(k)
            while time.monotonic() < until:
                conn = connect()
                session(conn, rng, k)
                done.append(1)
                # Some crash instead of closing.
                (vanish if rng.random() < 0.3 else rpyc.Connection.close)(conn)

        def run(seconds):
            done, until = [], time.monotonic() + seconds
            together(16, lambda k: work(k, until, done))
            watcher.execute('string.shared.clear()')
            return len(done)

        # What is loaded or allocated once is in place after a first run.
        run(SECONDS / 4)
        settles(watcher, 'descriptors', descriptors, descriptors())
        gc.collect()
        def objects(): return watcher.eval('len(__import__("gc").get_objects())')
        # Modules may keep one open.
        eventually(lambda: descriptors() <= alone + 1, 'only the watcher is connected')
        before = descriptors(), megabytes(), objects(), threads()
        sessions = run(SECONDS)
        settles(watcher, 'descriptors', descriptors, before[0])
        settles(watcher, 'objects', objects, before[2], slack=2000)
        settles(watcher, 'threads', threads, max(24, before[3]))
        grown = megabytes() - before[1]
        print(f'{sessions} sessions, {grown:+.1f} MB, threads {threads()}, objects {before[2]} -> {objects()}')
        # Names of classes and the like are interned for good.
        assert grown < 40 + sessions / 50, grown
        "#;
    let measured = endures(&mut server, &code.replace("SECONDS", &seconds));
    rpyc_tests::python::progress(&measured);
}

#[test]
fn programs_run_in_parallel_end_with_their_own_code_and_leave_no_zombies() {
    let runs = scaled(160, 1000);
    let code = r#"
        def run(k):
            with connect() as conn:
                conn.execute('import subprocess')
                for _ in range(RUNS // 8):
                    same(conn.eval("subprocess.run(['false']).returncode"), 1)
        together(8, run)
        same(zombies(), [])
        "#;
    endures(&mut Server::start(), &code.replace("RUNS", &runs));
}

#[test]
fn clients_that_vanish_leave_no_work_behind() {
    let clients = scaled(200, 1000);
    let code = r#"
        watcher = connect()
        watcher.eval('1')
        before = descriptors()
        for k in range(CLIENTS):
            conn = connect()
            if k % 2:
                conn.eval('[]')
            vanish(conn)
        settles(watcher, 'descriptors', descriptors, before)
        def idle():
            cpu = cpu_seconds()
            # A measurement: the time in which it is to do nothing.
            time.sleep(3)
            return cpu_seconds() - cpu <= 0.03
        eventually(idle, 'less than a hundredth of a core')
        "#;
    endures(&mut Server::start(), &code.replace("CLIENTS", &clients));
}

#[test]
fn references_that_are_taken_and_dropped_are_gone() {
    let references = scaled(20_000, 1_000_000);
    let code = r#"
        conn = connect()
        conn.execute('class Thing: pass')
        def objects(): return conn.eval('len(__import__("gc").get_objects())')
        thing, things = conn.namespace['Thing'], []
        def take(count):
            for _ in range(count):
                things.append(thing())
                if len(things) == 1000:
                    things.clear()
            things.clear()
            gc.collect()
        take(5000)
        before = objects(), megabytes()
        took = []
        for tenth in range(10):
            began = time.monotonic()
            take(REFERENCES // 10)
            took.append(time.monotonic() - began)
        eventually(lambda: objects() <= before[0] + 100, 'the objects are gone')
        eventually(lambda: objects() and megabytes() - before[1] < 10, 'the memory is free')
        grown = megabytes() - before[1]
        print(f'REFERENCES references in {sum(took):.1f} s, the first tenth {took[0]:.1f} s, the last {took[-1]:.1f} s; {grown:+.1f} MB')
        "#;
    let measured = endures(
        &mut Server::start(),
        &code.replace("REFERENCES", &references),
    );
    rpyc_tests::python::progress(&measured);
}

#[test]
fn connecting_and_closing_over_and_over_leaves_nothing_behind() {
    let clients = scaled(300, 10_000);
    let code = r#"
        watcher = connect()
        def visit(count):
            for k in range(count):
                with connect() as conn:
                    conn.eval('1')
        visit(100)
        before = descriptors(), megabytes()
        visit(CLIENTS)
        settles(watcher, 'descriptors', descriptors, before[0])
        eventually(lambda: threads() <= 16, 'the threads are gone')
        eventually(lambda: watcher.eval('1') and megabytes() - before[1] < 10, 'the memory is free')
        "#;
    endures(&mut Server::start(), &code.replace("CLIENTS", &clients));
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn memory_comes_back_once_a_crowd_of_clients_has_gone() {
    if is_stock() {
        return;
    }
    let code = r#"
        watcher = connect()
        watcher.eval('1')
        before = threads(), descriptors(), megabytes()
        until = time.monotonic() + SECONDS
        CLIENTS = 12
        visits = [0] * CLIENTS
        slowest = 0.0
        def visit(chance):
            conn = connect()
            conn.execute(dedent('''
                import threading
                class Node:
                    def __init__(self, size):
                        self.me, self.load = self, bytearray(size)
                def call(f, n): return f(n)
                def work(): return [Node(10) for _ in range(100)]
            '''))
            # Up to 3 MB, in what refers to itself.
            conn.execute(f'kept = [Node({chance.randrange(3 << 16)}) for _ in range({chance.randrange(16)})]')
            same(conn.eval('sum(range(1000))'), 499500)
            same(conn.namespace['call'](lambda n: conn.eval(f'{n} + 1'), 1), 2)
            conn.execute('threading.Thread(target=work).start()')
            # About forty a second come and go.
            time.sleep(chance.random() / 2)
            if chance.random() < 0.5:
                vanish(conn)
            else:
                conn.close()
        def crowd(k):
            if k == CLIENTS:
                return stays()
            chance = random.Random(k)
            while time.monotonic() < until:
                visit(chance)
                visits[k] += 1
        def stays():
            global slowest
            while time.monotonic() < until:
                started = time.monotonic()
                same(watcher.eval('1 + 1'), 2)
                slowest = max(slowest, time.monotonic() - started)
        together(CLIENTS + 1, crowd)
        peak = megabytes()
        eventually(lambda: megabytes() <= 120, 'the memory is back')
        eventually(lambda: threads() <= before[0] + 1, 'the threads are gone')
        eventually(lambda: descriptors() <= before[1], 'the descriptors are closed')
        print(f'{sum(visits)} clients: {before[2]:.0f} MB before, {peak:.0f} MB at their end, '
              f'{megabytes():.0f} MB afterwards; the slowest call of another took {slowest:.3f} s')
        "#;
    let seconds = scaled(4, 60);
    let measured = endures(&mut Server::start(), &code.replace("SECONDS", &seconds));
    rpyc_tests::python::progress(&measured);
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn memory_of_a_peak_goes_back_to_the_system_when_its_client_has_gone() {
    if is_stock() {
        return;
    }
    let code = r#"
        watcher = connect()
        watcher.execute('kept = []')
        before = megabytes()
        for peak in ('[[i] for i in range(800_000)]', '[str(i) * 30 for i in range(500_000)]'):
            conn = connect()
            conn.execute(f'peak = {peak}')
            assert megabytes() > before + 70, 'it is no peak'
            # What is freed lies between other blocks.
            watcher.execute('kept.append(bytearray(1000))')
            conn.close()
            eventually(lambda: watcher.eval('1') and megabytes() < before + 40, 'the memory is back')
        "#;
    endures(&mut Server::start(), code);
}

#[test]
fn a_failed_call_keeps_no_memory() {
    let code = r#"
        conn = connect()
        conn.execute(dedent('''
            def fails():
                local = bytearray(100_000_000)
                local[::4096] = bytes(len(local[::4096]))
                raise ValueError('on purpose')
        '''))
        with raises(ValueError):
            conn.namespace['fails']()
        def again():
            with raises(ValueError):
                conn.execute("raise ValueError('the last one')")
            return megabytes() < 120
        eventually(again, 'its memory is back')
        "#;
    endures(&mut Server::start(), code);
}
