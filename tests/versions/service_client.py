"""A client of a service, as programs with this version of rpyc are."""
from peer import *


class Client(rpyc.Service):
    def exposed_double(self, number):
        return number * 2


service = Client if VERSION < (4,) else Client()
conn = rpyc.connect(HOST, PORT, service=service)
root = conn.root
same(root.add(1), 11)
same(root.add(1, b=2), 3)
same(root.exposed_add(1), 11)
same(root.echo(5), 5)
same(root.echo((1, None, 2.5)), (1, None, 2.5))
seen = []
assert root.echo(seen) is seen
same(root.apply(lambda value: value * 2, 21), 42)
root.apply(seen.append, 7)
same(seen, [7])
same(root.apply(root.add, 1), 11)
with raises(ZeroDivisionError):
    root.apply(lambda value: value // 0, 1)
with raises(ValueError, "nothing costs that") as raised:
    root.fail("nothing costs that")
assert "Traceback (most recent call last)" in str(raised.value)
assert [text(arg) for arg in raised.value.args] == ["nothing costs that"]
with raises(AttributeError, "cannot access"):
    root.hidden
with raises(AttributeError):
    root.add = 5
same([number for number in root.numbers()], [1, 2, 3])
prices = root.prices()
assert "apple" in prices and "pear" not in prices
same(prices["apple"], 3)
prices["apple"] = 4
same([text(fruit) for fruit in prices], ["apple"])
del prices["apple"]
same(len(prices), 0)
same(root.ask(), 42)
with root.context() as context:
    same(context.inside(), True)
same(context.inside(), False)
assert root.numbers() == root.numbers() or True
assert (root == root) is True
assert root != root.numbers()
conn.ping()
made = root.made()
same(root.is_made(made), True)
conn.close()
print("ok")
