"""Servers inside a program."""

import ipaddress
import logging
import os
import socket
import threading
from typing import Any, Callable, Mapping, Optional

from rpyc_rs import _ending, _native
from rpyc_rs._clients import Clients
from rpyc_rs._registry import RegistryClient, UDPRegistryClient

_REGISTER_AGAIN = 5.0


class Server:
    """A server of one service; take `ThreadedServer`, `ThreadPoolServer` or `OneShotServer`.

    It listens from the constructor on: `host` and `port` say where (`port` is the path of a Unix socket).
    `start()` serves until `close()`, `active` says whether it does, and `clients` are those that there are.

    service
        A class, of which each client gets an instance, or an object that serves all of them.
    hostname, port, ipv6, socket_path
        Where to listen: on loopback unless `hostname` names another address ("0.0.0.0" for all), on a free
        port unless `port` says which; or on a Unix socket.
    authenticator
        Called with each client's socket before anything else; gives the socket to go on with, which
        may be wrapped (`ssl`, as `SSLAuthenticator` does), and the credentials, which are `conn._config["credentials"]` of the service. An
        exception refuses the client.
    registrar, auto_register
        The registry that is told of the server each minute, and that it is gone: a `UDPRegistryClient` or
        `TCPRegistryClient`, or whatever has `register(aliases, port, interface)` and `unregister(port)`. With
        `auto_register=True` alone it is whichever registry hears a broadcast.
    protocol_config
        Options of the connections by their names in Python's rpyc.
    logger
        The logger of the connections, or its name. The servers' own lines are those of "rpyc_rs".
    dispatch
        Called with a function for each request; has it called, once, on the thread that requests are to
        run on: `loop.call_soon_threadsafe` of asyncio, `lambda run: root.after(0, run)` of tkinter.
        The server's own threads wait meanwhile.
    backlog
        How many clients may wait to be accepted; the system has a cap of its own.
    reuse_addr
        Whether it may listen where connections of an earlier server are still expiring.
    listener_timeout
        Without effect: nothing looks at intervals whether the server is closed.
    """

    _mode = "threaded"
    _workers = 0

    def __init__(
        self,
        service: Any,
        hostname: Optional[str] = None,
        ipv6: bool = False,
        port: int = 0,
        backlog: int = 4096,
        reuse_addr: bool = True,
        authenticator: Optional[Callable[[socket.socket], tuple[Any, Any]]] = None,
        registrar: Any = None,
        auto_register: Optional[bool] = None,
        protocol_config: Optional[Mapping[str, Any]] = None,
        logger: "logging.Logger | str | None" = None,
        listener_timeout: Optional[float] = None,
        socket_path: "str | os.PathLike[str] | None" = None,
        *,
        dispatch: Optional[Callable[[Callable[[], None]], Any]] = None,
    ) -> None:
        self._ended = threading.Event()
        self._registration: Optional[threading.Thread] = None
        if socket_path is not None and (hostname is not None or ipv6 or port):
            raise ValueError("socket_path stands for hostname, port and ipv6: a server listens at one place")
        # Connections aren't needed before there is a server.
        from rpyc_rs.core.protocol import _with_changed_defaults

        config = _with_changed_defaults(protocol_config or {})
        if logger is not None:
            config["logger"] = logger
        _log_to_python()
        self.service = service
        self.authenticator = authenticator
        self.backlog = backlog
        self.protocol_config = config
        self.logger = logger if isinstance(logger, logging.Logger) else logging.getLogger(logger or "rpyc_rs")
        self.auto_register = bool(registrar) if auto_register is None else auto_register
        self.registrar = registrar or UDPRegistryClient(logger=self.logger)
        listener = None if socket_path is not None else _listener(hostname, ipv6, port, backlog, reuse_addr)
        try:
            self._native = _native.Server(
                service,
                config,
                self._mode,
                self._workers,
                listener=None if listener is None else listener.fileno(),
                path=None if socket_path is None else os.fspath(socket_path),
                backlog=backlog,
                authenticator=None if authenticator is None else _by_descriptor(authenticator),
                dispatch=dispatch,
            )
        finally:
            if listener is not None:
                listener.close()
        self.host: str
        # An int, but for Unix sockets.
        self.port: Any
        address = self._native.address
        if address is not None:
            self.host, self.port = address
        else:
            self.host, self.port = "", os.fspath(socket_path or "")
        self.clients = Clients(self._native)
        if self.auto_register:
            self._check_registrar()
        _ending.servers.add(self)

    def start(self) -> None:
        """Serves until `close()` is called, by another thread or a client, or Ctrl-C is pressed."""
        self._start()
        try:
            while self._native.is_serving():
                self._ended.wait(0.1)
        except KeyboardInterrupt:
            pass
        finally:
            self.close()

    def start_in_thread(self) -> None:
        """Serves on threads of its own, and returns at once."""
        self._start()

    def _start(self) -> None:
        self._native.start()
        if self.auto_register:
            self._registration = threading.Thread(target=self._register, name="rpyc-register", daemon=True)
            self._registration.start()

    def close(self) -> None:
        """Ends all connections, and listens no more. What runs has two seconds to end. May be called again."""
        self._ended.set()
        self._native.close()
        registration = self._registration
        if registration is not None and registration is not threading.current_thread():
            # A registry that isn't there isn't waited for longer.
            registration.join(_ending.SECONDS)

    @property
    def active(self) -> bool:
        """Whether it serves."""
        return self._native.is_serving()

    @property
    def client_count(self) -> int:
        """How many clients are connected, those that have yet to be let in among them."""
        return self._native.client_count

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def _check_registrar(self) -> None:
        if not isinstance(self.port, int):
            raise ValueError("auto_register: a registry knows TCP ports only, no Unix sockets")
        registrar = self.registrar
        is_near = ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        if is_near and isinstance(registrar, RegistryClient) and registrar._is_for_others():
            raise ValueError(
                "auto_register: the server listens on loopback, where nobody finds it: give its hostname, "
                'or "0.0.0.0" for all addresses'
            )

    def _register(self) -> None:
        while not self._ended.is_set():
            try:
                done = self.registrar.register(self._native.names, self.port, interface=self.host)
            except Exception:
                self.logger.warning("not registered", exc_info=True)
                done = False
            every = getattr(self.registrar, "REREGISTER_INTERVAL", 60)
            self._ended.wait(_REGISTER_AGAIN if done is False else every)
        try:
            self.registrar.unregister(self.port)
        except Exception:
            self.logger.warning("not unregistered", exc_info=True)


