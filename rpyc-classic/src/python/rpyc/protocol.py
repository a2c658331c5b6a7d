"""Connections, as programs find them in rpyc.core.protocol."""

from _rpyc_native import default_options
from _rpyc_proxies import is_netref, target_of

_AT_FIRST = dict(default_options())

DEFAULT_CONFIG = {**_AT_FIRST, "safe_attrs": set(_AT_FIRST["safe_attrs"])}
"""The options of connections for which none is given, and what they are. What a program changes here holds for
the connections and servers that it makes from then on."""


def _with_changed_defaults(config):
    changed = {
        name: value
        for name, value in DEFAULT_CONFIG.items()
        if name not in _AT_FIRST or value != _AT_FIRST[name]
    }
    return {**changed, **config}


class PingError(Exception):
    """The echo of a ping was another than what was sent."""


class _ConnectionClass(type):
    def __instancecheck__(cls, obj):
        if not is_netref(obj):
            return type.__instancecheck__(cls, obj)
        target = target_of(obj)
        return target.key is None and target.name == "rpyc.core.protocol.Connection"


class Connection(metaclass=_ConnectionClass):
    """A connection: made by `connect()` and its kin, closed by `close()`, by the end of a `with` block, or
    when neither it nor any object of the peer's is held any more.

    root
        What the peer offers.
    modules, builtins, namespace, eval(text), execute(text), teleport(function)
        What a peer of classic mode offers: its modules (`conn.modules["os.path"]`, `conn.modules.sys`), its
        builtins, the namespace that its code runs in.
    closed, close(), fileno(), ping(data=None, timeout=3)
        `ping` raises an exception where the peer doesn't answer.
    serve(timeout=1), poll(timeout=0), poll_all(timeout=0), serve_all(), serve_threaded(thread_count=10)
        Run what the peer asks for: one message, what is there, or all until the connection is closed. While a
        thread waits for an answer, it does so, too.
    sync_request(handler, *args), async_request(handler, *args, timeout=None)
        Requests by the protocol's numbers.
    """

    def __new__(cls, *args, **kwargs):
        raise TypeError("a connection isn't made by its class here: use connect()")
