"""Connections from this server to others."""

from _rpyc_requests import connect as _connect
from rpyc.core.service import ClassicService, MasterService, SlaveService, VoidService

_OFFERED = {
    VoidService: False,
    MasterService: False,
    SlaveService: True,
    ClassicService: True,
}


def _is_classic(service):
    try:
        return _OFFERED[service]
    except (KeyError, TypeError):
        raise TypeError(
            "from this server, VoidService, MasterService, SlaveService and ClassicService can be "
            f"offered, not {service!r}"
        ) from None


def connect(host, port, service=VoidService, config={}, ipv6=False, keepalive=False):
    """Connects over TCP. The result has what a connection of classic mode has, and `root`."""
    return _connect(host, port, _is_classic(service), dict(config), bool(keepalive))


def unix_connect(path, service=VoidService, config={}):
    """Connects to a Unix socket."""
    return _connect(path, None, _is_classic(service), dict(config), False)
