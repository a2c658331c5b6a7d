"""A server with this version of rpyc: classic, or the service that the clients use."""
from __future__ import print_function

from peer import *

from rpyc.utils.server import ThreadedServer


class Context(object):
    def __init__(self):
        self.here = False

    def __enter__(self):
        self.here = True
        return self

    def __exit__(self, kind, value, traceback):
        self.here = False

    def exposed_inside(self):
        return self.here


class Made(object):
    pass


class ShopService(rpyc.Service):
    def on_connect(self, *conn):
        if conn:
            self.peer = conn[0]

    def exposed_add(self, a, b=10):
        return a + b

    def exposed_echo(self, value):
        return value

    def exposed_apply(self, function, value):
        return function(value)

    def exposed_fail(self, message):
        raise ValueError(message)

    def hidden(self):
        return "hidden"

    def exposed_numbers(self):
        return [1, 2, 3]

    def exposed_ask(self):
        peer = self.peer if VERSION >= (4,) else self._conn
        return peer.root.double(21)

    def exposed_context(self):
        return Context()

    def exposed_made(self):
        return Made()

    def exposed_is_made(self, value):
        return isinstance(value, Made)


if sys.argv[1] == "classic":
    service = rpyc.SlaveService
else:
    service = ShopService
server = ThreadedServer(service, hostname="127.0.0.1", port=0)
# Before the port is told: the server itself listens only when it starts.
server.listener.listen(10)
print("PORT %d" % server.port, file=sys.stderr)
sys.stderr.flush()
watch.cancel()
server.start()
