//! Calls with arguments of every kind, iteration, generators.

use rpyc_tests::Server;

#[test]
fn positional_and_keyword_arguments_arrive_as_given() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            def f(a, b=2, *args, c, d=4, **more):
                return (a, b, args, c, d, tuple(sorted(more.items())))
        '''))
        f = conn.namespace['f']
        same(f(1, c=3), (1, 2, (), 3, 4, ()))
        same(f(1, 5, 6, 7, c=8, d=9, z=10, y=11), (1, 5, (6, 7), 8, 9, (('y', 11), ('z', 10))))
        same(f(*[1, 2], **{'c': 3, 'x y': 4}), (1, 2, (), 3, 4, (('x y', 4),)))
        with raises(TypeError):
            f(1)
        with raises(TypeError):
            f(1, 2, c=3, a=4)
        "#,
    );
}

#[test]
fn arguments_by_reference_are_the_clients_own_objects() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            def fill(target, **named):
                target.append(len(target))
                named["more"]["key"] = "value"
                return target
        '''))
        mine, more = [0, 0], {}
        assert conn.namespace['fill'](mine, more=more) is mine
        same(mine, [0, 0, 2])
        same(more, {'key': 'value'})
        "#,
    );
}

#[test]
fn objects_with_call_are_callable() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Adder:
                def __init__(self, n): self.n = n
                def __call__(self, x, times=1): return self.n + x * times
        '''))
        add = conn.eval('Adder(5)')
        assert callable(add) and callable(conn.eval('Adder'))
        same((add(1), add(1, times=3)), (6, 8))
        same(conn.eval('Adder')(1)(1), 2)
        "#,
    );
}

#[test]
fn a_client_iterates_over_remote_iterables() {
    Server::start().check(
        r#"
        same([x for x in conn.eval('[1, 2, 3]')], [1, 2, 3])
        same(list(conn.eval('range(0, 10, 3)')), [0, 3, 6, 9])
        same(sorted(conn.eval('{"a": 1, "b": 2}')), ['a', 'b'])
        same([(k, v) for k, v in conn.eval('{"a": 1, "b": 2}').items()], [('a', 1), ('b', 2)])
        same(list(conn.eval('(x * x for x in range(4))')), [0, 1, 4, 9])
        same(list(conn.eval('reversed([1, 2, 3])')), [3, 2, 1])
        same(list(conn.eval('bytearray(b"ab")')), [97, 98])
        same([list(row) for row in conn.eval('[[1], [2, 3]]')], [[1], [2, 3]])
        conn.execute(dedent('''
            class Countdown:
                def __init__(self, n): self.n = n
                def __iter__(self): return self
                def __next__(self):
                    if not self.n: raise StopIteration
                    self.n -= 1
                    return self.n
            class Sequence:
                def __getitem__(self, i):
                    if i > 2: raise IndexError
                    return i * 10
        '''))
        same(list(conn.eval('Countdown(3)')), [2, 1, 0])
        same(list(conn.eval('Sequence()')), [0, 10, 20])
        assert 20 in conn.eval('Sequence()') and 2 in conn.eval('Countdown(3)')
        same(sum(conn.eval('range(101)')), 5050)
        same(dict(zip('ab', conn.eval('[1, 2]'))), {'a': 1, 'b': 2})
        "#,
    );
}

#[test]
fn next_ends_with_stop_iteration() {
    Server::start().check(
        r#"
        it = iter(conn.eval('[1]'))
        same(next(it), 1)
        with raises(StopIteration):
            next(it)
        same(next(it, 'default'), 'default')
        with raises(StopIteration):
            conn.builtins.next(conn.builtins.iter(()))
        "#,
    );
}

#[test]
fn a_generator_is_driven_by_send_throw_and_close() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            notes = []
            def echo():
                try:
                    got = None
                    while True:
                        try:
                            got = yield got
                        except ValueError as error:
                            got = ("caught", str(error))
                finally:
                    notes.append("closed")
        '''))
        g = conn.eval('echo()')
        same(next(g), None)
        same(g.send('hello'), 'hello')
        same(g.throw(conn.builtins.ValueError('bad')), ('caught', 'bad'))
        g.close()
        same(list(conn.namespace['notes']), ['closed'])
        with raises(StopIteration):
            next(g)
        "#,
    );
}

#[test]
fn buffiter_fetches_everything_in_order() {
    Server::start().check(
        r#"
        same(list(rpyc.buffiter(conn.eval('range(3000)'))), list(range(3000)))
        same(list(rpyc.buffiter(conn.eval('[]'))), [])
        same(list(rpyc.buffiter(conn.eval('["x"]'), chunk=1)), ['x'])
        same(list(rpyc.buffiter(conn.eval('(str(i) for i in range(50))'), chunk=7, max_chunk=20, factor=3)),
             [str(i) for i in range(50)])
        same([list(x) for x in rpyc.buffiter(conn.eval('[[1], [2]]'))], [[1], [2]])
        conn.execute(dedent('''
            def failing():
                yield 1
                raise LookupError("inside")
        '''))
        with raises(LookupError, 'inside'):
            list(rpyc.buffiter(conn.eval('failing()')))
        "#,
    );
}

#[test]
fn bound_methods_can_be_kept_and_called_later() {
    Server::start().check(
        r#"
        xs = conn.eval('[]')
        push = xs.append
        for i in range(5):
            push(i)
        same(list(xs), [0, 1, 2, 3, 4])
        assert push.__self__ is xs
        same(push.__name__, 'append')
        join = conn.eval('"-".join')
        same(join(['a', 'b']), 'a-b')
        "#,
    );
}

#[test]
fn an_object_that_is_not_callable_says_so() {
    Server::start().check(
        r#"
        with raises(TypeError):
            conn.eval('[]')()
        with raises(TypeError):
            conn.eval('5')()
        with raises(AttributeError):
            conn.eval('[]').no_such_method()
        "#,
    );
}
