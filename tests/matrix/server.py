"""The service of the matrix, on stock rpyc's own server."""
from rpyc.utils.server import ThreadedServer


class Thing:
    live = 0

    def __init__(self):
        Thing.live += 1

    def __del__(self):
        Thing.live -= 1


class Manager:
    def __init__(self):
        self.left_with = "nothing"

    def __enter__(self):
        return "inside"

    def __exit__(self, kind, value, traceback):
        self.left_with = "nothing" if kind is None else "an exception"
        return False

    def exposed_outcome(self):
        return self.left_with


class MatrixService(rpyc.Service):
    ended = 0

    def __init__(self):
        self.kept = None

    def on_disconnect(self, conn):
        MatrixService.ended += 1

    def exposed_echo(self, thing):
        return thing

    def exposed_add(self, a, b=1):
        return a + b

    def exposed_call(self, function, *args):
        return function(*args)

    def exposed_keep(self, function):
        self.kept = function

    def exposed_ring(self):
        return self.kept()

    def exposed_forget(self):
        self.kept = None

    def exposed_fail(self, message):
        raise ValueError(message, 42)

    def exposed_numbers(self, count):
        return list(range(count))

    def exposed_thing(self):
        return Thing()

    def exposed_live(self):
        return Thing.live

    def exposed_manager(self):
        return Manager()

    def exposed_table(self, rows):
        return [{"id": i, "name": "row %d" % i, "ratio": i / 2} for i in range(rows)]

    def exposed_ended(self):
        return MatrixService.ended


server = ThreadedServer(MatrixService, hostname="127.0.0.1", port=0,
                        protocol_config={"allow_pickle": True})
listen(server)
say("port %d" % server.port)
server.start()
