//! What a client's code does to the interpreter, and that the other clients don't notice.

use std::time::Duration;

use rpyc_tests::Server;
use rpyc_tests::server::{Evaluator, better_than_stock, only_on};

/// Runs the code of one client while another one watches.
#[track_caller]
fn others_are_not_touched_by(code: &str) {
    let mut server = Server::start();
    let watched = "same(other.eval('mine.append(1) or len(mine)'), 1)";
    let before = "other = connect()\nother.execute('mine = []')\n";
    let mut script = server.client(&format!(
        "{before}{}{watched}\nother.close()\n",
        rpyc_tests::python::dedent(code)
    ));
    script = script.deadline(LONG);
    server.succeed(script.outcome());
    assert!(server.is_running());
    for fault in ["panicked", "can't be interrupted"] {
        assert!(!server.log().contains(fault), "{}", server.log());
    }
}

#[test]
fn threads_that_a_client_has_started_raise_and_live_on_without_it() {
    others_are_not_touched_by(
        r#"
        starter = connect()
        starter.execute(dedent('''
            import string, sys, threading
            string.stop, string.seen = threading.Event(), []
            def beat():
                string.seen.append('on')
                string.stop.wait(60)
                string.seen.append('off')
            def fail():
                string.seen.append('fails')
                1 / 0
            string.threads = [threading.Thread(target=beat), threading.Thread(target=sys.exit),
                              threading.Thread(target=fail)]
            for thread in string.threads:
                thread.start()
        '''))
        starter.close()
        conn.execute('import string')
        eventually(lambda: conn.eval('len(string.seen)') == 2, 'two threads have got so far')
        assert conn.eval('string.threads[0].is_alive()')
        conn.execute('string.stop.set(); string.threads[0].join()')
        same(sorted(conn.eval('tuple(string.seen)')), ['fails', 'off', 'on'])
        "#,
    );
}

/// Code that RustPython panics on leaves its frames behind; its thread must not pass them on.
#[test]
fn a_panic_of_the_interpreter_leaves_nothing_behind_for_who_is_served_later() {
    if !only_on(
        Evaluator::RustPython,
        "no bytecode makes CPython panic: it crashes",
    ) {
        return;
    }
    let server = Server::start();
    let script = server.client(
        r#"
panics = dedent('''
    def bad():
        pass
    bad.__code__ = bad.__code__.replace(co_code=b'\\xff\\xff' * 50)
    def deep(n):
        bad() if n == 0 else deep(n - 1)
    deep(900)
''')
panics_again = dedent('''
    def bad():
        pass
    bad.__code__ = bad.__code__.replace(co_code=b'\\xff\\xff' * 50)
    class Last:
        def __del__(self):
            self.deep(900)
        def deep(self, n):
            bad() if n == 0 else self.deep(n - 1)
    try:
        raise ValueError(Last())
    except ValueError:
        bad()
''')
works = dedent('''
    import sys, traceback
    def deep(n):
        if n:
            deep(n - 1)
    deep(900)
    assert len(traceback.extract_stack()) < 20
    assert sys.exc_info() == (None, None, None)
    for frame in sys._current_frames().values():
        while frame:
            frame = frame.f_back
''')
for _ in range(5):
    for code in panics, panics_again:
        with raises(SystemError):
            conn.execute(code)
        conn.execute(works)
conn.execute(dedent('''
    def room():
        deepest = 0
        def down(n):
            nonlocal deepest
            deepest = n
            down(n + 1)
        try:
            down(0)
        except RecursionError:
            return deepest
    def room_lost(nested):
        before = room()
        nested()
        return before - room()
    def panic_at(depth, nested):
        if depth:
            panic_at(depth - 1, nested)
        nested()
        bad()
'''))
def panic_once():
    with raises(SystemError):
        conn.namespace['panic_at'](100, lambda: None)
def panic_twice():
    with raises(SystemError):
        conn.namespace['panic_at'](100, panic_once)
same(conn.namespace['room_lost'](panic_twice), 0)
conn.close()
for _ in range(10):
    later = connect()
    later.execute(works)
    same(later.eval("__import__('sys').getrecursionlimit()"), 1000)
    later.close()
"#,
    );
    server.succeed(script.outcome());
}

#[test]
fn source_that_is_nested_deeply_raises() {
    others_are_not_touched_by(
        "
        for text in ('-' * 20_000 + '1', '(' * 50_000, '(' * 20_000 + ')' * 20_000, '[' * 50_000 + ']' * 50_000,
                     'a' + '.b' * 50_000, '1' + '+1' * 20_000 + '+', 'f(' * 20_000 + ')' * 20_000,
                     'not ' * 20_000 + '1', 'lambda: ' * 20_000 + '1'):
            with raises((RecursionError, SyntaxError, MemoryError)):
                conn.eval(text)
        conn.execute(dedent('''
            import threading
            raised = []
            def compiles():
                try: compile('-' * 20_000 + '1', '', 'eval')
                except BaseException as error: raised.append(type(error).__name__)
            thread = threading.Thread(target=compiles)
            thread.start()
            thread.join()
        '''))
        assert conn.eval('raised[0]') in ('RecursionError', 'MemoryError')
        ",
    );
}

