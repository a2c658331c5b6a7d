"""RPyC in Rust, inside this Python: what Python's rpyc has, by the same names.

    import rpyc_rs as rpyc

A client:

    conn = rpyc.connect("localhost", 18861)
    conn.root.amps(2)

    conn = rpyc.classic.connect("localhost")
    conn.modules.os.getpid()

A server of a class, from within a program:

    class Magnets(rpyc.Service):
        def exposed_amps(self, channel):
            return 1.5

    rpyc.ThreadedServer(Magnets, port=18861).start()

connect, unix_connect, ssl_connect, connect_by_service, connect_subproc, connect_thread, connect_pipes, connect_stdpipes, connect_stream
    connect; see `help(rpyc_rs.Connection)` for what they give.
discover, list_services
    ask a registry.
classic
    `connect` and the rest for servers of classic mode, and what programs do with them: `upload`, `download`,
    `obtain`, `deliver`, `redirected_stdio`, `teleport_function`, `pm`, `interact`.
async_, timed, buffiter, restricted, BgServingThread, AsyncResult
    for calls that nobody waits for, for iterating in larger pieces, for views of objects, for connections whose
    peer calls back while this side does something else.
ThreadedServer, ThreadPoolServer, OneShotServer
    serve a class, an instance for each client, or an object for all; see `help(rpyc_rs.Server)`.
Service, VoidService, SlaveService, MasterService, ClassicService, exposed, service, classpartial
    make services; `rpyc.Service` of Python's rpyc and any class with `exposed_` names are served, too.
UDPRegistryClient, TCPRegistryClient
    ask and tell a registry, which knows where servers are.
AsyncResultTimeout, GenericException, AuthenticationError
    exceptions.
main
    the program `rpyc-server`, as `python -m rpyc_rs`, too: classic mode, and services by
    `--service module:Class`.
"""

import os
import sys
from typing import Any, NoReturn

from rpyc_rs import _modules, _native
from rpyc_rs._registry import TCPRegistryClient, UDPRegistryClient
from rpyc_rs._server import (
    AuthenticationError,
    OneShotServer,
    Server,
    ThreadedServer,
    ThreadPoolServer,
)

__version__: str = _native.__version__


def __getattr__(name: str) -> Any:
    # The rest is there at its first use: the program `rpyc-server` doesn't need it.
    if name.startswith("_") and name != "__all__":
        raise AttributeError(f"module 'rpyc_rs' has no attribute {name!r}")
    if name == "__all__":
        return [each for each in __dir__() if not each.startswith("_") and each not in ("os", "sys", "Any", "NoReturn")]
    from rpyc_rs import _names

    value = globals()[name] = getattr(_names, name)
    return value


def __dir__() -> list[str]:
    from rpyc_rs import _names

    return sorted({*globals(), *_names.PLACES})


def main() -> NoReturn:
    """Runs `rpyc-server` with the arguments of `sys.argv[1:]`, and ends the process.

    To be called on the main thread. Clients' code runs in this Python.
    """
    # The folder of the script that called, or the current one: clients' code doesn't import from there.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    _native.run([os.fsencode(argument) for argument in sys.argv[1:]], _native.__file__, False)
