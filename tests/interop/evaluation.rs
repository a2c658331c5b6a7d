//! `conn.eval`, `conn.execute`, `conn.namespace`.

use rpyc_tests::Server;

#[test]
fn eval_returns_plain_values_by_value() {
    Server::start().check(
        "
        for text in ('None', 'True', 'False', '0', '-1', '2**80', '-2**80', '1.5', '2-3j', \"''\",
                     \"'text \\\\u20ac'\", \"b''\", \"b'bytes'\", '()', '(1, (2, \\'x\\'))', '...', 'NotImplemented',
                     'frozenset({1, 2})', 'frozenset()', 'slice(1, None, -2)'):
            same(conn.eval(text), eval(text))
        ",
    );
}

#[test]
fn eval_returns_everything_else_by_reference() {
    Server::start().check(
        "
        from rpyc.core.netref import BaseNetref
        for text in ('[]', '{}', 'set()', 'lambda: 0', 'object()', 'int', 'iter(())', 'range(3)', 'bytearray()',
                     \"__import__('sys')\", \"type('Number', (int,), dict(__module__='m'))(3)\", 'Exception()'):
            remote = conn.eval(text)
            assert isinstance(type(remote), type) and issubclass(type(remote), BaseNetref), text
        ",
    );
}

#[test]
fn execute_runs_statements_and_returns_nothing() {
    Server::start().check(
        "
        assert conn.execute(dedent('''
            import math
            def area(radius, *, digits=2):
                return round(math.pi * radius ** 2, digits)
            total = 0
            for i in range(5):
                total += i
        ''')) is None
        same(conn.namespace['area'](2), 12.57)
        same(conn.namespace['area'](2, digits=0), 13.0)
        same(conn.eval('area(1, digits=4)'), 3.1416)
        same(conn.eval('total'), 10)
        ",
    );
}

#[test]
fn eval_and_execute_share_the_namespace_with_the_client() {
    Server::start().check(
        "
        conn.namespace['x'] = 20
        conn.execute('y = x + 1')
        same(conn.namespace['y'], 21)
        same(conn.eval('x + y'), 41)
        conn.execute('def later(): return x')
        conn.namespace['x'] = 'changed'
        same(conn.eval('later()'), 'changed')
        ",
    );
}

#[test]
fn the_namespace_is_a_dict() {
    Server::start().check(
        "
        ns = conn.namespace
        assert isinstance(ns, dict)
        ns['a'], ns['b'] = 1, 'two'
        assert {'a', 'b'} <= set(ns.keys()) and 'a' in ns and 'c' not in ns
        same(ns.get('c', 'none'), 'none')
        same(ns.pop('a'), 1)
        del ns['b']
        assert 'a' not in ns and 'b' not in ns
        with raises(KeyError) as raised:
            ns['a']
        same(raised.value.args, ('a',))
        with raises(KeyError):
            del ns['a']
        ns.update(dict(p=1, q=2))
        same(conn.eval('p + q'), 3)
        assert ('p', 1) in [tuple(item) for item in ns.items()]
        ns.clear()
        with raises(NameError):
            conn.eval('p')
        ",
    );
}

#[test]
fn shortcuts_are_those_of_the_root() {
    Server::start().check(
        "
        conn.root.execute('z = 3')
        same(conn.root.eval('z'), 3)
        same(conn.eval('z'), 3)
        assert conn.root.namespace is conn.namespace
        assert conn.root.getmodule('sys') is conn.modules.sys
        ",
    );
}

#[test]
fn an_error_in_the_text_is_a_syntax_error_with_its_place() {
    Server::start().check(
        "
        with raises(SyntaxError) as raised:
            conn.eval('1 +')
        same(raised.value.lineno, 1)
        with raises(SyntaxError) as raised:
            conn.execute('x = 1\\ny = = 2')
        same(raised.value.lineno, 2)
        with raises(IndentationError):
            conn.execute('if True:\\nx = 1')
        same(conn.eval('2'), 2)
        ",
    );
}

#[test]
fn text_of_any_alphabet_arrives_as_it_was() {
    Server::start().check(
        "
        text = 'naïve Ünïcödé Привет 你好 😀 \\0 \\u200b \\n'
        same(conn.eval(repr(text)), text)
        conn.namespace['text'] = text
        same(conn.eval('text'), text)
        same(conn.eval('len(text)'), len(text))
        conn.execute('größe = \"groß\"')
        same(conn.namespace['größe'], 'groß')
        ",
    );
}

#[test]
fn programs_use_the_whole_language() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import asyncio, contextlib, dataclasses, enum, functools, typing

            class Colour(enum.Enum):
                RED = 1
                BLUE = 2

            @dataclasses.dataclass(order=True)
            class Point:
                x: int
                y: int = 0

            @functools.lru_cache(None)
            def fib(n):
                return n if n < 2 else fib(n - 1) + fib(n - 2)

            def shape(value):
                match value:
                    case Point(x=0, y=0): return "origin"
                    case [first, *rest]: return f"list of {1 + len(rest)}"
                    case {"kind": kind}: return kind
                    case _: return "other"

            async def twice(x):
                await asyncio.sleep(0)
                return 2 * x

            async def gathered():
                return sum(await asyncio.gather(*(twice(i) for i in range(5))))

            @contextlib.contextmanager
            def noted(notes):
                notes.append("in")
                try:
                    yield
                finally:
                    notes.append("out")

            def flow():
                notes = []
                with noted(notes):
                    if (n := len(notes)) == 1:
                        notes.append(n)
                return tuple(notes)

            def outer():
                count = 0
                def step():
                    nonlocal count
                    count += 1
                    return count
                return step
        '''))
        same(conn.eval('Colour(2).name'), 'BLUE')
        same(conn.eval('Point(1) < Point(1, 2)'), True)
        same(conn.eval('str(Point(3, 4))'), 'Point(x=3, y=4)')
        same(conn.eval('fib(80)'), 23416728348467685)
        same(conn.eval('[shape(v) for v in (Point(0), [1, 2], dict(kind="k"), 5)] == ["origin", "list of 2", "k", "other"]'), True)
        same(conn.eval('asyncio.run(gathered())'), 20)
        same(conn.eval('flow()'), ('in', 1, 'out'))
        step = conn.eval('outer()')
        same((step(), step()), (1, 2))
        same(conn.eval('sum(x * x for x in range(10) if x % 2)'), 165)
        same(conn.eval('(lambda *a, k=1, **kw: (a, k, tuple(kw)))(1, 2, k=3, z=4)'), ((1, 2), 3, ('z',)))
        "#,
    );
}
