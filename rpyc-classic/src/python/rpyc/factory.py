"""Connections from this server to others."""

from _rpyc_native import connect as _connect
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


def _plain(config):
    timeout = "sync_request_timeout"
    plain = {str(name): bool(value) for name, value in config.items() if name != timeout}
    if timeout in config:
        plain[timeout] = None if config[timeout] is None else float(config[timeout])
    return plain


def connect(host, port, service=VoidService, config={}, ipv6=False, keepalive=False):
    """Connects over TCP. The result has what a connection of classic mode has, and `root`."""
    return _connect(host, port, _is_classic(service), _plain(config), bool(keepalive))


def unix_connect(path, service=VoidService, config={}):
    """Connects to a Unix socket."""
    return _connect(path, None, _is_classic(service), _plain(config), False)
