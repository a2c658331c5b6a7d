"""RPyC in Rust, inside this Python.

Serve a class from within a program:

    from rpyc_rs import ThreadedServer

    class Magnets:
        def exposed_amps(self, channel):
            return 1.5

    ThreadedServer(Magnets, port=18861).start()

A client of Python's rpyc uses it: `rpyc.connect("localhost", 18861).root.amps(2)`.

ThreadedServer, ThreadPoolServer, OneShotServer
    serve a class, an instance for each client, or an object for all; see `help(rpyc_rs.Server)`.
Service, exposed, service, classpartial
    make services; `rpyc.Service` and any class with `exposed_` names are served, too.
AuthenticationError
    for authenticators.
main
    the program `rpyc-server`, as `python -m rpyc_rs`, too: classic mode, and services by
    `--service module:Class`.
"""

import os
import sys
from typing import NoReturn

from rpyc_rs import _native
from rpyc_rs._server import (
    AuthenticationError,
    OneShotServer,
    Server,
    ThreadedServer,
    ThreadPoolServer,
)
from rpyc_rs._service import Service, classpartial, exposed, service

__all__ = [
    "AuthenticationError",
    "OneShotServer",
    "Server",
    "Service",
    "ThreadPoolServer",
    "ThreadedServer",
    "__version__",
    "classpartial",
    "exposed",
    "main",
    "service",
]

__version__: str = _native.__version__


def main() -> NoReturn:
    """Runs `rpyc-server` with the arguments of `sys.argv[1:]`, and ends the process.

    To be called on the main thread. Clients' code runs in this Python.
    """
    # The folder of the script that called, or the current one: clients' code doesn't import from there.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    _native.run([os.fsencode(argument) for argument in sys.argv[1:]], _native.__file__, False)
