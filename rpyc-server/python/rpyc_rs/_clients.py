"""The clients that a server has."""

import socket
from collections.abc import Iterator, Set
from typing import Any

from rpyc_rs import _native


class Client:
    """A client that is connected; where programs had its socket."""

    __slots__ = ("_number", "_peer", "_server")

    def __init__(self, server: _native.Server, number: int, peer: Any) -> None:
        self._server = server
        self._number = number
        self._peer = peer

    def getpeername(self) -> Any:
        """Where it is: a pair of host and port, of four with IPv6; "" for a Unix socket."""
        return self._peer

    def close(self) -> None:
        """Ends its connection, which no request of its delays. Nothing happens where it has gone."""
        self._server.close_client(self._number)

    def shutdown(self, how: int = socket.SHUT_RDWR) -> None:
        """The same: a connection has no half that works alone."""
        self.close()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Client) and other._number == self._number

    def __hash__(self) -> int:
        return hash(self._number)

    def __repr__(self) -> str:
        return f"<client {self._peer!r}>"


class Clients(Set[Client]):
    """A server's clients, as they are when one looks: those that are let in and served."""

    def __init__(self, server: _native.Server) -> None:
        self._server = server

    def copy(self) -> set[Client]:
        """Those that there are now."""
        return {Client(self._server, number, peer) for number, peer in self._server.clients()}

    def __contains__(self, client: object) -> bool:
        return client in self.copy()

    def __iter__(self) -> Iterator[Client]:
        return iter(self.copy())

    def __len__(self) -> int:
        return len(self._server.clients())

    @classmethod
    def _from_iterable(cls, clients: Any) -> Any:
        return set(clients)

    def __repr__(self) -> str:
        return repr(self.copy())
