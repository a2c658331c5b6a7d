//! Remote context managers in the client's `with`.

use rpyc_tests::{Server, better_than_stock};

const MANAGER: &str = r#"
conn.execute(dedent('''
    class Manager:
        def __init__(self, suppress=False):
            self.suppress, self.log = suppress, []
        def __enter__(self):
            self.log.append("enter")
            return self
        def __exit__(self, kind, value, traceback):
            self.kind, self.value, self.traceback = kind, value, traceback
            self.log.append("exit")
            return self.suppress
'''))
"#;

#[test]
fn a_with_block_enters_and_exits() {
    Server::start().check(&format!(
        r#"{MANAGER}
manager = conn.eval('Manager()')
with manager as entered:
    assert entered is manager
    same(list(manager.log), ['enter'])
same(list(manager.log), ['enter', 'exit'])
assert manager.kind is None and manager.value is None and manager.traceback is None
"#
    ));
}

#[test]
fn exit_sees_an_exception_of_the_block_as_an_instance_of_its_class() {
    if better_than_stock("its __exit__ gets the client's class instead of an exception") {
        return;
    }
    Server::start().check(&format!(
        r#"{MANAGER}
manager = conn.eval('Manager()')
with raises(ValueError, 'of the block'):
    with manager:
        raise ValueError('of the block')
same(list(manager.log), ['enter', 'exit'])
conn.namespace['manager'] = manager
same(conn.eval('manager.kind is ValueError'), True)
same(conn.eval('isinstance(manager.value, ValueError)'), True)
"#
    ));
}

#[test]
fn exit_that_returns_true_suppresses_the_exception() {
    if better_than_stock("its __exit__ gets the client's class, and a TypeError results") {
        return;
    }
    Server::start().check(&format!(
        r#"{MANAGER}
with conn.eval('Manager(suppress=True)'):
    raise ValueError('not seen outside')
with conn.modules.contextlib.suppress(conn.builtins.KeyError):
    raise KeyError('suppressed by the class of the server')
with raises(ValueError, 'passes'):
    with conn.modules.contextlib.suppress(conn.builtins.KeyError):
        raise ValueError('passes')
"#
    ));
}

#[test]
fn the_clients_exception_leaves_a_with_block_over_a_generator_based_manager() {
    if better_than_stock("its __exit__ gets the client's class, and a TypeError results") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import contextlib
            log = []
            @contextlib.contextmanager
            def noted():
                log.append("in")
                try:
                    yield "it"
                except LookupError:
                    log.append("lookup error")
                    raise
                finally:
                    log.append("out")
        '''))
        with raises(KeyError):
            with conn.eval('noted()') as it:
                same(it, 'it')
                raise KeyError('k')
        same(list(conn.namespace['log']), ['in', 'lookup error', 'out'])
        "#,
    );
}

#[test]
fn a_file_is_closed_by_its_with_block() {
    Server::start().check(
        r#"
        import tempfile
        path = os.path.join(tempfile.mkdtemp(), 'file.txt')
        with conn.builtins.open(path, 'w') as f:
            f.write('line 1\nline 2\n')
        same(f.closed, True)
        with conn.builtins.open(path) as f:
            same([line for line in f], ['line 1\n', 'line 2\n'])
        same(f.closed, True)
        with raises(ValueError):
            f.read()
        "#,
    );
}

#[test]
fn a_file_is_closed_by_a_with_block_that_fails() {
    if better_than_stock(
        "its __exit__ gets the client's class, and a TypeError replaces the exception",
    ) {
        return;
    }
    Server::start().check(
        r#"
        import tempfile
        path = os.path.join(tempfile.mkdtemp(), 'file.txt')
        with raises(ZeroDivisionError):
            with conn.builtins.open(path, 'w') as f:
                1 / 0
        same(f.closed, True)
        "#,
    );
}

#[test]
fn a_remote_lock_is_held_within_its_with_block() {
    Server::start().check(
        r#"
        lock = conn.modules.threading.Lock()
        with lock:
            same(lock.locked(), True)
        same(lock.locked(), False)
        rlock = conn.modules.threading.RLock()
        with rlock:
            with rlock:
                pass
        "#,
    );
}
