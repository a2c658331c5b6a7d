//! Values at the edges of what the wire carries, both ways.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn plain_values_go_both_ways_with_their_exact_types() {
    Server::start().check(
        r#"
        echo = conn.eval('lambda x: x')
        kind = conn.eval('lambda x: type(x).__name__')
        for value in (None, True, False, 0, 1, -1, -48, -49, 159, 160, 2**31, -2**63, 2**64, 10**300, 0.0, 1e308, 5e-324,
                      1j, -2.5 + 3j, '', 'x', 'x' * 255, 'x' * 256, 'ü€😀', '\0', b'', b'x', b'abcd', b'abcde', b'x' * 300,
                      (), (1,), (1, 2, 3, 4), (1, 2, 3, 4, 5), tuple(range(300)), ((), ((),)), ..., NotImplemented,
                      slice(None), slice(1, 2, 3), slice('a', (1,), None), frozenset(), frozenset((1, 'two', (3,))),
                      frozenset((frozenset((1,)),)), (None, True, 1, 1.0, '1', b'1')):
            same(echo(value), value)
            same(kind(value), type(value).__name__)
        "#,
    );
}

#[test]
fn special_floats_keep_every_bit() {
    Server::start().check(
        r#"
        import struct
        bits = lambda x: struct.pack('!d', x)
        conn.execute('import struct\ndef bits(x): return struct.pack("!d", x)')
        for text in ('nan', '-nan', 'inf', '-inf', '-0.0', '0.1', '1e-310'):
            value = float(text)
            same(bits(conn.eval(f'float("{text}")')), bits(value))
            same(conn.namespace['bits'](value), bits(value))
        same(bits(conn.eval('complex(-0.0, float("inf"))').real), bits(-0.0))
        "#,
    );
}

#[test]
fn integers_of_thousands_of_digits_go_by_value() {
    Server::start().check(
        r#"
        echo = conn.eval('lambda x: x')
        for value in (10**3999, -10**3999, 10**4299, 10**4300 - 1, -(10**4300 - 1), 7**5000):
            same(echo(value), value)
        same(conn.eval('10**4000 + 1'), 10**4000 + 1)
        conn.namespace['x'] = 3**8000
        same(conn.eval('x == 3**8000'), True)
        "#,
    );
}

#[test]
fn integers_too_long_for_the_client_go_by_reference() {
    if better_than_stock("such a reply ends the connection") {
        return;
    }
    Server::start().check(
        r#"
        big = conn.eval('10**5000')
        same(big.bit_length(), (10**5000).bit_length())
        same(big % 1000, 0)
        same(big > 5, True)
        conn.namespace['big'] = big
        same(conn.eval('big == 10**5000'), True)
        same(conn.eval('10**4300') % 7, 10**4300 % 7)
        pair = conn.eval('(1, 10**5000)')
        same(pair[0], 1)
        conn.ping()
        "#,
    );
}