class ThreadedServer(Server):
    """A thread for each client."""


class ThreadPoolServer(Server):
    """`nbThreads` threads for all clients; silent ones cost none."""

    _mode = "pool"

    def __init__(
        self, service: Any, *args: Any, nbThreads: int = 20, requestBatchSize: int = 10, **kwargs: Any
    ) -> None:
        self._workers = nbThreads
        super().__init__(service, *args, **kwargs)


class OneShotServer(Server):
    """Serves the first client that is let in, and ends with it."""

    _mode = "oneshot"


# Where programs find them.
for _class in Server, ThreadedServer, ThreadPoolServer, OneShotServer:
    _class.__module__ = "rpyc_rs.utils.server"


def _listener(
    hostname: Optional[str], ipv6: bool, port: int, backlog: int, reuse_addr: bool
) -> socket.socket:
    """A socket that listens at the first of the host's addresses that can be had."""
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    if hostname is None:
        hostname = "::1" if ipv6 else "127.0.0.1"
    found = socket.getaddrinfo(hostname or None, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
    for place, (family, kind, protocol, _, address) in enumerate(found, 1):
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse_addr))
            if address[0] == "::":
                # Clients of IPv4, too.
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(address)
            listener.listen(backlog)
            return listener
        except BaseException as error:
            listener.close()
            if place == len(found) or not isinstance(error, OSError):
                raise
    raise OSError(f"{hostname} has no address")


def _by_descriptor(
    authenticator: Callable[[socket.socket], tuple[Any, Any]],
) -> Callable[[int], tuple[int, Any]]:
    from rpyc_rs.core.stream import plain_socket

    def authenticate(descriptor: int) -> tuple[int, Any]:
        client = socket.socket(fileno=descriptor)
        try:
            authenticated, credentials = authenticator(client)
            return plain_socket(authenticated).detach(), credentials
        except BaseException:
            client.close()
            raise

    return authenticate


def _log_to_python() -> None:
    global _logs
    if not _logs:
        _logs = True
        _native.log_to(_write_line)


_logs = False


def _write_line(level: int, name: str, text: str) -> None:
    logging.getLogger(name).log(level, "%s", text)
