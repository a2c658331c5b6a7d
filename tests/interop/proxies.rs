//! Objects of the client in the code of the server: proxies that behave as what they stand for.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn a_proxy_has_the_methods_of_its_own_class_also_where_a_class_before_it_was_freed() {
    Server::start().check(
        r#"
        # A class is often made where one was freed a moment ago, under the same id, and maybe name.
        import gc
        conn.execute('def use(x): return len(x) if hasattr(type(x), "__len__") else x(3) if callable(x) else tuple(x)')
        use = conn.namespace['use']
        def classes(i):
            class Odd:
                if i % 3 == 0:
                    def __len__(self): return 9
                elif i % 3 == 1:
                    def __call__(self, x): return ('called', x)
                else:
                    def __iter__(self): return iter((1, 2))
            return Odd
        ids = set()
        for i in range(60):
            kind = classes(i)
            ids.add(id(kind))
            same(use(kind()), (9, ('called', 3), (1, 2))[i % 3])
            del kind
            gc.collect()
        assert len(ids) < 60, 'no id came twice: the test shows nothing'
        "#,
    );
}

#[test]
fn types_of_proxies_are_named_as_in_python() {
    Server::start().check(
        r#"
        class Local: pass
        names = conn.eval('lambda x: (type(x).__name__, type(x).__module__, repr(type(x)))')
        same(names([]), ('builtins.list', 'rpyc.core.netref', "<netref class 'rpyc.core.netref.builtins.list'>"))
        same(names(Local())[0], '__main__.Local')
        same(names(os)[0], 'os')
        "#,
    );
}

#[test]
fn isinstance_and_class_see_through_proxies() {
    Server::start().check(
        r#"
        class Base: pass
        class Derived(Base): pass
        conn.execute(dedent('''
            import collections.abc as abc, inspect, types
            def look(function, cls, module, generator, method, mapping, items, instance):
                return tuple(name for name, holds in dict(
                    function=isinstance(function, types.FunctionType) and inspect.isfunction(function) and callable(function),
                    cls=isinstance(cls, type) and inspect.isclass(cls) and cls.__class__ is type and not isinstance(instance, type),
                    module=inspect.ismodule(module), generator=inspect.isgenerator(generator) and isinstance(generator, abc.Iterator),
                    method=inspect.ismethod(method), mapping=isinstance(mapping, dict) and isinstance(mapping, abc.Mapping),
                    items=isinstance(items, (int, list)) and isinstance(items, abc.Sequence) and items.__class__ is list,
                    instance=isinstance(instance, object) and not isinstance(instance, list)).items() if not holds)
            def compare(base, derived, instance):
                return issubclass(derived, base), issubclass(base, derived), isinstance(instance, derived), isinstance(3, base)
        '''))
        class C:
            def m(self): pass
        same(conn.namespace['look'](lambda: 0, C, os, (i for i in ()), C().m, {}, [1], C()), ())
        same(conn.namespace['compare'](Base, Derived, Derived()), (True, False, True, False))
        same(conn.eval('lambda x: x.__dict__["a"]')(type('Own', (), {'__init__': lambda self: setattr(self, 'a', 5)})()), 5)
        "#,
    );
}

#[test]
fn containers_of_the_client_compare_by_their_items() {
    if better_than_stock("it doesn't look into the other's container") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute(dedent('''
            def compare(xs, d, s):
                return tuple(text for text in (
                    "xs == [1, 2]", "[1, 2] == xs", "not xs != [1, 2]", "xs != [1]", "xs < [1, 3]", "[1] < xs", "d == {'a': 1}",
                    "{'a': 1} == d", "s == {1, 2}", "{1, 2} == s", "{1} <= s", "s <= {1, 2, 3}", "[xs] == [[1, 2]]",
                    "xs in [[1, 2]]", "xs != (1, 2)", "not xs == None", "xs != 5") if not eval(text, dict(xs=xs, d=d, s=s)))
        '''))
        same(conn.namespace['compare']([1, 2], {'a': 1}, {1, 2}), ())
        for text, mine in (('[1, 2]', [1, 2]), ("{'a': 1}", {'a': 1}), ('{1, 2}', {1, 2}), ('[]', [])):
            theirs = conn.eval(text)
            assert theirs == mine and mine == theirs and not theirs != mine, text
        assert conn.eval('[1]') != [2] and conn.eval('[1]') != (1,)
        "#,
    );
}

#[test]
fn proxies_are_keys_and_members_and_have_weak_references() {
    Server::start().check(
        r#"
        class Key:
            def __init__(self, n): self.n = n
            def __hash__(self): return hash(self.n)
            def __eq__(self, other): return isinstance(other, Key) and self.n == other.n
        class Plain: val = 5
        conn.execute(dedent('''
            import gc, weakref
            def keys(a, b, same, f):
                d = {a: "a", b: "b", f: "f"}
                return d[a], d[b], d[same], d[f], len({a, b, same}), a in d, a == same, a != b, hash(a) == hash(same)
            def weak(x):
                died = []
                ref, proxy = weakref.ref(x, lambda _: died.append(1)), weakref.proxy(x)
                held = weakref.WeakKeyDictionary({x: 1}), weakref.WeakSet([x]), weakref.WeakValueDictionary(k=x)
                alive = ref() is x, proxy.val, tuple(len(h) for h in held)
                del x
                return alive, ref
            def gone(ref):
                gc.collect()
                return ref() is None
        '''))
        same(conn.namespace['keys'](Key(1), Key(2), Key(1), len), ('a', 'b', 'a', 'f', 2, True, True, True, True))
        alive, ref = conn.namespace['weak'](Plain())
        same(alive, (True, 5, (1, 1, 1)))
        eventually(lambda: conn.namespace['gone'](ref), 'the proxy is gone')
        "#,
    );
}