#[test]
fn text_with_surrogates_never_ends_the_connection() {
    if better_than_stock("such a reply ends the connection") {
        return;
    }
    Server::start().check(
        r#"
        def attempt(text):
            try:
                conn.eval(text) if '\n' not in text else conn.execute(text)
            except Exception:
                pass
            same(conn.eval('2 + 2'), 4)
        for text in (r"'\ud800'", r"('a', '\udcff')", r"['\ud800']", r"b'\xff'.decode('utf-8', 'surrogateescape')",
                     "raise ValueError('\\ud800')\n", "raise KeyError(('\\udcff', 1))\n",
                     "e = ValueError('x')\ne.note = '\\ud800'\nraise e", "class X:\n    def __repr__(self): return '\\ud800'\n"):
            attempt(text)
        try:
            assert 'd800' in repr(conn.eval('X()'))
        except Exception:
            pass
        with raises(ValueError):
            conn.execute("raise ValueError('\\ud800')")
        same(conn.eval(r"len('\ud800')"), 1)
        with raises(UnicodeEncodeError):
            conn.namespace['x'] = '\ud800'
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn text_with_surrogates_fails_only_where_it_would_have_to_travel() {
    if better_than_stock("such a reply ends the connection") {
        return;
    }
    Server::start().check(
        r#"
        text = conn.eval(r"'a\ud800\udfff'")
        same(repr(text), r"'a\ud800\udfff'")
        same(len(text), 3)
        same(conn.eval(r"ascii('a\ud800')"), r"'a\ud800'")
        same(conn.modules.builtins.ascii(text), r"'a\ud800\udfff'")
        same(text.encode('utf-16-le', 'surrogatepass'), b'a\x00\x00\xd8\xff\xdf')
        def refused(act, escaped):
            with raises(UnicodeEncodeError) as raised:
                act()
            error = raised.value
            same(error.object[error.start:error.end], escaped)
            # Python names a single character.
            assert len(escaped) > 6 or escaped in str(error), str(error)
            assert 'x27' not in str(error), str(error)
        refused(lambda: str(text), r'\ud800\udfff')
        refused(lambda: conn.eval(r"'\ud800'.encode()"), r'\ud800')
        refused(lambda: conn.execute(r"open('/dev/null', 'w').write('ab\udc80')"), r'\udc80')
        with raises(ValueError) as raised:
            conn.execute(r"raise ValueError('a\ud800', ['\ud800'])")
        same(raised.value.args, (r'a\ud800', r"['\ud800']"))
        "#,
    );
}

#[test]
fn thirty_megabytes_go_both_ways() {
    Server::start().check(
        r#"
        size = 30_000_000
        data = os.urandom(1 << 16) * (size >> 16)
        conn.namespace['data'] = data
        same(conn.eval('len(data)'), len(data))
        assert conn.namespace['data'] == data
        noise = os.urandom(size)
        assert conn.eval('lambda x: x')(noise) == noise
        same(conn.eval(f'bytes({size})'), bytes(size))
        text = 'ü€' * 1_000_000
        assert conn.eval('lambda x: x')(text) == text
        many = tuple(range(200_000))
        assert conn.eval('lambda x: x')(many) == many
        "#,
    );
}

#[test]
fn every_size_about_the_limits_of_frames_and_chunks_arrives() {
    Server::start().check(
        r#"
        echo = conn.eval('lambda x: x')
        for size in (2970, 2990, 3000, 3001, 8191, 8192, 16383, 63_970, 63_990, 64_000, 64_001, 65_535, 65_536, 128_000, 1 << 20):
            for data in (os.urandom(size), bytes(size)):
                assert echo(data) == data, size
        "#,
    );
}

#[test]
fn tuples_with_references_in_them_arrive_as_tuples() {
    Server::start().check(
        r#"
        got = conn.eval('(1, [2], ("x", {3: 4}, (5, [])), frozenset((6,)))')
        assert type(got) is tuple and type(got[2]) is tuple and type(got[2][2]) is tuple
        same((got[0], list(got[1]), got[2][0], got[2][1][3], len(got[2][2][1]), got[3]), (1, [2], 'x', 4, 0, frozenset((6,))))
        mine = ['local']
        back = conn.eval('lambda x: x')((1, (mine, ('deep', mine))))
        same(back[0], 1)
        assert back[1][0] is mine and back[1][1][1] is mine
        nested = []
        for _ in range(60):
            nested = (nested,)
        inner = conn.eval('lambda x: x')(nested)
        while type(inner) is tuple:
            inner, = inner
        same(inner, [])
        "#,
    );
}

#[test]
fn subclasses_of_plain_types_go_by_reference() {
    Server::start().check(
        r#"
        import collections, enum
        Point = collections.namedtuple('Point', 'x y')
        class Level(enum.IntEnum):
            HIGH = 3
        class Name(str): pass
        echo = conn.eval('lambda x: x')
        for value in (Point(1, 2), Level.HIGH, Name('n'), (Name('n'), 1)):
            assert echo(value) == value
        assert echo(Level.HIGH) is Level.HIGH
        conn.execute('import collections, enum\nPoint = collections.namedtuple("Point", "x y")\n'
                     'class Level(enum.IntEnum):\n    HIGH = 3')
        p = conn.eval('Point(1, y=2)')
        same((p.x, p.y, p[1], tuple(p), len(p)), (1, 2, 2, (1, 2), 2))
        same((conn.eval('Level.HIGH').name, conn.eval('Level.HIGH') + 1), ('HIGH', 4))
        "#,
    );
}

#[test]
fn sets_of_references_and_slices_of_references_go_by_reference() {
    Server::start().check(
        r#"
        conn.execute('class K: pass')
        s = conn.eval('frozenset((K(), 1))')
        assert len(s) == 2 and 1 in s
        cut = conn.eval('slice(K(), None)')
        assert cut.stop is None
        "#,
    );
}

#[test]
fn a_list_nested_two_hundred_deep_is_walked_by_reference() {
    Server::start().check(
        r#"
        conn.execute('xs = []\nfor i in range(200): xs = [xs, i]')
        xs, seen = conn.namespace['xs'], []
        while len(xs):
            xs, i = xs
            seen.append(i)
        same(seen, list(reversed(range(200))))
        "#,
    );
}
