"""What `copy.copy` and `copy.deepcopy` make of an object of a peer that may run code here."""

import pickle

from _rpyc_native import pickled


def copied(proxy, deep):
    """A copy on this side, pickled by the owner. An object that can't be pickled, or whose class
    isn't here, is copied where it is, if the owner lets code of this side run."""
    try:
        return pickle.loads(pickled(proxy, 4))
    except Exception as failure:
        try:
            copy = proxy.____conn__.modules["copy"]
            return copy.deepcopy(proxy) if deep else copy.copy(proxy)
        except Exception:
            raise failure from None
