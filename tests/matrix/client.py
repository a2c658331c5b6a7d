"""The scenarios, with stock rpyc as the client."""
import gc


def client():
    return rpyc.connect(HOST, PORT, config={"allow_pickle": True})


conn = client()
root = conn.root

# values
for value in (None, True, 0, -1, 2**63, -(2**200), 1.5, float("inf"), 1 + 2j, "", "é\u4e2d", b"\x00\xff",
              (), (1, ("two", (3.0,))), frozenset([1]), slice(1, None, 2), Ellipsis, "x" * 100_000):
    same(root.echo(value), value)
same(root.add(1), 2)
same(root.add(1, b=5), 6)

if rpyc.__version__.startswith("7."):
    # what rpyc-ng alone has: types by value, and a request for the truth
    for kind in (int, bool, float, bytes, str, complex, type(None)):
        assert root.echo(kind) is kind
    assert bool(root.numbers(1)) is True and bool(root.numbers(0)) is False

# proxies
numbers = root.numbers(50)
same(len(numbers), 50)
same(numbers[3], 3)
same(list(numbers), list(range(50)))
assert 7 in numbers and 70 not in numbers
numbers[0] = 100
same(numbers[0], 100)
del numbers[0]
same(len(numbers), 49)
assert root.echo(numbers) is numbers
mine = [1]
assert root.echo(mine) is mine
with raises(IndexError):
    numbers[1000]
with root.manager() as inside:
    same(inside, "inside")

# callbacks, nested
same(root.call(lambda a, b: a * b, 6, 7), 42)
same(root.call(lambda depth: root.call(lambda: root.add(depth)), 9), 10)
root.keep(lambda: "rung")
same(root.ring(), "rung")
root.forget()

# exceptions, from there, and from here through there
with raises(ValueError, "as asked") as raised:
    root.fail("as asked")
same(raised.value.args, ("as asked", 42))
with raises(KeyError):
    root.call(lambda: {}["missing"])
with raises(AttributeError):
    root.no_such_thing
with raises(AttributeError):
    root.add = 1

# references are given back
things = [root.thing() for _ in range(20)]
same(root.live(), 20)
del things
gc.collect()
eventually(lambda: root.live() == 0, "the things are gone")

# by value
table = rpyc.classic.obtain(root.table(100))
same(len(table), 100)
same(table[99], {"id": 99, "name": "row 99", "ratio": 49.5})

# asynchronous
result = rpyc.async_(root.add)(1, 2)
result.set_expiry(PATIENCE)
same(result.value, 3)

# closing
second = client()
before = root.ended()
second.ping()
second.close()
eventually(lambda: root.ended() == before + 1, "the end is noticed")
with raises(EOFError):
    second.root.add(1)
conn.close()
print("all done")
