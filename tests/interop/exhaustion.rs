//! What a client sends that is to use up the memory or the time of all clients of one interpreter.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpyc_tests::Server;
use rpyc_tests::python::dedent;
use rpyc_tests::server::better_than_stock;

/// Runs the attack with a bystander, whose calls are answered all the time, and measures the
/// server's memory: `within(megabytes)`.
#[track_caller]
fn others_are_served_during(code: &str) {
    others_are_served_with(&[], code);
}

/// The same, of a server with those options.
#[track_caller]
fn others_are_served_with(options: &[&str], code: &str) {
    if better_than_stock("its memory and its time aren't bounded") {
        return;
    }
    let mut server = match options {
        [] => Server::start(),
        _ => Server::with_options(options),
    };
    let pid = server.process_id();
    let script = format!(
        "{}\nSERVER = {pid}\n{}\n{}\nbystander.close()\n",
        include_str!("endurance.py"),
        dedent(BYSTANDER),
        dedent(code),
    );
    let script = server.program(&script).deadline(Duration::from_secs(300));
    server.succeed(script.outcome());
    assert!(server.is_running());
    assert!(!server.log().contains("panicked"), "{}", server.log());
    let lines = server.log().lines().count();
    assert!(lines < 100, "{lines} lines of log");
}

const BYSTANDER: &str = r#"
    bystander = connect()
    bystander.execute('mine = []')
    def served():
        same(bystander.eval('mine.append(1) or sum(mine) == len(mine)'), True)
        bystander.execute('import gc\ngc.collect()')
    served()
    before = megabytes()
    def within(more):
        served()
        grown = megabytes() - before
        assert grown < more, f'{grown} MB more'
    "#;

/// A slice is five bytes on the wire, and a hundred in memory.
#[test]
fn requests_behind_one_that_waits_take_what_the_limits_allow_whatever_they_are_made_of() {
    others_are_served_with(
        &["--max-frame", "16777216"],
        r#"
        from rpyc.core import consts
        values = (slice(None, None, None),) * 240_000
        floods = [connect() for _ in range(3)]
        for conn in floods:
            conn.execute('def call(f): return f()')
            call = rpyc.async_(conn.namespace['call'])
            # This side doesn't serve: the call waits for its callback.
            waits = call(lambda: None)
            for _ in range(20):
                conn.async_request(consts.HANDLE_PING, values)
        within(3 * (2 * 16 + 60))
        for conn in floods:
            conn._channel.close()
        "#,
    );
}

#[test]
fn exceptions_of_classes_with_long_new_names_keep_no_memory() {
    others_are_served_during(
        r#"
        def catches(conn):
            conn.execute(dedent('''
                def catch(f):
                    try:
                        f()
                    except Exception as error:
                        return type(error).__name__[-20:]
            '''))
            return conn.namespace['catch']
        number = iter(range(10**6))
        def fails(size):
            name = 'X' * size + str(next(number))
            def fail():
                raise type(name, (Exception,), {'__module__': 'm' + name[-10:]})
            return fail
        for _ in range(5):
            with connect() as conn:
                catch = catches(conn)
                for _ in range(12):
                    fail = fails(10**6)
                    assert catch(fail).startswith('X')
            within(32 + 12)
        # And short ones, of which there may be many: a client that stays as well as one that goes.
        with connect() as conn:
            catch = catches(conn)
            def fail_often():
                for _ in range(12):
                    for _ in range(250):
                        catch(fails(5))
                    # Garbage is collected, as it is time and again.
                    served()
            fail_often()
            middle = megabytes()
            fail_often()
            grown = megabytes() - middle
            assert grown < 10, f'{grown} MB for 3,000 exceptions'
        "#,
    );
}

#[test]
fn classes_with_new_methods_keep_so_many_names_and_no_more() {
    others_are_served_during(
        r#"
        # Each class has 9,000 methods of its own, 250 letters a name: 2 MB that Python would keep.
        def thing(k):
            names = [f'method_{k}_{n}_'.ljust(250, 'x') for n in range(9_000)]
            return type(f'Thing{k}', (), {name: lambda self: 1 for name in names})()
        for k in range(40):
            with connect() as conn:
                conn.namespace['thing'] = thing(k)
                # Its class is asked for.
                same(conn.eval('type(thing).__name__')[-1:] != '', True)
            served()
        eventually(lambda: served() or megabytes() - before < 32 + 16, 'no more than has room')
        # What matters still works.
        class Mine:
            def known(self): return 'known'
            def __len__(self): return 3
        bystander.namespace['mine_too'] = Mine()
        same(bystander.eval('(len(mine_too), mine_too.known())'), (3, 'known'))
        "#,
    );
}