#[test]
fn containers_that_are_nested_a_million_deep_are_freed() {
    others_are_not_touched_by(
        r#"
        # They are many; the script's own limit is enough.
        conn._config['sync_request_timeout'] = None
        conn.execute(dedent('''
            import threading
            class Link: pass
            def lists(n):
                x = []
                for _ in range(n): x = [x]
            def tuples(n):
                x = ()
                for _ in range(n): x = (x,)
            def dicts(n):
                x = {}
                for _ in range(n): x = {1: x}
            def links(n):
                x = None
                for _ in range(n):
                    link = Link()
                    link.next, x = x, link
            def everything():
                for make in lists, tuples, dicts, links:
                    make(1_000_000)
            thread = threading.Thread(target=everything)
            thread.start()
            everything()
            thread.join()
        '''))
        "#,
    );
}

#[test]
fn memory_that_nobody_has_is_a_memory_error() {
    others_are_not_touched_by(
        "
        for text in 'bytes(1 << 60)', 'bytearray(1 << 60)', '\"x\" * (1 << 60)', '[0] * (1 << 60)', '1 << (1 << 60)':
            with raises((MemoryError, OverflowError)):
                conn.eval(text)
        ",
    );
}

#[test]
fn signals_cannot_be_handled_by_clients() {
    others_are_not_touched_by(
        "
        conn.execute('import signal')
        with raises(ValueError, 'main thread'):
            conn.eval('signal.signal(signal.SIGTERM, signal.SIG_IGN)')
        same(conn.eval('signal.Signals(15).name'), 'SIGTERM')
        ",
    );
}

#[test]
fn the_process_cannot_be_forked_but_programs_can_be_run() {
    if !only_on(Evaluator::RustPython, "CPython's users expect to fork") {
        return;
    }
    others_are_not_touched_by(
        r#"
        for text in "__import__('os').fork()", "__import__('posix').forkpty()", "__import__('pty').fork()":
            with raises(RuntimeError, 'subprocess'):
                conn.eval(text)
        conn.execute(dedent('''
            import os, subprocess
            ran = subprocess.run(['sh', '-c', 'echo out; exit 3'], capture_output=True, text=True)
            piped = os.popen('echo popen').read()
            status = os.system('exit 4')
            spawned = os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn('/bin/false', ['false'], {}), 0)[1])
        '''))
        same(conn.eval('(ran.returncode, ran.stdout, piped)'), (3, 'out\n', 'popen\n'))
        same(conn.eval('(os.waitstatus_to_exitcode(status), spawned)'), (4, 1))
        "#,
    );
}

#[test]
fn a_broken_builtin_is_mended_by_whoever_broke_it() {
    others_are_not_touched_by(
        r#"
        conn.execute(dedent('''
            import builtins, sys
            kept = builtins.print, builtins.len, sys.modules['json'] if 'json' in sys.modules else None
            builtins.shared_by_all = 17
            del builtins.len
            sys.modules['json'] = None
        '''))
        # It is one interpreter.
        same(other.eval('shared_by_all'), 17)
        with raises(NameError):
            other.eval('len([])')
        with raises(ImportError):
            other.modules['json']
        # What the connections need themselves goes on.
        same(other.eval('1 + 1'), 2)
        conn.execute(dedent('''
            builtins.len = kept[1]
            del sys.modules['json'], builtins.shared_by_all
        '''))
        same(other.modules['json'].dumps(1), '1')
        "#,
    );
}

