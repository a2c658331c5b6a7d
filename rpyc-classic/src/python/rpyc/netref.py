"""The base of all proxies of a peer's objects, and requests about them."""

from _rpyc_native import BaseNetref
from _rpyc_requests import async_request, sync_request
from _rpyc_support import NetrefMetaclass
from rpyc.core.async_ import AsyncResult


def syncreq(proxy, handler, *args):
    """Asks the owner of the proxy for something and waits for the answer."""
    return sync_request(proxy, handler, args)


def asyncreq(proxy, handler, *args):
    """Asks the owner of the proxy for something and goes on."""
    return AsyncResult(async_request(proxy, handler, args))
