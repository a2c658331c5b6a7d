//! `conn.root.getconn()`: the server's end of the connection, through which its code drives the client.

use rpyc_tests::server::is_stock;
use rpyc_tests::{Evaluator, Server, better_than_stock, only_on};

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
fn it_offers_the_names_that_pythons_own_connection_has() {
    let stock = Server::python();
    let ours = Server::start();
    let script = ours.client(
        r#"
        with rpyc.classic.connect(HOST, int(sys.argv[1])) as other:
            stock, theirs = other.root.getconn(), conn.root.getconn()
            names, here = set(dir(stock)), set(dir(theirs))
            public = {name for name in names if not name.startswith('_')}
            assert {'serve_all', 'async_request', 'root'} <= public
            assert public <= here, public - here
            # What is inside of it is Python's own, but for what programs reach for.
            reached_for = {'_bind_threads', '_channel', '_closed', '_config', '_last_traceback', '_local_root', '_remote_root'}
            assert reached_for <= names & here, reached_for - here
            for name in public | reached_for:
                getattr(theirs, name)
            assert all(callable(getattr(c, name)) for c in (theirs, stock) for name in public - {'closed', 'root'})
            same(list(theirs._config), list(stock._config))
            config = dict(theirs._config.items())
            for name, value in stock._config.items():
                if name not in ('connid', 'endpoints', 'logger', 'safe_attrs'):
                    assert config[name] == value, (name, config[name], value)
            same(set(config['safe_attrs']), set(stock._config['safe_attrs']))
            same(config['endpoints'], ((HOST, PORT), (HOST, local_port(conn))))
            same((len(theirs._config), 'connid' in theirs._config, 'nothing' in theirs._config), (len(config), True, False))
            with raises(KeyError, 'nothing'):
                theirs._config['nothing']
        "#,
    );
    ours.succeed(
        script
            .argument(stock.address().port().to_string())
            .outcome(),
    );
}

#[test]
fn options_are_changed_while_the_connection_lives() {
    Server::start().check(
        r#"
        config = conn.root.getconn()._config
        config['include_local_traceback'] = False
        with raises(ZeroDivisionError) as raised:
            conn.eval('1 / 0')
        assert '1 / 0' not in raised.value._remote_tb
        config['include_local_traceback'] = True
        config['allow_setattr'] = False
        with raises(AttributeError):
            conn.modules.string.extra = 1
        config['allow_setattr'] = True
        config['sync_request_timeout'] = 0.1
        conn.execute('def call(f): return f()')
        with raises(TimeoutError):
            conn.namespace['call'](lambda: time.sleep(1))
        "#,
    );
}

#[test]
fn what_it_offers_and_what_it_runs_over_can_be_asked_for() {
    Server::start().check(
        r#"
        theirs = conn.root.getconn()
        assert theirs._local_root == conn.root
        same(theirs._local_root.eval('1 + 1'), 2)
        assert theirs.root is theirs._remote_root and theirs._remote_root.getmodule('sys') is sys
        same((theirs._closed, theirs._bind_threads, theirs._channel.closed), (False, conn._bind_threads, False))
        same(theirs._channel.fileno(), theirs.fileno())
        same(theirs._channel.stream.fileno(), theirs.fileno())
        socket = theirs._channel.stream.sock
        same((socket.getpeername(), socket.getsockname()), ((HOST, local_port(conn)), (HOST, PORT)))
        conn.execute(dedent("""
            def who_asks(c): return c._channel.stream.sock.getpeername()
        """))
        same(conn.namespace['who_asks'](theirs), (HOST, local_port(conn)))
        del socket
        conn.ping()
        "#,
    );
}

#[test]
fn requests_that_are_not_waited_for_give_results_as_in_python() {
    Server::start().check(
        r#"
        from rpyc.core import consts
        theirs = conn.root.getconn()
        result = theirs.async_request(consts.HANDLE_PING, 'echo')
        assert isinstance(result, rpyc.core.async_.AsyncResult)
        result.wait()
        same((result.value, result.ready, result.error, result.expired), ('echo', True, False, False))
        told = []
        result.add_callback(lambda result: told.append(result.value))
        same(told, ['echo'])
        def fails(): raise LookupError('of the client')
        failed = theirs.async_request(consts.HANDLE_CALL, fails, (), (), timeout=20)
        with raises(LookupError):
            failed.value
        same(failed.error, True)
        late = theirs.async_request(consts.HANDLE_PING, 1, timeout=0)
        with raises(TimeoutError):
            late.value
        same(late.expired, True)
        with raises(TypeError):
            theirs.async_request(consts.HANDLE_PING, 1, no_such_option=2)
        conn.execute(dedent("""
            import threading
            def use(c, handler, function):
                told, values = threading.Event(), []
                result = c.async_request(handler, function, (20,), ())
                result.add_callback(lambda result: (values.append(result.value), told.set()))
                result.set_expiry(20)
                result.wait()
                assert told.wait(20)
                return result.value, tuple(values)
        """))
        same(conn.namespace['use'](theirs, consts.HANDLE_CALL, lambda x: x + 1), (21, (21,)))
        "#,
    );
}

#[test]
fn it_is_served_by_a_request_until_it_closes() {
    Server::start().check_program(
        r#"
        for serve in ('serve_all', 'serve_threaded'):
            conn = connect()
            conn.execute('import threading\nevent = threading.Event()')
            serving = rpyc.async_(getattr(conn.root.getconn(), serve))()
            same(conn.eval('1 + 1'), 2)
            if serve == 'serve_threaded' and not IS_STOCK:
                # One request waits for what another one does, which Python's own threads don't manage.
                waiting = rpyc.async_(conn.eval)('event.wait(20)')
                conn.execute('event.set()')
                same(waiting.value, True)
            conn.close()
            assert conn.closed
        with connect() as conn:
            for wrong in (0, -1, 100_000, 'many'):
                with raises((ValueError, TypeError)):
                    conn.root.getconn().serve_threaded(wrong) if not IS_STOCK else int('x')
        "#
        .replace("IS_STOCK", if is_stock() { "True" } else { "False" })
        .as_str(),
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
    if !only_on(
        Evaluator::RustPython,
        "CPython runs the bytecode of its own version",
    ) {
        return;
    }
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
