"""What is recorded of a client of a service: a little of everything, always the same."""
from peer import *

asynchronous = getattr(rpyc, "async_", None) or getattr(rpyc, "async")


class Client(rpyc.Service):
    def exposed_double(self, number):
        return number * 2


service = Client if VERSION < (4,) else Client()
conn = rpyc.connect(HOST, PORT, service=service)
root = conn.root
# values; what was a long in Python 2 crosses as one
values = (1, 10 ** 30, 2 ** 40, 2.5, 1 + 2j, None, True, u"\xe9", b"\xff", ("a", ()), slice(1, None, 2))
same(root.echo(values), values)
same(root.add(1, b=2), 3)
# proxies, both ways
seen = []
assert root.echo(seen) is seen
same(root.apply(lambda value: value * 2, 21), 42)
root.apply(seen.append, 7)
same(seen, [7])
same(root.ask(), 42)
# exceptions, both ways
with raises(ValueError, "nothing costs that"):
    root.fail("nothing costs that")
with raises(AttributeError):
    root.hidden
with raises(ZeroDivisionError):
    root.apply(lambda value: value // 0, 1)
# an object that is given back
made = root.made()
same(root.is_made(made), True)
del made
# requests on the way at the same time
results = [asynchronous(root.add)(number) for number in (1, 2, 3)]
same([result.value for result in results], [11, 12, 13])
conn.close()
print("ok")
