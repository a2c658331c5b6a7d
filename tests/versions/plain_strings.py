"""A classic client on Python 2, with plain strings where names stand; what they say as data stays bytes."""
from peer import *

import tempfile

conn = rpyc.classic.connect(HOST, PORT)
names = conn.namespace

# the namespace
names["x"] = 1
same(conn.eval("x"), 1)
same(names["x"], 1)
same(names[u"x"], 1)
same(names.get("x"), 1)
same(names.get("y", 2), 2)
assert "x" in names and "y" not in names
assert names.has_key("x")
same(names.setdefault("x", 3), 1)
same(names.setdefault("z", 3), 3)
same(conn.eval("z"), 3)
same(names.pop("z"), 3)
del names["x"]
with raises(NameError):
    conn.eval("x")
with raises(KeyError):
    names["x"]
names.update({"a": 1, u"b": 2})
same(conn.eval("a + b"), 3)
names.update([("c", 3)], d=4)
same(conn.eval("c + d"), 7)
names.__setitem__("e", 5)
same(conn.eval("e"), 5)
conn.builtin.getattr(names, "__setitem__")("e", 6)
same(conn.builtin.getattr(names, "get")("e"), 6)
same(conn.eval("globals()")["e"], 6)
assert [name for name in names.keys() if not isinstance(name, type(u""))] == []
names["word"] = "data"
same(conn.eval("word == b'data'"), True)

# modules
importlib = conn.modules.importlib
same(importlib.import_module("os.path").join("a", "b"), "a/b")
same(importlib.import_module(".path", "os").sep, "/")
same(importlib.import_module(name="os").sep, "/")
assert conn.modules["importlib.util"].find_spec("os") is not None
assert conn.modules["importlib.util"].find_spec("no_such_module") is None
same(conn.builtin.__import__("os").sep, "/")
same(conn.builtin.__import__("os.path", fromlist=["join"]).sep, "/")
same(conn.builtin.__import__("os.path", {}, {}, ("join",)).sep, "/")
same(conn.eval("__import__")("os").sep, "/")
same(conn.modules.sys.modules["os"].sep, "/")
assert "os" in conn.modules.sys.modules
same(conn.modules.os.__dict__["sep"], "/")

# attributes
conn.execute("""
class Thing(object):
    a = 1
    def __init__(self, **more):
        self.__dict__.update(more)
""")
thing = conn.eval("Thing()")
for builtin in conn.builtin, conn.builtins if hasattr(conn, "builtins") else conn.builtin:
    same(builtin.getattr(thing, "a"), 1)
    same(builtin.getattr(thing, "b", 7), 7)
    assert builtin.hasattr(thing, "a") and not builtin.hasattr(thing, "b")
    builtin.setattr(thing, "b", 2)
    same(thing.b, 2)
    builtin.delattr(thing, "b")
    assert not hasattr(thing, "b")
same(getattr(thing, "a"), 1)
setattr(thing, "b", "data")
same(thing.b, "data")
same(conn.eval("lambda thing: thing.b == b'data'")(thing), True)
same(conn.eval("Thing")(c=3).c, 3)
same(thing.__dict__["b"], "data")
same(conn.eval("Thing").__dict__["a"], 1)
same(conn.builtin.vars(thing)["b"], "data")
made = conn.builtin.type("Made", (conn.eval("Thing"),), conn.eval("dict(a=2)"))
same(made().a, 2)

# methods that Python 3 has renamed
numbers = conn.eval("{'one': 1}")
same([key for key in numbers.iterkeys()], ["one"])
same([value for value in numbers.itervalues()], [1])
same([pair for pair in numbers.iteritems()], [("one", 1)])
iterator = conn.eval("iter([1, 2])")
same(iterator.next(), 1)
same(next(iterator), 2)
with raises(StopIteration):
    iterator.next()
with raises(AttributeError):
    thing.next
thing.next = 5
same(thing.next, 5)

# dicts: where there is the text, it is meant; what is new is data
delivered = rpyc.classic.deliver(conn, {"a": 1, "b": {"c": 2}})
same(delivered["a"], 1)
same(delivered["b"]["c"], 2)
same(delivered.get("a"), 1)
assert "a" in delivered and delivered.has_key("a") and "z" not in delivered
delivered["a"] = 3
same(sorted(map(text, delivered.keys())), ["a", "b"])
same(delivered.pop("a"), 3)
del delivered["b"]
same(len(delivered), 0)
delivered["new"] = 1
same(conn.eval("lambda d: b'new' in d and 'new' not in d")(delivered), True)
both = conn.eval("{'k': 1, b'k': 2}")
same(both["k"], 2)
same(both[u"k"], 1)
same(conn.eval("__import__('collections').OrderedDict(a=1)")["a"], 1)
with raises(KeyError):
    conn.eval("{}")["nothing"]
same(rpyc.classic.obtain(conn.eval("{'a': [1]}")), {"a": [1]})

# what is no name is data
same(conn.eval("lambda word: type(word).__name__")("word"), "bytes")
same(conn.eval("lambda *words, **named: [type(w).__name__ for w in words + tuple(named.values())]")("a", b="c")[1], "bytes")
same(conn.builtin.len("word"), 4)
same(conn.builtin.type("word").__name__, "bytes")
same(conn.builtin.getattr(thing, "none", "data"), "data")
conn.execute("def getattr(thing, word): return type(word).__name__")
same(conn.eval("getattr")(thing, "a"), "bytes")
same(conn.modules.os.path.join("a", "b"), "a/b")
with raises(TypeError):
    conn.builtin.getattr(thing, "\xff")
with raises(KeyError):
    names["\xff"]

# files
folder = tempfile.mkdtemp()
here, there, back = [os.path.join(folder, name) for name in ("here", "there", "back")]
with open(here, "wb") as file:
    file.write(b"\x00\xff" * 70000)
rpyc.classic.upload(conn, here, there)
rpyc.classic.download(conn, there, back)
with open(back, "rb") as file:
    same(file.read(), b"\x00\xff" * 70000)
for path in here, there, back:
    os.remove(path)
with conn.builtin.open(there, "w", encoding="utf-8") as file:
    file.write(u"\xe9")
with open(there, "rb") as file:
    same(file.read(), b"\xc3\xa9")
os.remove(there)
os.rmdir(folder)
same(conn.builtin.eval(conn.builtin.compile("1 + 1", "code", "eval")), 2)
conn.close()
print("ok")
