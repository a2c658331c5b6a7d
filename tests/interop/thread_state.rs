//! What Python code sets for its thread is its client's: it stays while the client is there, nobody
//! else sees it, and it goes with the client. In every mode.

use std::time::Duration;

use rpyc_tests::Server;
use rpyc_tests::python::dedent;
use rpyc_tests::server::better_than_stock;

/// What can be set: its name, the statements that set it, and an expression that shows it.
const SETTINGS: &str = r#"
SETTINGS = {
    'recursion limit': ('sys.setrecursionlimit(300)', 'sys.getrecursionlimit()'),
    'trace function': ('sys.settrace(tool)', 'sys.gettrace()'),
    'profile function': ('sys.setprofile(tool)', 'sys.getprofile()'),
    'trace of all threads': ("getattr(threading, 'settrace_all_threads', sys.settrace)(tool)", 'sys.gettrace()'),
    'profile of all threads': ("getattr(threading, 'setprofile_all_threads', sys.setprofile)(tool)", 'sys.getprofile()'),
    'asyncgen hooks': ('sys.set_asyncgen_hooks(tool, tool)', 'tuple(sys.get_asyncgen_hooks())'),
    'decimal context': ('decimal.getcontext().prec = 3', 'decimal.getcontext().prec'),
    'context variable': ("string.variable.set('mine')", 'string.variable.get(None)'),
    'running loop': ('asyncio._set_running_loop(LOOP)', 'asyncio._get_running_loop()'),
    'event loop': ('asyncio.set_event_loop(LOOP)',
                   'asyncio.events._event_loop_policy '
                   'and vars(asyncio.events._event_loop_policy._local).get("_loop")'),
    'threading.local': ("string.local.mine = 'mine'", "getattr(string.local, 'mine', None)"),
    'subclass of threading.local': ("string.count.n += 5", 'string.count.n'),
    'signal mask': ('signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])',
                    'signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, [])'),
    'locale': ("locale.setlocale(locale.LC_ALL, 'C.UTF-8')", 'locale.setlocale(locale.LC_ALL)'),
    'thread name': ("threading.current_thread().name = 'mine'", "threading.current_thread().name"),
}
PRELUDE = dedent('''
    import asyncio, contextvars, decimal, locale, signal, string, sys, threading
    class Loop(asyncio.AbstractEventLoop):
        def is_running(self): return True
    LOOP = Loop()
    def tool(*args): return None
    if not hasattr(string, 'local'):
        class Count(threading.local):
            def __init__(self, n): self.n = n
        string.count = Count(10)
        string.local, string.variable = threading.local(), contextvars.ContextVar('variable')
''')
"#;

fn holds(options: &[&str], code: &str) {
    if better_than_stock("a new thread for each client is all that it does") {
        return;
    }
    let code = format!("{SETTINGS}{}", dedent(code));
    let server = Server::with_options(options);
    // A process for each client takes its time to start.
    let script = server.program(&code).deadline(Duration::from_secs(300));
    server.succeed(script.outcome());
}

/// Two clients in one process, one after the other and at the same time.
const IN_TURN: &str = r#"
    def prepared():
        conn = connect()
        conn.execute(PRELUDE)
        return conn
    witness = prepared()
    for name, (statement, shown) in SETTINGS.items():
        with prepared() as first:
            untouched = witness.eval(f'repr({shown})')
            first.execute(statement)
            mine = first.eval(f'repr({shown})')
            assert mine != untouched, f'{name}: {mine} is what everybody has'
            for _ in range(5):
                same(witness.eval(f'repr({shown})'), untouched)
                same(first.eval(f'repr({shown})'), mine)
        for _ in range(3):
            with prepared() as later:
                seen = later.eval(f'repr({shown})')
                if name == 'thread name':
                    assert seen != mine, seen
                else:
                    assert seen == untouched, f'{name}: {seen} instead of {untouched}'
    witness.close()
    "#;

#[test]
fn what_a_client_sets_for_its_thread_is_its_own_where_each_has_a_thread() {
    holds(&[], IN_TURN);
}

#[test]
fn what_a_client_sets_for_its_thread_is_its_own_in_a_pool() {
    holds(&["--mode", "pool"], IN_TURN);
}

#[test]
fn what_a_client_sets_for_its_thread_is_its_own_where_each_has_a_process() {
    holds(&["--mode", "process"], IN_TURN);
}

#[test]
fn a_callback_that_calls_back_sees_what_its_caller_has_set() {
    holds(
        &[],
        r#"
        with connect() as conn:
            conn.execute(PRELUDE + 'def call(f): return f()')
            for name, (statement, shown) in SETTINGS.items():
                conn.execute(statement)
                mine = conn.eval(f'repr({shown})')
                same(conn.namespace['call'](lambda: conn.eval(f'repr({shown})')), mine)
        "#,
    );
}

#[test]
fn a_thread_that_a_client_starts_has_its_own_locals_and_they_end_with_it() {
    holds(
        &[],
        r#"
        with connect() as conn:
            conn.execute(PRELUDE + dedent('''
                import gc, weakref
                class Thing: pass
                def work():
                    string.local.thing = Thing()
                    seen.append((string.count.n, weakref.ref(string.local.thing)))
                    string.count.n = 77
                seen = []
                string.count.n = 1
                threads = [threading.Thread(target=work) for _ in range(3)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
            '''))
            same(conn.eval('[n for n, _ in seen] == [10, 10, 10]'), True)
            eventually(lambda: conn.eval('all(thing() is None for _, thing in seen)'), 'freed')
            same(conn.eval('string.count.n'), 1)
            same(conn.eval("hasattr(string.local, 'thing')"), False)
        "#,
    );
}

#[test]
fn what_a_client_keeps_in_locals_and_contexts_is_freed_when_it_has_gone() {
    holds(
        &[],
        r#"
        with connect() as conn:
            conn.execute(PRELUDE + dedent('''
                import weakref
                class Thing: pass
                string.things = []
                def thing():
                    made = Thing()
                    string.things.append(weakref.ref(made))
                    return made
                string.local.thing = thing()
                string.variable.set(thing())
                threading.current_thread().thing = thing()
            '''))
            same(conn.eval('all(thing() is not None for thing in string.things)'), True)
        with connect() as conn:
            conn.execute('import string')
            eventually(lambda: conn.eval('all(thing() is None for thing in string.things)'), 'freed')
        "#,
    );
}

/// Its niceness can't be put back without privileges.
#[test]
fn a_thread_that_a_client_has_made_slow_serves_nobody_else() {
    for options in [&[][..], &["--mode", "pool", "--workers", "1"]] {
        holds(
            options,
            r#"
            with connect() as first:
                first.execute('import os')
                before = first.eval('os.nice(0)')
            with connect() as slow:
                slow.execute('import os')
                same(slow.eval('os.nice(1)'), before + 1)
            for _ in range(5):
                with connect() as other:
                    other.execute('import os')
                    same(other.eval('os.nice(0)'), before)
            "#,
        );
    }
}
