//! `import rpyc` in the code that the server runs: what programs use of it there.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn the_modules_that_programs_reach_for_are_there() {
    Server::start().check(
        r#"
        for name in ('rpyc', 'rpyc.core', 'rpyc.core.async_', 'rpyc.core.brine', 'rpyc.core.consts', 'rpyc.core.netref',
                     'rpyc.core.protocol', 'rpyc.core.service', 'rpyc.core.vinegar', 'rpyc.lib', 'rpyc.lib.compat', 'rpyc.utils',
                     'rpyc.utils.classic', 'rpyc.utils.factory', 'rpyc.utils.helpers', 'rpyc.utils.teleportation', 'rpyc.version'):
            same(conn.modules[name].__name__, name)
        conn.execute('import rpyc')
        for name in ('AsyncResult', 'AsyncResultTimeout', 'BaseNetref', 'BgServingThread', 'GenericException', 'Service', 'SlaveService',
                     'VoidService', 'async_', 'buffiter', 'classic', 'connect', 'exposed', 'restricted', 'service', 'spawn', 'timed'):
            assert conn.eval(f'rpyc.{name}') is not None, name
        same(conn.eval('rpyc.__version__'), rpyc.__version__)
        same(conn.modules['rpyc.version'].version, rpyc.version.version)
        same(conn.eval('rpyc.version.version'), rpyc.version.version)
        import rpyc.core.consts as consts
        for name in dir(consts):
            if name.startswith(('HANDLE_', 'MSG_', 'LABEL_')):
                same(getattr(conn.modules['rpyc.core.consts'], name), getattr(consts, name))
        with raises(AttributeError, 'nothing_of_the_kind'):
            conn.eval('rpyc.nothing_of_the_kind')
        "#,
    );
}

#[test]
fn values_are_dumped_and_loaded_as_by_the_client() {
    Server::start().check(
        r#"
        from rpyc.core import brine
        theirs = conn.modules['rpyc.core.brine']
        for value in (None, True, 5, -1, 2 ** 70, 1.5, 1j, 'text', b'bytes', (1, ('x', None)), frozenset((1,)), slice(1, None), ...):
            same(theirs.dump(value), brine.dump(value))
            same(theirs.load(brine.dump(value)), value)
            assert theirs.dumpable(value)
        assert not theirs.dumpable(conn.eval('[1]'))
        with raises(TypeError):
            theirs.dump(conn.eval('[1]'))
        with raises(Exception):
            theirs.load(b'\xff')
        "#,
    );
}

#[test]
fn helpers_work_on_objects_of_the_client() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import rpyc
            def buffered(items): return tuple(rpyc.buffiter(items)), tuple(rpyc.buffiter(items, chunk=1, max_chunk=2))
            def limited(it):
                view = rpyc.restricted(it, {"a", "b"}, ("b",))
                return view
            def background(c):
                thread = rpyc.BgServingThread(c)
                thread.stop()
                return "stopped"
            class Thing: a, b, c = 1, 2, 3
            thing = Thing()
            view = rpyc.restricted(thing, {"a", "b"}, ("b",))
        '''))
        same(conn.namespace['buffered'](list(range(50))), (tuple(range(50)),) * 2)
        view = conn.namespace['view']
        same((view.a, view.b), (1, 2))
        view.b = 5
        same(conn.eval('thing.b'), 5)
        for attempt in (lambda: view.c, lambda: setattr(view, 'a', 1), lambda: setattr(view, 'c', 1)):
            with raises(AttributeError):
                attempt()
        same(conn.namespace['background'](conn.root.getconn()), 'stopped')
        "#,
    );
}

#[test]
fn calls_of_the_client_need_not_be_waited_for() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import rpyc, threading
            def use(slow, failing):
                call = rpyc.async_(slow)
                result = call(20, plus=1)
                told = threading.Event()
                values = []
                result.add_callback(lambda r: (values.append(r.value), told.set()))
                result.wait()
                assert told.wait(20)
                late = rpyc.async_(failing)()
                try: late.value
                except LookupError: failed = late.error
                timed = rpyc.timed(slow, 20)(1)
                return result.value, result.ready, result.error, result.expired, tuple(values), failed, timed.value
            def expires(quick):
                result = rpyc.timed(quick, 0)(1)
                try: result.value
                except rpyc.AsyncResultTimeout: return isinstance(rpyc.AsyncResultTimeout(), TimeoutError), result.expired
        '''))
        def slow(x, plus=0):
            return x + plus
        def failing():
            raise LookupError('of the client')
        same(conn.namespace['use'](slow, failing), (21, True, False, False, (21,), True, 1))
        for _ in range(50):
            same(conn.namespace['expires'](slow), (True, True))
        with raises(ValueError, '0 seconds or more'):
            conn.eval('rpyc.timed')(slow, -1)(1)
        with raises(TypeError, 'must be a Netref'):
            conn.eval('rpyc.async_(len)')
        "#,
    );
}

#[test]
fn the_server_drives_the_client_as_the_client_does_the_server() {
    if better_than_stock("a slave's connection has no shortcuts there") {
        return;
    }
    Server::start().check(
        r#"
        import tempfile
        here, there = tempfile.mkdtemp(), tempfile.mkdtemp()
        os.makedirs(os.path.join(there, 'tree', 'sub'))
        for name, content in (('a', b'1' * 200_000), ('sub/b', b'\0\xff')):
            with open(os.path.join(there, 'tree', name), 'wb') as f:
                f.write(content)
        conn.execute(dedent('''
            import rpyc, os
            from rpyc.utils import classic
            def exchange(c, here, there):
                classic.upload(c, os.path.join(there, "tree"), os.path.join(here, "up"))
                classic.download(c, os.path.join(here, "up"), os.path.join(there, "back"), filter=lambda name: name != "a")
                copy = classic.obtain(c.eval("[1, {'k': (2, [3])}]"))
                copy.append(4)
                given = classic.deliver(c, {"d": [5]})
                return type(copy) is list and copy == [1, {"k": (2, [3])}, 4], given
            def write(c):
                with classic.redirected_stdio(c):
                    c.execute("print('of the client')")
        '''))
        theirs = conn.root.getconn()
        copied, given = conn.namespace['exchange'](theirs, here, there)
        same((copied, given), (True, {'d': [5]}))
        same(open(os.path.join(here, 'up', 'sub', 'b'), 'rb').read(), b'\0\xff')
        same(os.path.getsize(os.path.join(here, 'up', 'a')), 200_000)
        same(os.listdir(os.path.join(there, 'back')), ['sub'])
        stdout = sys.stdout
        conn.namespace['write'](theirs)
        assert sys.stdout is stdout
        "#,
    );
}

#[test]
fn a_mock_connection_is_the_interpreter_itself() {
    Server::start().check(
        r#"
        conn.execute('from rpyc.utils.classic import MockClassicConnection\nmock = MockClassicConnection()')
        mock = conn.namespace['mock']
        mock.execute('x = 20')
        same((mock.eval('x + 1'), mock.namespace['x'], mock.builtins.len('abc')), (21, 20, 3))
        assert conn.eval('mock.modules.sys is __import__("sys") and "os" in mock.modules and "no_such" not in mock.modules')
        # The same code, here and there.
        for c in (rpyc.classic.MockClassicConnection(), conn):
            c.execute('def f(x): return x * 2')
            same(c.namespace['f'](4), 8)
        "#,
    );
}
