//! `conn.root.getconn()`: the server's end of the connection, through which its code drives the client.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn it_is_one_object_that_says_what_it_is() {
    Server::start().check(
        r#"
        theirs = conn.root.getconn()
        assert theirs is conn.root.getconn() and theirs == conn.root.getconn() and theirs is conn.root._conn
        same(type(theirs).__name__, 'rpyc.core.protocol.Connection')
        assert isinstance(theirs, rpyc.Connection)
        same(theirs.closed, False)
        same(type(theirs.fileno()), int)
        "#,
    );
}

#[test]
fn ping_echoes_what_it_is_given_in_time() {
    Server::start().check(
        r#"
        theirs = conn.root.getconn()
        seen, original = [], conn._HANDLERS[rpyc.core.consts.HANDLE_PING]
        def ping(self, data):
            seen.append(data)
            return original(self, data)
        conn._HANDLERS[rpyc.core.consts.HANDLE_PING] = ping
        for data in ('text', b'bytes', 5, 'x' * 100_000):
            assert theirs.ping(data) is None
            same(seen.pop(), data)
        theirs.ping(data='named', timeout=20)
        same(seen.pop(), 'named')
        theirs.ping()
        assert seen.pop()
        conn._HANDLERS[rpyc.core.consts.HANDLE_PING] = lambda self, data: 'another'
        with raises(Exception):
            theirs.ping('sent')
        conn._HANDLERS[rpyc.core.consts.HANDLE_PING] = original
        with raises(TimeoutError):
            theirs.ping('data', timeout=0)
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn serving_by_hand_says_whether_something_came() {
    Server::start().check(
        r#"
        theirs = conn.root.getconn()
        same((theirs.poll(), theirs.poll(0.01), theirs.poll(timeout=0.01), theirs.serve(0.01), theirs.poll_all(0.01)), (False,) * 5)
        "#,
    );
}

#[test]
fn the_shortcuts_are_the_clients() {
    if better_than_stock("a slave's connection has no shortcuts there") {
        return;
    }
    Server::start().check(
        r#"
        theirs = conn.root.getconn()
        assert theirs.modules.sys is sys and theirs.modules['os.path'] is os.path
        assert 'os' in theirs.modules and 'no_such_module' not in theirs.modules
        assert theirs.builtins is theirs.builtin is __import__('builtins')
        assert theirs.namespace is conn._local_root.namespace
        conn.execute('def shortcuts(c): return c.eval("2 + 2"), c.namespace.get("z"), c.sync_request(1, "echo")')
        same(conn.namespace['shortcuts'](theirs), (4, None, 'echo'))
        "#,
    );
}

#[test]
fn code_of_the_server_closes_the_connection() {
    Server::start().check_program(
        r#"
        conn = connect()
        conn.execute('import threading\ndef later(c): threading.Thread(target=c.close).start()')
        try:
            conn.namespace['later'](conn.root.getconn())
            while True:
                conn.serve(PATIENCE)
        except EOFError:
            pass
        assert conn.closed
        with connect() as other:
            same(other.eval('1 + 1'), 2)
        "#,
    );
}

#[test]
fn a_function_of_the_server_is_teleported_to_the_client_by_its_source() {
    if better_than_stock("a slave's connection has no teleport there") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute('def triple(x, *, plus=0):\n    import os\n    return os.getpid(), 3 * x + plus\n')
        here = conn.root.getconn().teleport(conn.namespace['triple'])
        same(here(4, plus=1), (os.getpid(), 13))
        same(conn._local_root.namespace['triple'](1), (os.getpid(), 3))
        with raises(TypeError, 'source'):
            conn.root.getconn().teleport(conn.builtins.len)
        "#,
    );
}

#[test]
fn teleporting_bytecode_ends_in_a_type_error_that_says_what_to_do() {
    if better_than_stock("it takes the bytecode") {
        return;
    }
    Server::start().check(
        r#"
        def local(x):
            return x + 1
        began = time.monotonic()
        for teleport in (conn.teleport, lambda f: rpyc.classic.teleport_function(conn, f, globals={})):
            with raises(TypeError, 'import_source') as raised:
                teleport(local)
            assert 'RustPython' in str(raised.value) and 'bytecode' in str(raised.value)
        assert time.monotonic() - began < 10
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn a_function_of_the_client_is_teleported_by_its_source() {
    if better_than_stock("it takes bytecode only") {
        return;
    }
    Server::start().check(
        r#"
        import inspect
        def outer():
            def area(radius, *, digits=2):
                import math
                return round(math.pi * radius ** 2, digits) + shift
            return area
        import_source = conn.modules["rpyc.utils.teleportation"].import_source
        conn.execute('shift = 100')
        there = import_source(inspect.getsource(outer()), conn.namespace)
        same(there(2), 112.57)
        same(conn.eval('area(1, digits=0)'), 103.0)
        assert type(there).__name__ == 'builtins.function'
        # In a namespace of its own.
        def double(x): return 2 * x
        same(import_source(inspect.getsource(double))(21), 42)
        assert 'double' not in conn.namespace
        import_source('def area(): return "not defined"', conn.namespace, def_=False)
        same(conn.eval('area(1, digits=0)'), 103.0)
        with raises(TypeError, 'defines no function'):
            import_source('x = 1')
        with raises(SyntaxError):
            import_source('def f(:')
        "#,
    );
}
