//! Every operator on remote objects.

use rpyc_tests::Server;

/// A number whose operators answer with what was asked of them.
const NUMBER: &str = r#"
conn.execute(dedent('''
    def binary(name):
        return lambda self, other: (name, other)
    def unary(name):
        return lambda self: (name,)
    names = "add sub mul truediv floordiv mod divmod pow lshift rshift and or xor matmul".split()
    body = {"__module__": "numbers"}
    for name in names:
        body[f"__{name}__"] = binary(name)
        body[f"__r{name}__"] = binary("r" + name)
    for name in "neg pos abs invert".split():
        body[f"__{name}__"] = unary(name)
    Number = type("Number", (), body)
'''))
n = conn.eval('Number()')
"#;

#[test]
fn arithmetic_and_bitwise_operators_are_the_objects_own() {
    Server::start().check(&format!(
        r#"{NUMBER}
same(n + 1, ('add', 1)); same(n - 1, ('sub', 1)); same(n * 2, ('mul', 2))
same(n / 2, ('truediv', 2)); same(n // 2, ('floordiv', 2)); same(n % 2, ('mod', 2))
same(divmod(n, 3), ('divmod', 3)); same(n ** 3, ('pow', 3)); same(n @ 3, ('matmul', 3))
same(n << 1, ('lshift', 1)); same(n >> 1, ('rshift', 1))
same(n & 1, ('and', 1)); same(n | 1, ('or', 1)); same(n ^ 1, ('xor', 1))
same(-n, ('neg',)); same(+n, ('pos',)); same(abs(n), ('abs',)); same(~n, ('invert',))
"#
    ));
}

#[test]
fn reflected_operators_are_the_objects_own() {
    Server::start().check(&format!(
        r#"{NUMBER}
same(1 + n, ('radd', 1)); same(1 - n, ('rsub', 1)); same(2 * n, ('rmul', 2))
same(2 / n, ('rtruediv', 2)); same(2 // n, ('rfloordiv', 2)); same(2 % n, ('rmod', 2))
same(divmod(3, n), ('rdivmod', 3)); same(3 ** n, ('rpow', 3)); same(3 @ n, ('rmatmul', 3))
same(1 << n, ('rlshift', 1)); same(1 >> n, ('rrshift', 1))
same(1 & n, ('rand', 1)); same(1 | n, ('ror', 1)); same(1 ^ n, ('rxor', 1))
"#
    ));
}

#[test]
fn in_place_operators_keep_the_object() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Box:
                def __init__(self): self.log = []
            for name in "add sub mul truediv floordiv mod pow lshift rshift and or xor matmul".split():
                def method(self, other, name=name):
                    self.log.append((name, other))
                    return self
                setattr(Box, f"__i{name}__", method)
        '''))
        original = box = conn.eval('Box()')
        box += 1; box -= 2; box *= 3; box /= 4; box //= 5; box %= 6; box **= 7
        box <<= 8; box >>= 9; box &= 10; box |= 11; box ^= 12; box @= 13
        assert box is original
        same([entry[1] for entry in box.log], list(range(1, 14)))
        same(box.log[0], ('add', 1))
        xs = same_xs = conn.eval('[1]')
        xs += [2]
        xs *= 2
        assert xs is same_xs and tuple(xs) == (1, 2, 1, 2)
        s = conn.eval('{1, 2, 3}')
        s &= conn.eval('{2, 3, 4}')
        s |= conn.eval('{9}')
        assert set(s) == {2, 3, 9}
        "#,
    );
}

#[test]
fn conversions_are_the_objects_own() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Value:
                def __int__(self): return 41
                def __float__(self): return 2.5
                def __complex__(self): return 1+2j
                def __index__(self): return 3
                def __bool__(self): return False
                def __hash__(self): return 12345
                def __bytes__(self): return b"raw"
                def __format__(self, spec): return f"<{spec}>"
                def __round__(self, digits=None): return ("rounded", digits)
                def __trunc__(self): return 7
                def __floor__(self): return 8
                def __ceil__(self): return 9
                def __length_hint__(self): return 11
                def __len__(self): return 10
            class Plain: pass
            class Empty:
                def __len__(self): return 0
        '''))
        import math, operator
        v = conn.eval('Value()')
        same(int(v), 41); same(float(v), 2.5); same(complex(v), 1+2j)
        same(operator.index(v), 3); same('abcdef'[v], 'd'); same(hex(v), '0x3')
        same(bool(v), False); same(hash(v), 12345); same(bytes(v), b'raw')
        same(f'{v:>9}', '<>9>'); same(format(v), '<>'); same('{:x}'.format(v), '<x>')
        same(round(v), ('rounded', None)); same(round(v, 2), ('rounded', 2))
        same((math.trunc(v), math.floor(v), math.ceil(v)), (7, 8, 9))
        same(len(v), 10)
        same(bool(conn.eval('Plain()')), True)
        same(bool(conn.eval('Empty()')), False)
        same((bool(conn.eval('[]')), bool(conn.eval('[0]')), bool(conn.eval('{}'))), (False, True, False))
        "#,
    );
}

