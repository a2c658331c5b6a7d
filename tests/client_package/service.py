"""A service for clients of either package: that which PEER names."""

import importlib
import os
import sys
import threading
import time

rpyc = importlib.import_module(os.environ.get("PEER", "rpyc"))


class Broken(Exception):
    """The service's own."""


class Bench(rpyc.Service):
    ALIASES = ["BENCH"]
    exposed_version = (1, "beta")
    exposed_table = {"a": 1, "b": [2, 3]}

    def __init__(self):
        self.exposed_items = [5, 6, 7]
        self._conn = None

    def on_connect(self, conn):
        self._conn = conn

    def exposed_add(self, a, b=1, *args, **kwargs):
        """Adds numbers."""
        return a + b + sum(args) + sum(kwargs.values())

    def exposed_fails(self, what):
        raise {"key": KeyError, "value": ValueError, "own": Broken}[what]("it", 7)

    def exposed_calls(self, function, *args):
        return function(*args)

    def exposed_catches(self, function):
        try:
            function()
        except Exception as error:
            return type(error).__name__
        return None

    def exposed_deeper(self, function, depth):
        return depth if depth == 0 else function(self.exposed_deeper, depth - 1) + 1

    def exposed_sleep(self, seconds):
        time.sleep(seconds)
        return "slept"

    def exposed_later(self, function):
        threading.Timer(0.3, function, ("later",)).start()

    def exposed_counts(self, count):
        yield from range(count)

    def exposed_theirs(self):
        return self._conn.root.answer()

    def exposed_open(self):
        return Door()

    def exposed_thing(self):
        return self.exposed_items

    def exposed_ends(self):
        threading.Thread(target=self._conn.close).start()


class Door:
    """A context manager, whose methods are public."""

    exposed_state = "new"

    def exposed_state_now(self):
        return self.exposed_state

    def __enter__(self):
        self.exposed_state = "open"
        return self

    def __exit__(self, cls, error, trail):
        self.exposed_state = "closed" if cls is None else "slammed"
        return False


if __name__ == "__main__":
    from importlib import import_module

    server = import_module(f"{rpyc.__name__}.utils.server")
    config = {"allow_public_attrs": True}
    kinds = {"bench": (Bench, config), "classic": (rpyc.ClassicService, {})}
    service, config = kinds[sys.argv[1]]
    served = server.ThreadedServer(service, hostname="127.0.0.1", port=0, protocol_config=config)
    if rpyc.__name__ == "rpyc":
        served._listen()
    print("port", served.port, file=sys.stderr, flush=True)
    served.start()
