"""Requests about netrefs, for the small rpyc package."""

from _rpyc_native import connect, dump, dumpable, load
from _rpyc_proxies import target_of


def sync_request(netref, handler, args):
    """Asks the owner of a netref for something."""
    return target_of(netref).request(handler, args)


def async_request(netref, handler, args):
    """The same, without waiting."""
    return target_of(netref).request_later(handler, args)
