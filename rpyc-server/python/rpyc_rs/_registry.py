"""Clients of a registry, which knows where servers are."""

import ipaddress
import logging
from typing import Optional, Sequence

from rpyc_rs import _native

__all__ = ["REGISTRY_PORT", "RegistryClient", "TCPRegistryClient", "UDPRegistryClient"]

REGISTRY_PORT = 18811
"""Where registries listen."""


class RegistryClient:
    """How to reach a registry; take `UDPRegistryClient` or `TCPRegistryClient`. Each call asks anew."""

    REREGISTER_INTERVAL = 60
    """So many seconds after it has registered, a server says again that it is there."""

    _transport = ""

    def __init__(self, ip: str, port: int, timeout: float, logger: Optional[logging.Logger]) -> None:
        self.ip = ip
        self.port = port
        self.timeout = timeout
        self.logger = logging.getLogger("rpyc_rs") if logger is None else logger
        self._native = _native.Registry(self._transport, ip, port, timeout)
        self._sources: dict[int, Optional[str]] = {}

    def discover(self, name: str) -> tuple[tuple[str, int], ...]:
        """The servers of that name, pairs of host and port: none where the registry knows none."""
        return tuple(self._native.discover(name))

    def list(self, filter_host: Optional[str] = None) -> Optional[tuple[str, ...]]:
        """The names of the services that there are, or that are at that IP address; None where the registry
        doesn't tell."""
        names = self._native.list(filter_host)
        return None if names is None else tuple(names)

    def register(self, aliases: Sequence[str], port: int, interface: str = "") -> bool:
        """Says that a server at this port has these names, and whether the registry has taken it.

        The server is at the address that this is said from: that of `interface`, or one that the system
        chooses.
        """
        source = None if interface in ("", "0.0.0.0", "::") else interface
        self._sources[port] = source
        try:
            self._native.register(list(aliases), port, source)
        except OSError as error:
            self.logger.warning("not registered: %s", error)
            return False
        return True

    def unregister(self, port: int) -> None:
        """Says that the server at this port is gone."""
        try:
            self._native.unregister(port, self._sources.pop(port, None))
        except OSError as error:
            self.logger.warning("not unregistered: %s", error)

    def _is_for_others(self) -> bool:
        # Whether it is another machine's, or may be: a name is one that is looked up for each question.
        try:
            return not ipaddress.ip_address(self.ip).is_loopback
        except ValueError:
            return self.ip != "localhost"


class UDPRegistryClient(RegistryClient):
    """Asks over UDP: whichever registry of this network answers, or the one at that IP address.

    A registry that doesn't answer within `timeout` seconds knows nothing.
    """

    _transport = "udp"

    def __init__(
        self,
        ip: str = "255.255.255.255",
        port: int = REGISTRY_PORT,
        timeout: float = 2,
        bcast: Optional[bool] = None,
        logger: Optional[logging.Logger] = None,
        ipv6: bool = False,
    ) -> None:
        super().__init__(ip, port, timeout, logger)

    def discover(self, name: str) -> tuple[tuple[str, int], ...]:
        try:
            return super().discover(name)
        except (TimeoutError, ConnectionRefusedError):
            return ()

    def list(self, filter_host: Optional[str] = None) -> Optional[tuple[str, ...]]:
        try:
            return super().list(filter_host)
        except (TimeoutError, ConnectionRefusedError):
            return ()


class TCPRegistryClient(RegistryClient):
    """Asks the registry at that host over TCP. Where it can't be reached, an OSError says why."""

    _transport = "tcp"

    def __init__(
        self,
        ip: str,
        port: int = REGISTRY_PORT,
        timeout: float = 2,
        logger: Optional[logging.Logger] = None,
    ) -> None:
        super().__init__(ip, port, timeout, logger)


# Where programs find them.
for _class in RegistryClient, UDPRegistryClient, TCPRegistryClient:
    _class.__module__ = "rpyc_rs.utils.registry"
