"""A classic client, as programs with this version of rpyc are."""
from peer import *

conn = rpyc.classic.connect(HOST, PORT)
os_ = conn.modules.os
assert os.path.isabs(os_.getcwd())
same(conn.modules["os.path"].join("a", "b"), "a/b")

# keyword arguments
split = conn.modules.os.path.split
same(tuple(map(text, conn.eval("'a,b,c'").split(","))), ("a", "b", "c"))
box = conn.eval("dict")(one=1, two=2)
same(sorted(map(text, box.keys())), ["one", "two"])
same(conn.eval("lambda a, b=2, **more: (a, b, sorted(more))")(1, b=3, c=4)[:2], (1, 3))

# callbacks
seen = []
same(list(conn.eval("lambda f, xs: [f(x) for x in xs]")(lambda x: x + 1, (1, 2, 3))), [2, 3, 4])
conn.eval("lambda f: f(b'', key=7)")(lambda data, key: seen.append(key))
same(seen, [7])
with raises(ZeroDivisionError):
    conn.eval("lambda f: f()")(lambda: 1 // 0)

# containers of the client's, each by its own class, whatever else was given before
given = {"a": 1}
for code, wanted in [
    ("lambda d: [key for key in d]", ["a"]),
    ("lambda d: [pair for pair in d.items()]", [("a", 1)]),
    ("lambda d: list(dict(d).values())", [1]),
    ("lambda d: list(d.keys())", ["a"]),
]:
    same([text(item) for item in conn.eval(code)(given)], wanted)
same(conn.eval("lambda xs: sorted(xs)[0]")([3, 1, 2]), 1)
same(conn.eval("lambda xs: sum(xs)")(iter([1, 2])), 3)
same(conn.eval("lambda xs: sum(xs)")(x for x in (1, 2)), 3)
assert conn.eval("lambda d: isinstance(d, dict)")(given)
class Bag(object):
    def __init__(self, *items):
        self.items = list(items)
    def __iter__(self):
        return self
    def __next__(self):
        if not self.items:
            raise StopIteration
        return self.items.pop()
    next = __next__
    def __bool__(self):
        return len(self.items) > 1
    __nonzero__ = __bool__
    if PYTHON_2:
        del __next__, __bool__
same(conn.eval("lambda bag: (bool(bag), list(bag), bool(bag))")(Bag(1, 2))[::2], (True, False))
same(list(conn.eval("lambda bag: list(bag)")(Bag(1, 2))), [2, 1])

# exceptions
with raises(KeyError, "Remote Traceback") as raised:
    conn.eval("{}")["nothing"]
assert [text(arg) for arg in raised.value.args] == ["nothing"], raised.value.args
with raises(ValueError, "not this") as raised:
    conn.execute("raise ValueError('not this', 5)")
assert [text(arg) if arg != 5 else arg for arg in raised.value.args] == ["not this", 5], raised.value.args
with raises((IOError, OSError)) as raised:
    conn.modules.os.stat("/no/such/file")
assert raised.value.errno == 2, raised.value.errno

# iteration
same([number for number in conn.eval("iter([1, 2, 3])")], [1, 2, 3])
same([number for number in conn.eval("[1, 2, 3]")], [1, 2, 3])
same([number * 2 for number in conn.eval("(n for n in (1, 2, 3))")], [2, 4, 6])
same(len(conn.eval("[1, 2, 3]")), 3)
same(conn.eval("[1, 2, 3]")[1], 2)
same(list(conn.eval("[1, 2, 3]")[1:]), [2, 3])
same(sum(rpyc.buffiter(conn.eval("iter(range(100))"), 30)), 4950)
same(bool(conn.eval("[]")), False)
assert 2 in conn.eval("[1, 2, 3]")

# a context
folder = conn.modules.tempfile.mkdtemp()
path = os.path.join(folder, "file")
with conn.eval("open")(path, u"w") as file:
    file.write(conn.eval("'some text'"))
assert file.closed
same(conn.eval("open")(path).read(), "some text")
conn.modules.shutil.rmtree(folder)
conn.execute("""
class Context:
    seen = None
    def __enter__(self):
        return self
    def __exit__(self, kind, value, traceback):
        Context.seen = kind and kind.__name__
        return kind is not None and issubclass(kind, KeyError)
""")
context = conn.eval("Context()")
with context:
    pass
same(context.seen, None)
with context:
    raise KeyError("swallowed")
same(context.seen, "KeyError")

# what things are
assert isinstance(conn.modules.sys.path, list)
same(conn.modules.sys.path.__class__, list)
assert conn.eval("[1]") == conn.eval("[1]")
assert conn.eval("[1]") != conn.eval("[2]")
assert (conn.eval("[1]") < conn.eval("[2]")) is True
same(repr(conn.eval("[1, 2]")), "[1, 2]")
same(str(conn.eval("[1, 2]")), "[1, 2]")
assert "append" in dir(conn.eval("[]"))
if VERSION >= (4,) or PYTHON_2:
    hash(conn.eval("object()"))
    hash(conn.eval("type('Thing', (), {})()"))
conn.execute("count = 40")
same(conn.eval("count + 2"), 42)
conn.builtins.isinstance(conn.eval("[]"), conn.builtins.list)
conn.ping()

if VERSION >= (7,):
    # What classes are to each other, asked of either side. Its proxies ask seldom, and answer themselves for the rest.
    from rpyc.core import consts, netref
    conn.execute("class Animal: pass\nclass Cat(Animal): pass")
    animal, cat, some = conn.eval("Animal"), conn.eval("Cat"), conn.eval("Cat()")
    assert issubclass(cat, cat) and not issubclass(animal, cat)
    assert isinstance(some, animal) and isinstance(some, cat)
    for handler, cls, other, wanted in [
        (consts.HANDLE_SUBCLASSCHECK, animal, cat, True),
        (consts.HANDLE_SUBCLASSCHECK, cat, animal, False),
        (consts.HANDLE_INSTANCECHECK, animal, some, True),
        (consts.HANDLE_INSTANCECHECK, cat, conn.eval("Animal()"), False),
    ]:
        assert netref.syncreq(cls, handler, other.____id_pack__) is wanted
    with raises(TypeError):
        netref.syncreq(animal, consts.HANDLE_SUBCLASSCHECK, some.____id_pack__)
    same(conn.eval("lambda thing: type(thing).__name__")(some), "Cat")
    class Here(object):
        pass
    class Below(Here):
        pass
    asked = conn.eval("lambda one, other: (issubclass(one, other), issubclass(other, one))")
    same(asked(Below, Here), (True, False))
    asked = conn.eval("lambda thing, one, other: (isinstance(thing, one), isinstance(thing, other))")
    same(asked(Here(), Here, Below), (True, False))
    # types by value
    for kind in (int, bool, float, bytes, str, complex, type(None)):
        assert conn.eval("lambda kind: kind")(kind) is kind
        assert conn.eval("lambda kind, name: kind.__name__ == name and type(kind) is type")(kind, kind.__name__)
    assert conn.builtins.int is int and conn.eval("lambda kind: kind is int")(int)

# attributes
thing = conn.eval("type('Thing', (), {'a': 1})()")
thing.b = 2
same(thing.a + thing.b, 3)
del thing.b
with raises(AttributeError):
    thing.b

for number in range(50):
    conn.eval("[%d]" % number)
conn.close()
assert conn.closed
print("ok")
