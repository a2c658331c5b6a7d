"""Servers inside a program."""

import atexit
import logging
import os
import socket
import sys
import threading
import weakref
from typing import Any, Callable, Mapping, Optional

from rpyc_rs import _native

_REGISTER_EVERY = 60.0
_REGISTER_AGAIN = 5.0
_SECONDS_TO_END = 2.0

_servers: "weakref.WeakSet[Server]" = weakref.WeakSet()


class AuthenticationError(Exception):
    """Raised by an authenticator: the client isn't let in. Any other exception has the same effect."""


class Server:
    """A server of one service; take `ThreadedServer`, `ThreadPoolServer` or `OneShotServer`.

    It listens from the constructor on: `host` and `port` say where. `start()` serves until `close()`.

    service
        A class, of which each client gets an instance, or an object that serves all of them.
    hostname, port, ipv6, socket_path
        Where to listen: on loopback unless `hostname` names another address ("0.0.0.0" for all), on a free
        port unless `port` says which; or on a Unix socket.
    authenticator
        Called with each client's socket before anything else; gives the socket to go on with, which
        may be wrapped (`ssl`), and the credentials, which are `conn._config["credentials"]` of the service. An
        exception refuses the client.
    registrar, auto_register
        What has `register(aliases, port, interface)` and `unregister(port)`, and whether it is told of the
        server each minute; by default where there is one.
    protocol_config
        Options of the connections by their names in Python's rpyc.
    logger
        The logger of the connections, or its name. The servers' own lines are those of "rpyc_rs".
    dispatch
        Called with a function for each request; has it called, once, on the thread that requests are to
        run on: `loop.call_soon_threadsafe` of asyncio, `lambda run: root.after(0, run)` of tkinter.
        The server's own threads wait meanwhile.
    listener_timeout, backlog, reuse_addr
        Accepted, and without effect.
    """

    _mode = "threaded"

    def __init__(
        self,
        service: Any,
        hostname: Optional[str] = None,
        ipv6: bool = False,
        port: int = 0,
        backlog: Optional[int] = None,
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
        _workers: int = 0,
    ) -> None:
        self._ended = threading.Event()
        if auto_register and registrar is None:
            raise ValueError("auto_register needs a registrar: whom is the server to register with?")
        config = dict(protocol_config or {})
        if logger is not None:
            config["logger"] = logger
        _log_to_python()
        self.service = service
        self.registrar = registrar
        self._registers = registrar is not None and auto_register is not False
        self._native = _native.Server(
            service,
            config,
            self._mode,
            _workers,
            host=_addresses(hostname, ipv6) if socket_path is None else [],
            port=port,
            path=None if socket_path is None else os.fspath(socket_path),
            authenticator=None if authenticator is None else _by_descriptor(authenticator),
            dispatch=dispatch,
        )
        self.host, self.port = self._native.address
        _servers.add(self)

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
        if self._registers:
            threading.Thread(target=self._register, name="rpyc-register", daemon=True).start()

    def close(self) -> None:
        """Ends all connections, and listens no more. What runs has two seconds to end. May be called again."""
        self._ended.set()
        self._native.close()

    @property
    def active(self) -> bool:
        """Whether it serves."""
        return self._native.is_serving()

    @property
    def client_count(self) -> int:
        """How many clients are connected."""
        return self._native.clients

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def _register(self) -> None:
        log = logging.getLogger("rpyc_rs")
        while not self._ended.is_set():
            try:
                done = self.registrar.register(self._native.names, self.port, interface=self.host)
            except Exception:
                log.warning("not registered", exc_info=True)
                done = False
            self._ended.wait(_REGISTER_EVERY if done is not False else _REGISTER_AGAIN)
        try:
            self.registrar.unregister(self.port)
        except Exception:
            log.warning("not unregistered", exc_info=True)


class ThreadedServer(Server):
    """A thread for each client."""


class ThreadPoolServer(Server):
    """`nbThreads` threads for all clients; silent ones cost none."""

    _mode = "pool"

    def __init__(
        self, service: Any, *args: Any, nbThreads: int = 20, requestBatchSize: int = 10, **kwargs: Any
    ) -> None:
        super().__init__(service, *args, _workers=nbThreads, **kwargs)


class OneShotServer(Server):
    """Serves the first client that is let in, and ends with it."""

    _mode = "oneshot"


def _addresses(hostname: Optional[str], ipv6: bool) -> list[str]:
    if hostname is None:
        return ["::1" if ipv6 else "127.0.0.1"]
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    found = socket.getaddrinfo(hostname or None, 0, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
    return [str(address[4][0]) for address in found]


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


@atexit.register
def _end() -> None:
    """Closes what is open. Where code of clients' doesn't end, the process does."""
    for server in list(_servers):
        server.close()
    if not _native.stop(_SECONDS_TO_END):
        for stream in sys.stdout, sys.stderr:
            if stream is not None:
                stream.flush()
        os._exit(1 if getattr(sys, "last_value", None) is not None else 0)
