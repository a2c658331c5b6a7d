"""Services as people write them, for stock's server and for the one under test alike."""

import threading

import rpyc


class MagnetService(rpyc.Service):
    """Magnets of a laboratory."""

    ALIASES = ["magnet", "Coil"]
    told = []

    class exposed_Coil:
        """A class that clients make instances of."""

        limit = 12

        def __init__(self, turns):
            self.turns = turns
            self.exposed_wire = "copper"

        def exposed_turns(self):
            return self.turns

        def __len__(self):
            return self.turns

        def __getitem__(self, index):
            if not 0 <= index < self.turns:
                raise IndexError(index)
            return index * 10

    exposed_version = (1, "beta")
    exposed_table = {"a": 1, "b": [2, 3]}
    hidden = "not for clients"

    def __init__(self):
        self.exposed_mine = []
        self._amps = 1.5

    def on_connect(self, conn):
        self._conn = conn
        self.told.append("connected")

    def on_disconnect(self, conn):
        self.told.append(f"disconnected {conn.closed}")

    def exposed_told(self):
        return tuple(self.told)

    @property
    def exposed_amps(self):
        return self._amps

    @exposed_amps.setter
    def exposed_amps(self, value):
        self._amps = value

    @staticmethod
    def exposed_static(number):
        return number + 1

    @classmethod
    def exposed_of_class(cls):
        return cls.__name__

    def exposed_add(self, a, b=1, *args, **kwargs):
        """Adds two numbers."""
        return a + b + sum(args) + sum(kwargs.values())

    def exposed_fails(self, what):
        raise {"key": KeyError, "value": ValueError, "own": Quench}[what]("it", 7)

    def exposed_calls(self, function, *args):
        return function(*args)

    def exposed_catches(self, function):
        try:
            function()
        except Exception as error:
            names = [cls.__name__ for cls in type(error).__mro__]
            return type(error).__module__, type(error).__name__, "GenericException" in names
        return None

    def exposed_later(self, function):
        result = rpyc.async_(function)(3)
        result.wait()
        return result.value

    def exposed_items(self, things):
        return sorted(things), len(things), type(things).__name__

    def exposed_counts(self, count):
        for number in range(count):
            yield number

    def exposed_thread(self):
        return threading.get_ident()

    def exposed_root(self):
        return self._conn.root.answer()

    def exposed_config(self, *names):
        return tuple((name, self._conn._config[name]) for name in names)

    def exposed_close(self):
        self._conn.close()

    def exposed_open(self):
        return Door()

    def exposed_private(self):
        return self

    def secret(self):
        return "not for clients"


class Quench(Exception):
    """What a magnet does that is too warm."""


class Door:
    """Used by `with`."""

    exposed_log = []

    def __enter__(self):
        self.exposed_log.append("in")
        return self

    def __exit__(self, kind, value, traceback):
        self.exposed_log.append("out")

    def exposed_log_of(self):
        return tuple(self.exposed_log)


class Plain:
    """No service of rpyc's: a class with names."""

    exposed_number = 5

    def exposed_double(self, number):
        return 2 * number

    def triple(self, number):
        return 3 * number


class Restricted(rpyc.Service):
    """Which names are safe is its own to say."""

    def __init__(self):
        self.safe_value = 1
        self.other = 2

    def safe_method(self):
        return "safe"

    def method(self):
        return "unsafe"

    def _rpyc_getattr(self, name):
        if name.startswith("safe_"):
            return getattr(self, name)
        raise AttributeError(f"{name} isn't safe")

    def _rpyc_setattr(self, name, value):
        if name != "safe_value":
            raise AttributeError(f"{name} can't be set")
        setattr(self, name, value)

    def _rpyc_delattr(self, name):
        if name != "safe_value":
            raise AttributeError(f"{name} can't be deleted")
        del self.safe_value


class Foo:
    """No service: an object that has names for peers beside its own."""

    def __init__(self):
        self.safe_value = 1
        self.value = "hidden"

    def safe_method(self):
        return "safe"

    def method(self):
        return "unsafe"

    def _rpyc_getattr(self, name):
        return getattr(self, f"safe_{name}")

    def _rpyc_setattr(self, name, value):
        setattr(self, f"safe_{name}", value)

    def _rpyc_delattr(self, name):
        delattr(self, f"safe_{name}")


class GivesFoo(rpyc.Service):
    """Its objects decide what peers see of them; so do those of its clients."""

    def __init__(self):
        self.foo = Foo()

    def exposed_foo(self):
        return self.foo

    def exposed_seen(self):
        return vars(self.foo) | {"method": self.foo.method()}

    def exposed_uses(self, foo):
        foo.value = foo.value + 1
        result = foo.value, foo.method(), hasattr(foo, "safe_value")
        del foo.value
        return result


class Opens(rpyc.Service):
    """Changes its connection's options when that is made."""

    def on_connect(self, conn):
        conn._config.update({"allow_public_attrs": True, "allow_setattr": True})
        conn._config["allow_delattr"] = True
        self.value = 1

    def method(self):
        return "public"


class Marked:
    """Its names are given by decorators."""

    @rpyc.exposed
    def method(self):
        return "marked"

    @rpyc.exposed("exposed_")
    def other(self):
        return "too"

    def hidden(self):
        return "not for clients"


Marked = rpyc.service(Marked)


class Counter(rpyc.Service):
    """One for each client, or one for all."""

    def __init__(self, start=0):
        self.count = start

    def exposed_next(self):
        self.count += 1
        return self.count


class Broken(rpyc.Service):
    """Its constructor fails."""

    def __init__(self):
        raise RuntimeError("no magnet is connected")


class Refuses(rpyc.Service):
    """Takes no client."""

    def on_connect(self, conn):
        raise PermissionError("not today")


one_counter = Counter(10)
from_hundred = rpyc.utils.helpers.classpartial(Counter, 100)


def closing(root):
    """What is called before a connection is closed by this side."""
    MagnetService.told.append(root.answer())


class Decides(MagnetService):
    """Finds out itself who its clients are, and is told before it closes."""

    def on_connect(self, conn):
        super().on_connect(conn)
        conn._config["credentials"] = ("me", 7)
        conn._config["before_closed"] = closing

    def exposed_decided(self):
        return self._conn._config["credentials"], self._conn._config["before_closed"] is closing


closes = {"before_closed": closing}
options = {"allow_public_attrs": True, "sync_request_timeout": 7}