#[test]
fn connections_work_on_without_the_builtins_that_a_client_deleted_or_replaced() {
    others_are_not_touched_by(
        r#"
        names = ('__build_class__', '__import__', 'compile', 'dict', 'eval', 'exec', 'getattr', 'hash', 'isinstance', 'len',
                 'print', 'str', 'tuple', 'type', 'KeyError', 'ValueError')
        other.modules.json, conn.modules.json
        other.eval('1 + 1')
        def fails(): raise KeyError('of the client')
        class Manager:
            def __enter__(self): return self
            def __exit__(self, t, e, tb): self.seen = t
        for change in ('vars(builtins).pop(name)', 'setattr(builtins, name, None)'):
            conn.execute(f"""if True:
                import builtins
                kept = {{name: getattr(builtins, name) for name in {names!r}}}
                def mend(b=builtins, kept=kept):
                    vars(b).update(kept)
                def harm(name, vars=vars, setattr=setattr, builtins=builtins):
                    {change}
                for name in kept:
                    harm(name)
            """)
            mend = conn.namespace['mend']
            try:
                # Code that uses what was deleted fails, as in one Python.
                with raises((NameError, TypeError)):
                    other.eval('len([])')
                # What a connection consists of works, also for who comes now.
                with connect() as fresh:
                    for c in (other, conn, fresh):
                        same(c.eval('1 + 1'), 2)
                        c.execute('def double(x):\n    return 2 * x\nxs = [double(1)]')
                        same((c.namespace['double'](21), c.namespace['xs'][0]), (42, 2))
                        assert c.modules.json is not None
                        same(c.modules.os.getpid(), conn.modules.os.getpid())
                        with raises(ZeroDivisionError) as raised:
                            c.execute('def divide(x):\n    return x / 0\ndivide(1)')
                        assert 'Traceback' in raised.value._remote_tb and 'divide' in raised.value._remote_tb, raised.value._remote_tb
                        with raises(SyntaxError):
                            c.execute('x = = 1')
                        with raises(KeyError, 'of the client'):
                            c.eval('lambda f: f()')(fails)
                        same(c.eval('lambda x: x.n')(type('Object', (), {'n': 5})()), 5)
                        c.execute('def enters(m):\n    with m: pass')
                        c.namespace['enters'](Manager())
                        assert c.root.getconn()._last_traceback is not None
            finally:
                mend()
            same(other.eval('len([])'), 0)
            same(other.eval('type("X", (), {}).__name__'), 'X')
        "#,
    );
}

#[test]
fn the_collector_runs_while_other_clients_wait() {
    let server = Server::start();
    server.check_program(
        r#"
        def waits(code, callback=None):
            conn = connect()
            conn.execute('import socket, string, subprocess, threading, time\nstring.reached = threading.Semaphore(0)')
            result = rpyc.async_(conn.root.execute)
            with connect() as helper:
                answer = result(code)
                assert helper.eval("__import__('string').reached.acquire(timeout=20)")
            return conn, answer
        waiting = [
            waits('string.reached.release(); time.sleep(2)'),
            waits('lock = threading.Lock(); lock.acquire(); string.reached.release(); lock.acquire(timeout=2)'),
            waits('a, b = socket.socketpair(); b.settimeout(2); string.reached.release()\ntry: b.recv(1)\nexcept TimeoutError: pass'),
            waits('string.reached.release(); subprocess.run(["sleep", "2"])'),
        ]
        with connect() as conn:
            conn.execute('import gc, threading, time')
            started = time.monotonic()
            for _ in range(5):
                conn.eval('gc.collect()')
            took = time.monotonic() - started
            assert took < 10, took
        for conn, answer in waiting:
            answer.wait()
            assert not answer.error
            conn.close()
        "#,
    );
}

/// Code that doesn't end, as long as its client is there.
const ENDLESS: &[(&str, &str)] = &[
    ("a loop", "while True: pass"),
    ("a sleep", "import time; time.sleep(3600)"),
    (
        "a child",
        "import subprocess; subprocess.run(['sleep', '3600'])",
    ),
    (
        "a loop that catches everything",
        "
while True:
    try:
        while True: pass
    except BaseException: pass
",
    ),
    (
        "functions that catch everything",
        "
def inner():
    while True:
        try:
            while True:
                try:
                    while True: pass
                except: continue
        except BaseException:
            caught = True
        finally:
            caught = False
while True:
    try: inner()
    except BaseException: pass
",
    ),
];

/// Those that no system call keeps.
const LOOPS: &[(&str, &str)] = &[ENDLESS[0], ENDLESS[3], ENDLESS[4]];