#[test]
fn functions_of_the_client_are_decorators_methods_and_targets_of_threads() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import concurrent.futures, functools, threading
            def use(decorator, function):
                @decorator
                def decorated(x): return x + 1
                class Own: method = function
                cached = functools.lru_cache(function)
                got = [decorated(5), functools.partial(function, 1)(2), cached(4), cached(4), functools.reduce(function, [1, 2, 3])]
                threads = [threading.Thread(target=function, args=(i,)) for i in range(3)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                with concurrent.futures.ThreadPoolExecutor(2) as pool:
                    got.append(sum(pool.map(function, range(4))))
                return tuple(got)
        '''))
        calls = []
        def total(*args):
            calls.append(args)
            return sum(args)
        same(conn.namespace['use'](lambda f: lambda x: f(x) * 10, total), (60, 3, 4, 4, 6, 6))
        assert {(0,), (1,), (2,)} <= set(calls)
        "#,
    );
}

#[test]
fn context_managers_of_the_client_see_the_servers_exceptions() {
    if better_than_stock("the client's __exit__ sees a TypeError of its own side") {
        return;
    }
    Server::start().check(
        r#"
        import contextlib
        conn.execute(dedent('''
            class OwnError(LookupError): pass
            def leave(manager, error):
                with manager as entered:
                    if error: raise error
                    return "returned"
                return "suppressed"
            def makes(manager, name, *args):
                return leave(manager, eval(name)(*args))
        '''))
        seen = []
        @contextlib.contextmanager
        def noted():
            try:
                yield 1
            except ValueError as error:
                seen.append(('value', error.args))
                raise
            except LookupError as error:
                seen.append(('lookup', error.args))
            finally:
                seen.append('out')
        makes = conn.namespace['makes']
        same(conn.namespace['leave'](noted(), None), 'returned')
        with raises(ValueError, 'text'):
            makes(noted(), 'ValueError', 'text', 2)
        same(makes(noted(), 'KeyError', 'k'), 'suppressed')
        same(makes(noted(), 'OwnError', 'nearest builtin class'), 'suppressed')
        same(seen, ['out', ('value', ('text', 2)), 'out', ('lookup', ('k',)), 'out', ('lookup', ('nearest builtin class',)), 'out'])
        same(makes(contextlib.suppress(ZeroDivisionError), 'ZeroDivisionError'), 'suppressed')
        "#,
    );
}

#[test]
fn nothing_is_unpickled_because_the_client_sent_it() {
    if better_than_stock("numpy's hook does, in some versions") {
        return;
    }
    Server::start().check(
        r#"
        pickled = []
        class Evil:
            def __reduce__(self):
                pickled.append(1)
                return print, ('run by unpickling',)
            def __array__(self, *args, **kwargs): return 1
        conn.execute(dedent('''
            import json, pprint, reprlib
            def touch(x):
                outcomes = []
                for act in (json.dumps, repr, pprint.pformat, hash, bool, dir, reprlib.repr, str, lambda x: x == 1,
                            lambda x: hasattr(x, "__array__"),
                            lambda x: hasattr(x, "__array_interface__")):
                    try: outcomes.append(act(x) is True)
                    except TypeError: pass
                return not any(outcomes[-2:])
        '''))
        assert conn.namespace['touch'](Evil())
        same(pickled, [])
        "#,
    );
}

#[test]
fn a_class_of_the_client_decides_by_the_rpyc_methods_who_may_do_what() {
    Server::start().check(
        r#"
        class Foo:
            def __init__(self): self.safe_a, self.b = 1, 2
            def safe_m(self, x): return x * 2
            def _rpyc_getattr(self, name):
                if name.startswith('safe_'): return getattr(self, name)
                raise AttributeError('no ' + name)
            def _rpyc_setattr(self, name, value):
                if not name.startswith('safe_'): raise AttributeError('no ' + name)
                setattr(self, name, value)
            def _rpyc_delattr(self, name):
                if not name.startswith('safe_'): raise AttributeError('no ' + name)
                delattr(self, name)
        conn.execute(dedent('''
            def use(foo):
                got = [foo.safe_a, foo.safe_m(4)]
                foo.safe_z = 3
                got.append(foo.safe_z)
                del foo.safe_z
                for act in (lambda: foo.b, lambda: setattr(foo, "b", 5), lambda: delattr(foo, "b"), lambda: foo.safe_z):
                    try: got.append(act())
                    except AttributeError: got.append("refused")
                return tuple(got)
        '''))
        foo = Foo()
        same(conn.namespace['use'](foo), (1, 8, 3) + ('refused',) * 4)
        same(foo.b, 2)
        "#,
    );
}

#[test]
fn a_restricted_object_of_the_client_shows_what_it_is_to() {
    Server::start().check(
        r#"
        class Thing: a, b = 1, 2
        thing = Thing()
        conn.execute(dedent('''
            def use(view):
                got = [view.a]
                view.a = 5
                for act in (lambda: view.b, lambda: setattr(view, "b", 1)):
                    try: got.append(act())
                    except AttributeError: got.append("refused")
                return tuple(got)
        '''))
        same(conn.namespace['use'](rpyc.restricted(thing, {'a'})), (1, 'refused', 'refused'))
        same((thing.a, thing.b), (5, 2))
        "#,
    );
}
