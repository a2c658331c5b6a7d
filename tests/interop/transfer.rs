//! Files up and down, values by copy, pickle allowed and refused.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn a_file_goes_up_and_down_unchanged() {
    Server::start().check(
        r#"
        import tempfile
        here, there = tempfile.mkdtemp(), tempfile.mkdtemp()
        content = os.urandom(1 << 20) + bytes(1 << 20) + bytes(range(256)) * 4096
        assert len(content) == 3 << 20
        original, copy, back = (os.path.join(*p) for p in ((here, 'original'), (there, 'copy'), (here, 'back')))
        with open(original, 'wb') as f:
            f.write(content)
        rpyc.classic.upload(conn, original, copy)
        assert open(copy, 'rb').read() == content
        rpyc.classic.download(conn, copy, back)
        assert open(back, 'rb').read() == content
        open(original, 'wb').close()
        rpyc.classic.upload(conn, original, copy)
        rpyc.classic.download(conn, copy, back)
        same(os.path.getsize(back), 0)
        "#,
    );
}

#[test]
fn folders_go_up_and_down_with_all_they_hold() {
    Server::start().check(
        r#"
        import tempfile
        base = tempfile.mkdtemp()
        tree = {'a.txt': b'text\r\n', 'sub/b.bin': bytes(range(256)) * 1000, 'sub/deeper/c': b'', 'ünï.dat': b'\xff\x00'}
        for name, content in tree.items():
            path = os.path.join(base, 'tree', name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'wb') as f:
                f.write(content)
        os.mkdir(os.path.join(base, 'tree', 'empty'))
        def read(root):
            found = {}
            for folder, _, names in os.walk(root):
                for name in names:
                    path = os.path.join(folder, name)
                    found[os.path.relpath(path, root)] = open(path, 'rb').read()
            return found
        up, down, some = (os.path.join(base, n) for n in ('up', 'down', 'some'))
        rpyc.classic.upload(conn, os.path.join(base, 'tree'), up)
        assert read(up) == tree and os.path.isdir(os.path.join(up, 'empty'))
        rpyc.classic.download(conn, up, down)
        assert read(down) == tree
        rpyc.classic.download(conn, up, some, filter=lambda name: not name.endswith('.bin'))
        assert set(read(some)) == set(tree) - {'sub/b.bin'}
        with raises(ValueError):
            rpyc.classic.download(conn, '/no/such/file', down)
        "#,
    );
}

#[test]
fn a_package_of_the_client_is_uploaded_and_imported() {
    Server::start().check(
        r#"
        import tempfile
        here, there = tempfile.mkdtemp(), tempfile.mkdtemp()
        os.mkdir(os.path.join(here, 'uploaded'))
        for name, text in (('__init__.py', 'from .part import answer\n'), ('part.py', 'def answer():\n    return 42\n')):
            with open(os.path.join(here, 'uploaded', name), 'w') as f:
                f.write(text)
        sys.path.append(here)
        import uploaded
        rpyc.classic.upload_package(conn, uploaded, os.path.join(there, 'uploaded'))
        conn.modules.sys.path.append(there)
        same(conn.modules.uploaded.answer(), 42)
        same(conn.modules['uploaded.part'].__name__, 'uploaded.part')
        "#,
    );
}

#[test]
fn obtain_copies_a_remote_object_by_value() {
    Server::start().check(
        r#"
        text = "{'list': [1, 2.5, None, [True]], 'set': {1, 2}, (1, 'k'): b'bytes', 'nested': {'d': {'e': ['f']}}, 'big': 2**100}"
        remote = conn.eval(text)
        copy = rpyc.classic.obtain(remote)
        same(copy, eval(text))
        copy['list'].append('only here')
        same(len(remote['list']), 4)
        same(rpyc.classic.obtain(conn.eval('list(range(1000))')), list(range(1000)))
        same(rpyc.classic.obtain(conn.eval('{"x", frozenset((1,))}')), {'x', frozenset((1,))})
        same(rpyc.classic.obtain(conn.eval('bytearray(b"ab")')), bytearray(b'ab'))
        import datetime, decimal, fractions, collections
        for expression in ('datetime.datetime(2024, 2, 29, 12, 30)', 'datetime.timedelta(days=1.5)', 'decimal.Decimal("1.50")',
                           'fractions.Fraction(1, 3)', 'collections.OrderedDict(a=1)', 'collections.deque([1, 2])',
                           'complex(1, 2)', 'range(3)', 'ValueError("x", 1).args'):
            conn.execute('import datetime, decimal, fractions, collections')
            same(rpyc.classic.obtain(conn.eval(expression)), eval(expression))
        with raises(Exception):
            rpyc.classic.obtain(conn.eval('lambda: 0'))
        conn.ping()
        "#,
    );
}

#[test]
fn deliver_copies_a_local_object_by_value() {
    Server::start().check(
        r#"
        local = {'list': [1, 2.5, None], 'set': {1}, 'text': 'ü', (1, 2): {'deep': [b'x']}}
        remote = rpyc.classic.deliver(conn, local)
        conn.namespace['remote'] = remote
        same(conn.eval('type(remote) is dict and type(remote["list"]) is list'), True)
        same(rpyc.classic.obtain(remote), local)
        remote['list'].append(4)
        same(len(local['list']), 3)
        import datetime
        conn.namespace['when'] = rpyc.classic.deliver(conn, datetime.date(2024, 2, 29))
        same(conn.eval('when.year'), 2024)
        "#,
    );
}

#[test]
fn obtain_and_pickle_copy_deeply_nested_lists() {
    Server::start().check(
        r#"
        import pickle
        conn.execute('xs = []\nfor i in range(200): xs = [xs]')
        depth, xs = 0, rpyc.classic.obtain(conn.namespace['xs'])
        while xs:
            depth, xs = depth + 1, xs[0]
        same(depth, 200)
        same(pickle.loads(pickle.dumps(conn.eval('[1, [2]]'), protocol=2)), [1, [2]])
        same(conn.modules.pickle.loads(pickle.dumps([1, 2], protocol=4))[1], 2)
        same(pickle.loads(conn.modules.pickle.dumps(conn.eval('{"k": [1]}'), 4)), {'k': [1]})
        "#,
    );
}

#[test]
fn a_server_without_pickle_refuses_it() {
    if better_than_stock("it has no such option") {
        return;
    }
    Server::with_options(&["--no-pickle"]).check(
        r#"
        with raises(ValueError, 'pickling is disabled'):
            rpyc.classic.obtain(conn.eval('[1]'))
        same(list(conn.eval('[1]')), [1])
        "#,
    );
}

#[test]
fn a_client_without_pickle_refuses_it() {
    Server::start().check(
        r#"
        conn._config['allow_pickle'] = False
        with raises(ValueError, 'pickling is disabled'):
            conn.modules.pickle.dumps(['of the client'])
        conn._config['allow_pickle'] = True
        assert type(conn.modules.pickle.dumps(['of the client'])) is bytes
        "#,
    );
}