#[test]
fn comparisons_are_the_objects_own() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Ordered:
                def __init__(self, n): self.n = n
                def __eq__(self, other): return self.n == getattr(other, "n", other)
                def __ne__(self, other): return not self == other
                def __lt__(self, other): return self.n < getattr(other, "n", other)
                def __le__(self, other): return self.n <= getattr(other, "n", other)
                def __gt__(self, other): return self.n > getattr(other, "n", other)
                def __ge__(self, other): return self.n >= getattr(other, "n", other)
                def __hash__(self): return hash(self.n)
            class Odd:
                def __eq__(self, other): return ("eq", other)
                def __lt__(self, other): return ("lt", other)
        '''))
        one, two = conn.eval('Ordered(1)'), conn.eval('Ordered(2)')
        assert one < two and one <= two and two > one and two >= one and one != two
        assert not (one > two or one >= two or one == two)
        assert one == 1 and two != 1 and one < 5 and 5 > one and 0 <= one
        assert one == conn.eval('Ordered(1)')
        same(sorted([two, one])[0], one)
        odd = conn.eval('Odd()')
        same(odd == 1, ('eq', 1))
        same(odd < 2, ('lt', 2))
        xs = conn.eval('[1, 2]')
        assert xs == conn.eval('[1, 2]') and xs != conn.eval('[1]') and xs < conn.eval('[1, 3]')
        assert conn.eval('{1}') <= conn.eval('{1, 2}')
        with raises(TypeError):
            conn.eval('object()') < conn.eval('object()')
        with raises(TypeError):
            conn.eval('[]') < 3
        assert not (conn.eval('object()') == 3) and conn.eval('object()') != 3
        "#,
    );
}

#[test]
fn lists_behave_as_lists() {
    Server::start().check(
        r#"
        xs = conn.eval('[5, 3, 8]')
        assert isinstance(xs, list) and len(xs) == 3 and 3 in xs and 4 not in xs
        same((xs[0], xs[-1]), (5, 8))
        xs.append(1); xs.extend((9, 9)); xs.insert(0, 'first')
        same(xs.pop(0), 'first')
        xs[1] = 33
        del xs[0]
        same(list(xs), [33, 8, 1, 9, 9])
        xs.sort(reverse=True)
        same(tuple(xs), (33, 9, 9, 8, 1))
        xs.reverse()
        same((xs.index(9), xs.count(9)), (2, 2))
        same(list(reversed(xs)), [33, 9, 9, 8, 1])
        same(list(xs * 2), list(xs) + list(xs))
        same(list(2 * xs), list(xs) * 2)
        same(list(xs + conn.eval('[0]')), [1, 8, 9, 9, 33, 0])
        with raises(IndexError):
            xs[99]
        with raises(TypeError):
            xs['x']
        with raises(ValueError):
            xs.remove('absent')
        with raises(TypeError):
            hash(xs)
        a, *rest = xs
        same((a, rest), (1, [8, 9, 9, 33]))
        "#,
    );
}

#[test]
fn dicts_behave_as_dicts() {
    Server::start().check(
        r#"
        d = conn.eval("{'a': 1, 2: 'two', (1, 2): None}")
        assert isinstance(d, dict) and len(d) == 3
        same((d['a'], d[2], d[1, 2]), (1, 'two', None))
        d['new'] = b'bytes'
        assert 'new' in d and d['new'] == b'bytes'
        del d[2]
        same(sorted(str(k) for k in d), ['(1, 2)', 'a', 'new'])
        same([tuple(i) for i in d.items()], [('a', 1), ((1, 2), None), ('new', b'bytes')])
        same(dict(d), {'a': 1, (1, 2): None, 'new': b'bytes'})
        same(d.setdefault('s', 4), 4)
        same(d.get('zz', 'default'), 'default')
        with raises(KeyError):
            d['absent']
        with raises(TypeError):
            d[conn.eval('[]')] = 1
        merged = d | conn.eval("{'m': 1}")
        assert len(merged) == 5 and merged['m'] == 1
        d.clear()
        assert not d
        same({**conn.eval("{'x': 1}")}, {'x': 1})
        "#,
    );
}

#[test]
fn sets_behave_as_sets() {
    Server::start().check(
        r#"
        a, b = conn.eval('{1, 2, 3}'), conn.eval('{3, 4}')
        assert isinstance(a, set)
        same(set(a & b), {3}); same(set(a | b), {1, 2, 3, 4}); same(set(a - b), {1, 2}); same(set(a ^ b), {1, 2, 4})
        a.add(7); a.discard(1); a.update((8, 9))
        same(set(a), {2, 3, 7, 8, 9})
        assert 7 in a and len(a) == 5 and not a.isdisjoint(b)
        with raises(KeyError):
            a.remove('absent')
        with raises(TypeError):
            a | 3
        "#,
    );
}

#[test]
fn strings_bytearrays_and_subclasses_by_reference_behave_as_such() {
    Server::start().check(
        r#"
        conn.execute('class Text(str): pass')
        t = conn.eval('Text("some text")')
        assert len(t) == 9 and 'me' in t and t[0] == 's' and t[-4:] == 'text'
        same(t.upper(), 'SOME TEXT'); same(t + '!', 'some text!'); same(t * 2, 'some textsome text')
        same(str(t), 'some text'); same(f'{t:>10}', ' some text'); 
        same(list(t.split()), ['some', 'text'])
        assert t == 'some text' and t != 'x' and t < 'z' and hash(t) == conn.builtins.hash('some text')
        same(conn.eval('Text("%s and %s")') % ('a', 1), 'a and 1')
        array = conn.eval('bytearray(b"abc")')
        array[0] = 65
        array += b'd'
        same(bytes(array), b'Abcd')
        assert len(array) == 4 and array[1] == 98
        number = conn.eval('type("Number", (int,), {"__module__": "numbers"})(20)')
        same((number + 1, 1 + number, number // 3, -number, divmod(number, 7), 2 ** number), (21, 21, 6, -20, (2, 6), 1 << 20))
        assert number == 20 and number > 3 and int(number) == 20
        "#,
    );
}

#[test]
fn items_are_read_set_and_deleted_by_the_objects_own_methods() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Table:
                def __init__(self): self.log = []
                def __getitem__(self, key): return ("get", key)
                def __setitem__(self, key, value): self.log.append(("set", key, value))
                def __delitem__(self, key): self.log.append(("del", key))
                def __contains__(self, key): return key == "inside"
                def __missing__(self, key): return None
        '''))
        table = conn.eval('Table()')
        same(table['k'], ('get', 'k')); same(table[1, 2], ('get', (1, 2))); same(table[...], ('get', ...))
        same(table[1:2], ('get', slice(1, 2))); same(table[::3, None], ('get', (slice(None, None, 3), None)))
        table['a'] = 5
        del table['b']
        table[1:3] = 'cut'
        same(list(table.log), [('set', 'a', 5), ('del', 'b'), ('set', slice(1, 3), 'cut')])
        assert 'inside' in table and 'outside' not in table
        "#,
    );
}

