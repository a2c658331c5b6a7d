"""What is recorded of a classic client: a little of everything, always the same."""
from peer import *

asynchronous = getattr(rpyc, "async_", None) or getattr(rpyc, "async")

conn = rpyc.classic.connect(HOST, PORT)
# values; what was a long in Python 2 crosses as one
same(conn.eval("lambda *values: values")(1, 10 ** 30, 2.5, None, True, u"\xe9"), (1, 10 ** 30, 2.5, None, True, u"\xe9"))
conn.execute("count = 40")
same(conn.namespace[u"count"], 40)
same(conn.eval("count + 2"), 42)
# proxies and their operators
numbers = conn.eval("[1, 2, 3]")
numbers.append(4)
same([number for number in numbers], [1, 2, 3, 4])
same(len(numbers), 4)
same(numbers[1], 2)
same(repr(numbers), "[1, 2, 3, 4]")
assert numbers == conn.eval("[1, 2, 3, 4]")
assert isinstance(numbers, list)
# callbacks
seen = []
same(list(conn.eval("lambda f, xs: [f(x) for x in xs]")(lambda x: x + 1, (1, 2))), [2, 3])
conn.eval("lambda f: f(7)")(seen.append)
same(seen, [7])
# exceptions, both ways
with raises(KeyError):
    conn.eval("{}")["nothing"]
with raises(ZeroDivisionError):
    conn.eval("lambda f: f()")(lambda: 1 // 0)
# attributes of an object that is given back
thing = conn.eval("__import__('argparse').Namespace(a=1)")
thing.b = 2
same(thing.a + thing.b, 3)
del thing.b
with raises(AttributeError):
    thing.b
del thing, numbers
# requests on the way at the same time
double = conn.eval("lambda x: x * 2")
results = [asynchronous(double)(number) for number in (1, 2, 3)]
same([result.value for result in results], [2, 4, 6])
conn.close()
print("ok")
