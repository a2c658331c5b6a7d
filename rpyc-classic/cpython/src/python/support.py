"""Names by which the small rpyc package knows what the evaluator has."""

import _rpyc_native
from _rpyc_exceptions import GenericException
from _rpyc_proxies import BaseNetref, NetrefMetaclass, target_of


def pickled(netref, protocol):
    """The client's object pickled by the client. Whoever unpickles the bytes trusts the client."""
    return target_of(netref).pickle(protocol)


_rpyc_native.BaseNetref, _rpyc_native.pickled = BaseNetref, pickled