#[test]
fn attributes_of_classes_with_new_names_keep_so_many_names_and_no_more() {
    others_are_served_during(
        r#"
        with connect() as conn:
            conn.execute('class Thing: pass')
            thing = conn.namespace['Thing']
            refused = 0
            for k in range(400):
                name = f'{k}_'.ljust(60_000, 'x')
                try:
                    setattr(thing, name, 1)
                    delattr(thing, name)
                except MemoryError:
                    refused += 1
                with raises(AttributeError):
                    delattr(thing, 'not_' + name)
            assert 100 < refused < 400, refused
            thing.short = 1
            same(thing.short, 1)
        within(32 + 16)
        "#,
    );
}

/// Python's hashes of ints are known: these have the same.
const COLLIDING: &str = "tuple(i * (2**61 - 1) for i in range(1, 50_001))";

#[test]
fn a_set_of_values_that_are_chosen_to_collide_is_refused_at_once() {
    others_are_served_during(&format!(
        r#"
        colliding = {COLLIDING}
        with connect() as conn:
            conn.execute('kept = []')
            keep = conn.namespace['kept'].append
            # A frozenset is made of what is sent: here nobody makes one.
            import rpyc.core.brine as brine
            sent = threading.Event()
            def attack():
                with raises(ValueError, 'hash'):
                    keep(Sneaky())
                sent.set()
            class Sneaky(frozenset):
                pass
            dump = brine._dump_registry[frozenset]
            brine.simple_types = brine.simple_types | {{Sneaky}}
            brine._dump_registry[Sneaky] = lambda obj, stream: dump(colliding, stream)
            attacker = threading.Thread(target=attack)
            attacker.start()
            calls = 0
            while not sent.is_set():
                served()
                calls += 1
            attacker.join()
            same(conn.eval('len(kept)'), 0)
            # Large ones that nobody has chosen work.
            keep(frozenset(range(200_000)))
            keep(frozenset(str(i) for i in range(50_000)))
            keep(frozenset(range(-40, 40)))
            same(conn.eval('tuple(map(len, kept))'), (200_000, 50_000, 80))
        within(32 + 40)
        "#,
    ));
}

/// A set of which all items have the same hash, of such sets, of such sets: each has one item of its
/// own, which is found out last.
#[test]
fn sets_of_sets_that_are_chosen_to_collide_are_refused_at_once() {
    others_are_served_during(
        r#"
        import rpyc.core.brine as brine
        class Sneaky(frozenset):
            def __new__(cls, items):
                made = super().__new__(cls)
                made.items = items
                return made
        dump = brine._dump_registry[frozenset]
        brine.simple_types = brine.simple_types | {Sneaky}
        brine._dump_registry[Sneaky] = lambda obj, stream: dump(obj.items, stream)
        def colliding(depth, own):
            if depth == 0:
                return own * (2**61 - 1)
            return Sneaky(tuple(colliding(depth - 1, n) for n in (*range(1, 31), 100 + own)))
        with connect() as conn:
            keep = conn.builtin.type
            for value in (colliding(3, 0), (colliding(2, 0), colliding(2, 1)) * 20):
                with raises(ValueError, 'hash'):
                    keep(value)
            # What nobody has chosen works, however deep.
            nested = frozenset(frozenset(frozenset((i, j, -1, -2)) for j in range(30)) for i in range(30))
            same(conn.eval('len')(nested), 30)
            same(conn.eval('len')(frozenset((n, 'x') * 50 for n in range(1000))), 1000)
        within(32 + 40)
        "#,
    );
}

#[test]
fn a_containers_copy_for_a_comparison_is_not_made_of_keys_that_collide() {
    others_are_served_during(
        r#"
        class Key:
            def __hash__(self): return 5
            def __eq__(self, other): return self is other
        theirs = {Key(): None for _ in range(200)}
        with connect() as conn:
            conn.execute('def compare(theirs): return {} == theirs')
            with raises(ValueError, 'hash'):
                conn.namespace['compare'](theirs)
            same(conn.namespace['compare']({}), True)
        "#,
    );
}

#[test]
fn a_time_limit_ends_the_request_that_takes_the_time_and_no_other() {
    if better_than_stock("it has no such limit") {
        return;
    }
    Server::with_options(&["--request-time-limit", "3"]).check(
        r#"
        done = []
        def hogs():
            with connect() as hog:
                with raises(TimeoutError):
                    hog.execute('while True: pass')
                done.append(1)
        hog = threading.Thread(target=hogs)
        hog.start()
        while not done:
            same(conn.eval('1 + 1'), 2)
            # What the collector waits for ends in time as well.
            conn.execute('import gc\ngc.collect()')
        hog.join()
        "#,
    );
}