#[test]
fn code_that_does_not_end_is_interrupted_when_its_client_has_gone() {
    if better_than_stock("it runs on for ever") {
        return;
    }
    let mut server = Server::start();
    let endless = match only_on(Evaluator::RustPython, "CPython's sleeps aren't woken") {
        true => ENDLESS,
        false => LOOPS,
    };
    let clients = endless.iter().map(|(name, code)| {
        let script = format!(
            "
conn.execute('import string; string.runs = False')
result = rpyc.async_(conn.root.execute)('import string; string.runs = True\\n' + {code:?})
with connect() as other:
    other.execute('import string')
    eventually(lambda: other.eval('string.runs'), 'it runs')
say('runs {name}')
result.wait()
"
        );
        let client = server.client(&script).spawn();
        client.wait_for(&format!("runs {name}"));
        client
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client.kill();
    }
    server.wait_for_log("the end of all of them", |lines| {
        let ended = lines.iter().filter(|line| line.contains(": ended: "));
        // Each had a helper.
        (ended.count() == 2 * endless.len()).then_some(())
    });
    server.check("same(conn.eval('1 + 1'), 2)");
    assert!(server.is_running());
}

#[test]
fn no_client_keeps_others_from_running_by_a_long_switch_interval() {
    others_are_not_touched_by(
        r#"
        greedy = connect()
        greedy.execute('import string, sys; string.is_over = False; sys.setswitchinterval(1e6)')
        with raises(TypeError):
            greedy.modules.sys.setswitchinterval('x')
        greedy.execute('sys.setswitchinterval(float("nan"))')
        # The built-in Python has no lock to switch.
        is_built_in = greedy.modules.sys.implementation.name == 'rustpython'
        assert is_built_in or greedy.modules.sys.getswitchinterval() <= 0.005
        running = rpyc.async_(greedy.execute)('while not string.is_over: pass')
        same(conn.eval('sum(range(10))'), 45)
        conn.execute('import string; string.is_over = True')
        running.wait()
        greedy.close()
        "#,
    );
}

#[test]
fn the_finally_of_interrupted_code_runs() {
    if better_than_stock("it runs on for ever") {
        return;
    }
    let server = Server::start();
    let client = server
        .client(
            r#"
            conn.execute('import string\nstring.told, string.runs = [], False')
            result = rpyc.async_(conn.root.execute)(dedent('''
                try:
                    string.told.clear()
                    while True: string.runs = True
                except KeyboardInterrupt as error:
                    string.told.append(str(error))
                finally:
                    string.told.append('finally')
            '''))
            # Killed before its code is there, it would take that along.
            with connect() as other:
                other.execute('import string')
                eventually(lambda: other.eval('string.runs'), 'it runs')
            say('runs')
            result.wait()
            "#,
        )
        .spawn();
    client.wait_for("runs");
    client.kill();
    server.check(
        "
        conn.execute('import string')
        eventually(lambda: conn.eval('len(string.told)') == 2, 'it has been interrupted')
        same(conn.eval('tuple(string.told)'), ('the client has gone', 'finally'))
        ",
    );
}

#[test]
fn a_request_that_runs_longer_than_the_operator_allows_gets_a_timeout_error() {
    if better_than_stock("it has no such limit") {
        return;
    }
    Server::with_options(&["--request-time-limit", "1"]).check(
        r#"
        with raises(TimeoutError) as raised:
            conn.execute('while True: pass')
        assert 'the request has run longer than the server allows' in raised.value._remote_tb
        same(conn.eval('1 + 1'), 2)
        "#,
    );
}

#[test]
fn a_sleep_is_woken_when_its_request_has_run_longer_than_the_operator_allows() {
    if !only_on(Evaluator::RustPython, "CPython's sleeps aren't woken") {
        return;
    }
    Server::with_options(&["--request-time-limit", "1"]).check(
        r#"
        with raises(TimeoutError):
            conn.execute("import time\ntime.sleep(3600)")
        same(conn.eval('1 + 1'), 2)
        "#,
    );
}

#[test]
fn the_interpreter_is_a_python_for_child_processes() {
    if better_than_stock("there sys.executable is the Python of the tests") {
        return;
    }
    others_are_not_touched_by(
        r#"
        conn.execute(dedent('''
            import concurrent.futures, math, multiprocessing, os, subprocess, sys, tempfile
            def run(*arguments, **options):
                ran = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, **options)
                return ran.returncode, ran.stdout, ran.stderr
            command = run('-c', 'import sys; print(sys.argv, 6 * 7); sys.exit(5)', 'an', 'argument')
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, 'script.py')
                with open(path, 'w') as file:
                    file.write('import sys; print(sys.argv[1:], __name__)')
                script = run(path, 'x')
            module = run('-m', 'json.tool', input='[1]')
            checked = run('-Werror', '-u', '-c', 'import sys; print(sys.warnoptions)')
            context = multiprocessing.get_context('spawn')
            with context.Pool(2) as pool:
                roots = pool.map(math.sqrt, [1, 4, 9])
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                powers = list(pool.map(math.pow, [2, 3], [3, 2]))
        '''))
        same(conn.eval('command'), (5, "['-c', 'an', 'argument'] 42\n", ''))
        same(conn.eval('script'), (0, "['x'] __main__\n", ''))
        same(conn.eval("(module[0], ''.join(module[1].split()))"), (0, '[1]'))
        same(conn.eval('checked[1]'), "['error']\n")
        same(conn.eval('(tuple(roots), tuple(powers))'), ((1.0, 2.0, 3.0), (8.0, 9.0)))
        "#,
    );
}

/// For what takes its time on a slow machine.
const LONG: Duration = Duration::from_secs(180);
