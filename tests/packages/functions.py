"""cloudpickle, teleport and pickle: functions of the client's that run there."""
import functools
import pickle

import cloudpickle

FACTOR = 3


def double(x):
    return x * 2


class Shape:
    """A class that the other side doesn't have."""

    def __init__(self, sides):
        self.sides = sides

    def area(self):
        return functools.reduce(lambda a, b: a * b, self.sides)


def functions_go_there_by_cloudpickle(conn):
    loads = conn.modules.cloudpickle.loads
    offset = 10

    def nested(n):
        def step(k):
            return k * FACTOR + offset
        return [step(k) for k in range(n)]

    far = loads(cloudpickle.dumps(nested))
    show(list(far(3)), type(far).__name__)
    far = loads(cloudpickle.dumps(lambda x, *rest, key=5, **more: (x, rest, key, sorted(more))))
    show(far(1), repr(far(1, 2, key=3, z=1)))
    far = loads(cloudpickle.dumps(lambda: __import__("os").getpid()))
    same(far(), conn.modules.os.getpid())
    shape = loads(cloudpickle.dumps(Shape((2, 3, 4))))
    show(shape.area(), type(shape).__name__, shape.sides)
    array = np.arange(6).reshape(2, 3)
    far = loads(cloudpickle.dumps(lambda: array.sum(axis=0)))
    show(repr(far()), rpyc.classic.obtain(far()).tolist())

    def counts():
        yield from range(3)

    show(list(loads(cloudpickle.dumps(counts))()))

    def fails():
        raise KeyError("from there")

    show(said(loads(cloudpickle.dumps(fails))))
    # And back.
    conn.execute("import cloudpickle\nfactor = 7\ndef makes():\n    return lambda x: x * factor")
    near = cloudpickle.loads(conn.eval("cloudpickle.dumps(makes())"))
    show(near(6), said(conn.modules.cloudpickle.loads, b"nonsense"))


def functions_go_there_by_teleport(conn):
    def far(n, step=2, *, plus=1):
        def inner(x):
            return x * 10
        return [inner(i) * step + plus for i in range(n)]

    remote = conn.teleport(far)
    show(list(remote(3)), list(remote(2, step=5, plus=0)), remote.__name__)
    same(conn.eval("far(1)")[0], 1)

    def here():
        return sys.version_info[:2], __import__("os").getpid()

    import sys as _sys
    conn.execute("import sys")
    version, pid = conn.teleport(here)()
    show(tuple(version) == _sys.version_info[:2], pid == conn.modules.os.getpid())
    show(said(conn.teleport, len).split(":")[0])


def pickles_go_both_ways(conn):
    near = {"a": [1, 2.5, None], "b": {1, 2}, "c": (b"x", "y"), "d": np.float64(1.5)}
    far = conn.modules.pickle.loads(pickle.dumps(near))
    show(repr(rpyc.classic.obtain(far) == near), repr(far["c"]))
    show(pickle.loads(conn.modules.pickle.dumps(far))["a"])
    conn.execute("class Only: pass")
    show(said(rpyc.classic.obtain, conn.eval("Only()")).split(":")[0])
    show(said(rpyc.classic.deliver, conn, Shape((1, 2))).split(":")[0])
    show(said(rpyc.classic.obtain, conn.eval("lambda: 1")).split(":")[0])


def functions_are_called_with_far_and_near_arguments(conn):
    show(conn.modules.functools.reduce(lambda a, b: a + b, [1, 2, 3]), list(conn.builtin.map(double, (1, 2))))
    show(list(conn.builtin.sorted(["bb", "a", "ccc"], key=len)), conn.builtin.max((3, 1, 2), key=lambda n: -n))
    cached = conn.modules.functools.lru_cache()(double)
    show(cached(4), cached(4), cached.cache_info().hits)
    partial = conn.modules.functools.partial(double, 21)
    show(partial(), partial.args)