#[test]
fn a_file_that_is_called_like_a_part_of_python_is_interrupted_all_the_same() {
    if better_than_stock("it has no such limit") {
        return;
    }
    Server::with_options(&["--request-time-limit", "1"]).check(
        r#"
        for name in 'my_threading.py', 'threading.py', '<frozen importlib._bootstrap>':
            with raises(TimeoutError):
                conn.execute(f"exec(compile('while True: pass', {name!r}, 'exec'), {{}})")
        same(conn.eval('1 + 1'), 2)
        "#,
    );
}

/// What outlives a connection and that a peer can write to, with what keeps it small. A new table
/// gets a row here, and a bound.
const TABLES: &[(&str, &str)] = &[
    // Of the interpreter's bridge.
    (
        "Shared.source",
        "objects to be freed, until the next request; its threads are bounded",
    ),
    ("Shared.executor", "--max-threads"),
    ("Shared.classes", "living classes; dead ones are swept out"),
    ("Shared.connections", "open connections"),
    (
        "interned.rs LEFT",
        "16 MiB of names of attributes of classes, for good",
    ),
    (
        "names.rs NAMES",
        "the same of CPython's, and those of methods",
    ),
    (
        "exceptions.py _generic_classes",
        "256 classes with names of 256 KiB, then anew",
    ),
    (
        "exceptions.py _remote_classes",
        "the same; none of a client's classes",
    ),
    (
        "objects.py _classes",
        "living classes: each goes with its class",
    ),
    ("objects.py _methods", "classes that Python itself has"),
    (
        "proxies.py _live",
        "live proxies: each goes with the connection, which holds max_objects",
    ),
    (
        "proxies.py _peers_classes",
        "classes of live proxies, in connections that are open",
    ),
    ("proxies.py _forwarders", "1024 methods, then anew"),
    (
        "proxies.py _named_classes",
        "the builtins' names, and those of the program's own classes",
    ),
    (
        "attach.rs PENDING",
        "objects to be freed, until a thread may next run Python",
    ),
    (
        "thread_state.py _limits",
        "one for a client, until its code has ended",
    ),
    // Of its threads.
    ("here.rs CURRENT", "sessions that the thread runs"),
    ("interrupt.rs CURRENT", "one for a thread"),
    (
        "attach.rs RAISED",
        "one exception of a signal's handler, until it is raised",
    ),
    ("interrupt.rs THREADS", "one for an executing thread"),
    (
        "local.rs SEEN",
        "one for a thread; a session's goes with it",
    ),
];

/// The same of the core and of the servers, by file.
const TABLES_BELOW: &[(&str, &str)] = &[
    (
        "rpyc-core/src/connect/mod.rs KNOWN",
        "1,024 servers of another dialect, by address, and then anew",
    ),
    (
        "rpyc-core/src/dispatch/watchdog.rs WATCHDOG",
        "connections that are watched: dead ones go with the next look",
    ),
    (
        "rpyc-core/src/dispatch/watchdog.rs HELPERS",
        "4,096 threads, which end when they are idle; a job for each",
    ),
    (
        "rpyc-core/src/executor.rs SHARED",
        "4,096 threads, which end when they are idle; a job for each",
    ),
    (
        "rpyc-core/src/session/keep_alive.rs TABLE",
        "open connections, and which of them hold netrefs of which",
    ),
    // Of its threads.
    (
        "rpyc-core/src/dispatch/current.rs RUNNING",
        "requests that are nested on the thread: max_nested",
    ),
    (
        "rpyc-core/src/dispatch/blocked_threads.rs LOCAL",
        "counts: one for a thread",
    ),
];

/// Constants, numbers and classes of Rust's types: they hold nothing of a peer's.
const NO_TABLES_BELOW: &[&str] = &[
    "rpyc-core/macros/src/expand.rs CLASS",
    "rpyc-core/src/config.rs BIND_THREADS",
    "rpyc-core/src/config.rs SAFE_ATTRS",
    "rpyc-core/src/dispatch/current.rs LAST",
    "rpyc-core/src/dispatch/current.rs NUMBER",
    "rpyc-core/src/executor.rs INTERRUPTION",
    "rpyc-core/src/executor.rs IS_RETIRED",
    "rpyc-core/src/object/builtins/mod.rs DEPTH",
    "rpyc-core/src/object/builtins/mod.rs CLASS",
    "rpyc-core/src/object/identity.rs KEYS",
    "rpyc-core/src/object/identity.rs NEXT",
    "rpyc-core/src/session/opening.rs NEXT",
    "rpyc-core/src/sync.rs HELD",
    "rpyc-core/src/sync.rs STOPPED",
    "rpyc-server/src/server/client.rs LAST",
];

