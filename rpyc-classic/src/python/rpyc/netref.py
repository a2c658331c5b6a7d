"""The base of all proxies of a peer's objects, and requests about them."""

from _rpyc_proxies import BaseNetref, NetrefMetaclass, target_of
from .async_ import AsyncResult


def syncreq(proxy, handler, *args):
    """Asks the owner of the proxy for something and waits for the answer."""
    return target_of(proxy).request(handler, args)


def asyncreq(proxy, handler, *args):
    """Asks the owner of the proxy for something and goes on."""
    return AsyncResult(target_of(proxy).request_later(handler, args))