#[test]
fn slices_of_lists_with_steps_are_read_assigned_and_deleted() {
    Server::start().check(
        r#"
        conn.execute('xs = list(range(10))')
        xs, local = conn.namespace['xs'], list(range(10))
        for cut in (slice(None), slice(2, 5), slice(-3, None), slice(None, None, 2), slice(None, None, -1),
                    slice(8, 2, -3), slice(5, 5), slice(50, 60), slice(None, -8)):
            same(list(xs[cut]), local[cut])
        xs[2:4] = ['a', 'b', 'c']; local[2:4] = ['a', 'b', 'c']
        same(list(xs), local)
        xs[::5] = (0, 0, 0); local[::5] = (0, 0, 0)
        same(list(xs), local)
        del xs[1:3]; del local[1:3]
        del xs[::-2]; del local[::-2]
        same(list(xs), local)
        xs[:] = conn.eval('[1, 2]')
        same(list(xs), [1, 2])
        with raises(ValueError):
            xs[::2] = (1, 2, 3)
        "#,
    );
}

#[test]
fn an_operator_that_an_object_lacks_is_a_type_error() {
    Server::start().check(
        r#"
        thing = conn.eval('object()')
        for attempt in (lambda: thing + 1, lambda: 1 - thing, lambda: -thing, lambda: thing[0], lambda: len(thing),
                        lambda: iter(thing), lambda: thing(), lambda: int(thing), lambda: thing < 1,
                        lambda: round(thing), lambda: 1 in thing, lambda: thing @ 2):
            with raises(TypeError):
                attempt()
        "#,
    );
}