/// Constants, numbers, locks, and what the operator has set: they hold nothing of a peer's.
const NO_TABLES: &[&str] = &[
    "interactive.rs NEXT_NUMBER",
    "attach.rs ALL_INSIDE",
    "attach.rs EXECUTOR",
    "attach.rs INSIDE",
    "attach.rs IS_DRAIN_DUE",
    "attach.rs IS_FORKED",
    "attach.rs IS_MAIN",
    "attach.rs IS_STOPPED",
    "attach.rs RAISED",
    "attach.rs RUNS_PYTHON",
    "embedded.rs EVALUATOR",
    "here.rs SHARED",
    "host_thread.rs IS_HOST",
    "interpreter.rs CLAIMED",
    "Shared.class_space",
    "Shared.functions",
    "Shared.imports",
    "Shared.looking",
    "Shared.object_space",
    "Shared.plain_types",
    "Shared.runtime",
    "interned.rs IS_TOLD",
    "interrupt.rs IS_TIMED",
    "interrupt.rs IS_TRACED",
    "interrupt.rs LAST",
    "interrupt.rs START",
    "interrupt.rs TURN",
    "lib.rs IS_STARTED",
    "local.rs LAST",
    "memory.rs AFTER_LAST",
    "policy.rs POLICY",
    "mod.rs COUNT",
    "program.rs MAIN",
    "session.py _may_import",
    "session.py beginning",
    "stops.rs HELD_OFF",
    "stops.rs TURN",
    "thread.rs IS_OURS",
    "thread.rs LOST",
    "thread_state.rs JOB",
    "thread_state.rs NEW_THREAD",
    "thread_state.rs RUNS_SESSIONS",
];

#[test]
fn every_table_that_outlives_a_connection_has_a_bound() {
    let mut found = BTreeSet::new();
    for path in sources(&[
        "rpyc-classic/src",
        "rpyc-classic/cpython/src",
        "rpyc-classic/rustpython/src",
    ]) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        found.extend(tables(&name, &shipped(&path)));
    }
    assert_eq!(found, listed(TABLES, NO_TABLES));
}

#[test]
fn every_table_of_the_core_and_of_the_servers_has_a_bound() {
    let mut found = BTreeSet::new();
    for path in sources(&["rpyc-core/src", "rpyc-core/macros/src", "rpyc-server/src"]) {
        let name = path.strip_prefix(root()).expect("it is below");
        found.extend(tables(&name.to_string_lossy(), &shipped(&path)));
    }
    assert_eq!(found, listed(TABLES_BELOW, NO_TABLES_BELOW));
}

fn listed(tables: &[(&str, &str)], others: &[&str]) -> BTreeSet<String> {
    let tables = tables.iter().map(|(name, _)| *name);
    let listed = tables.chain(others.iter().copied());
    listed.map(str::to_owned).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below these folders, but for tests and the model checker's scenarios.
fn sources(folders: &[&str]) -> Vec<PathBuf> {
    let mut folders: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(&folder).expect("a folder of sources") {
            let path = file.expect("a file").path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            match path.is_dir() {
                true if stem == "model" => {}
                true => folders.push(path),
                false if !stem.ends_with("tests") => files.push(path.clone()),
                false => {}
            }
        }
    }
    files
}

/// The file without its unit tests.
fn shipped(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source");
    let shipped = text.split("#[cfg(test)]\nmod ").next();
    shipped.unwrap_or_default().to_owned()
}

/// The statics of a file, the fields of what all sessions share, and Python's containers by module.
fn tables(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_shared = false;
    for line in text.lines() {
        let line = line.trim_end();
        let code = line.trim_start();
        is_shared |= line.starts_with("pub struct Shared<P: Runtime> {");
        is_shared |= line.starts_with("pub(crate) struct Here {");
        is_shared &= line != "}";
        let field = code
            .split_once(": ")
            .filter(|_| is_shared && code.ends_with(',') && !code.starts_with("//"));
        if let Some((field, _)) = field {
            let field = field.rsplit(' ').next().unwrap_or_default();
            found.push(format!("Shared.{field}"));
        }
        let public = code
            .strip_prefix("pub(crate) ")
            .or(code.strip_prefix("pub "));
        let item = public
            .unwrap_or(code)
            .strip_prefix("static ")
            .and_then(|code| code.split_once(':'));
        // Tables of constants are slices.
        if let Some((name, _)) = item.filter(|(_, kind)| !kind.starts_with(" &[")) {
            found.push(format!("{file} {name}"));
        }
        let container = line.split_once(" = ").filter(|(name, value)| {
            let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
            is_name && ["{}", "[]", "set()", "_Bounded()"].contains(value)
        });
        if let Some((name, _)) = container.filter(|_| file.ends_with(".py")) {
            found.push(format!("{file} {name}"));
        }
    }
    found
}
