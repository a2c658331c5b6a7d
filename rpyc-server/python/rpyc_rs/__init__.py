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
SSLAuthenticator
    lets clients in who speak TLS, with certificates if need be.
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

from rpyc_rs import _modules, _native

# As `typing` has it, which brings much along: the program `rpyc-server` needs neither it nor most of the package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn as _NoReturn

    from rpyc_rs import core as core
    from rpyc_rs import lib as lib
    from rpyc_rs import utils as utils
    from rpyc_rs import version as version
    from rpyc_rs._authenticators import AuthenticationError as AuthenticationError
    from rpyc_rs._authenticators import SSLAuthenticator as SSLAuthenticator
    from rpyc_rs._registry import TCPRegistryClient as TCPRegistryClient
    from rpyc_rs._registry import UDPRegistryClient as UDPRegistryClient
    from rpyc_rs._server import OneShotServer as OneShotServer
    from rpyc_rs._server import Server as Server
    from rpyc_rs._server import ThreadedServer as ThreadedServer
    from rpyc_rs._server import ThreadPoolServer as ThreadPoolServer
    from rpyc_rs.core.async_ import AsyncResult as AsyncResult
    from rpyc_rs.core.async_ import AsyncResultTimeout as AsyncResultTimeout
    from rpyc_rs.core.netref import BaseNetref as BaseNetref
    from rpyc_rs.core.protocol import Connection as Connection
    from rpyc_rs.core.protocol import PingError as PingError
    from rpyc_rs.core.service import ClassicService as ClassicService
    from rpyc_rs.core.service import MasterService as MasterService
    from rpyc_rs.core.service import Service as Service
    from rpyc_rs.core.service import SlaveService as SlaveService
    from rpyc_rs.core.service import VoidService as VoidService
    from rpyc_rs.core.stream import Channel as Channel
    from rpyc_rs.core.stream import PipeStream as PipeStream
    from rpyc_rs.core.stream import SocketStream as SocketStream
    from rpyc_rs.core.vinegar import GenericException as GenericException
    from rpyc_rs.lib import setup_logger as setup_logger
    from rpyc_rs.lib import spawn as spawn
    from rpyc_rs.utils import classic as classic
    from rpyc_rs.utils import exposed as exposed
    from rpyc_rs.utils import service as service
    from rpyc_rs.utils.factory import DiscoveryError as DiscoveryError
    from rpyc_rs.utils.factory import ForbiddenError as ForbiddenError
    from rpyc_rs.utils.factory import connect as connect
    from rpyc_rs.utils.factory import connect_by_service as connect_by_service
    from rpyc_rs.utils.factory import connect_channel as connect_channel
    from rpyc_rs.utils.factory import connect_pipes as connect_pipes
    from rpyc_rs.utils.factory import connect_stdpipes as connect_stdpipes
    from rpyc_rs.utils.factory import connect_stream as connect_stream
    from rpyc_rs.utils.factory import connect_subproc as connect_subproc
    from rpyc_rs.utils.factory import connect_thread as connect_thread
    from rpyc_rs.utils.factory import discover as discover
    from rpyc_rs.utils.factory import list_services as list_services
    from rpyc_rs.utils.factory import ssl_connect as ssl_connect
    from rpyc_rs.utils.factory import unix_connect as unix_connect
    from rpyc_rs.utils.helpers import BgServingThread as BgServingThread
    from rpyc_rs.utils.helpers import async_ as async_
    from rpyc_rs.utils.helpers import buffiter as buffiter
    from rpyc_rs.utils.helpers import classpartial as classpartial
    from rpyc_rs.utils.helpers import restricted as restricted
    from rpyc_rs.utils.helpers import timed as timed

__version__: str = _native.__version__

__all__ = [
    "AsyncResult",
    "AsyncResultTimeout",
    "AuthenticationError",
    "BaseNetref",
    "BgServingThread",
    "Channel",
    "ClassicService",
    "Connection",
    "DiscoveryError",
    "ForbiddenError",
    "GenericException",
    "MasterService",
    "OneShotServer",
    "PingError",
    "PipeStream",
    "SSLAuthenticator",
    "Server",
    "Service",
    "SlaveService",
    "SocketStream",
    "TCPRegistryClient",
    "ThreadPoolServer",
    "ThreadedServer",
    "UDPRegistryClient",
    "VoidService",
    "__version__",
    "async_",
    "buffiter",
    "classic",
    "classpartial",
    "connect",
    "connect_by_service",
    "connect_channel",
    "connect_pipes",
    "connect_stdpipes",
    "connect_stream",
    "connect_subproc",
    "connect_thread",
    "discover",
    "exposed",
    "list_services",
    "main",
    "restricted",
    "service",
    "setup_logger",
    "spawn",
    "ssl_connect",
    "timed",
    "unix_connect",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        # At its first use.
        if name.startswith("_"):
            raise AttributeError(f"module 'rpyc_rs' has no attribute {name!r}")
        value = globals()[name] = getattr(_modules.home(name), name)
        return value


def __dir__() -> list[str]:
    return sorted({*__all__, "core", "lib", "utils", "version"})


def main() -> "_NoReturn":
    """Runs `rpyc-server` with the arguments of `sys.argv[1:]`, and ends the process.

    To be called on the main thread. Clients' code runs in this Python.
    """
    # The folder of the script that called, or the current one: clients' code doesn't import from there.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    _native.run([os.fsencode(argument) for argument in sys.argv[1:]], _native.__file__, False)
