"""By-value copies, for code that runs on this side."""

import pickle

from _rpyc_native import BaseNetref, pickled


def obtain(proxy):
    """A copy of the client's object, unpickled here. Whoever calls it trusts the client."""
    if not isinstance(proxy, BaseNetref):
        return pickle.loads(pickle.dumps(proxy))
    return pickle.loads(pickled(proxy, 4))


def deliver(conn, localobj):
    """A copy of a local object at the client's side."""
    return conn.modules["rpyc.lib.compat"].pickle.loads(pickle.dumps(localobj, 4))
