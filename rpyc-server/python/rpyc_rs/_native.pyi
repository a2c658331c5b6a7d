from typing import Any, Callable, NoReturn, Optional, Sequence, final

from typing_extensions import Self

__all__ = ["Registry", "Server", "__version__", "log_to", "prepare", "run", "stop"]

__version__: str

def run(arguments: list[bytes], module: str, is_chosen: bool) -> NoReturn:
    """Runs the program with its arguments, behind its name, and ends the process.

    `module` is this module's file; `is_chosen` says that `--python` has chosen this Python.
    """

def prepare() -> dict[str, tuple[bool, str]]:
    """Makes this Python fit for connections. The modules of Python's rpyc that there are here: names to pairs
    of is_package and text.
    """

def log_to(write: Callable[[int, str, str], None]) -> None:
    """Has the log written by a function of a level's number, a logger's name and a text."""

def stop(seconds: float) -> bool:
    """The end of a program whose servers are closed: says whether no code of clients' runs any more."""

@final
class Registry:
    """How to reach a registry, over "udp" or "tcp"; each call asks anew. Where it fails, it raises an OSError:
    a TimeoutError where nobody answers."""

    def __new__(cls, transport: str, host: str, port: int, timeout: float) -> Self: ...
    def discover(self, name: str) -> list[tuple[str, int]]: ...
    def list(self, host: Optional[str]) -> Optional[Sequence[str]]: ...
    def register(self, names: Sequence[str], port: int, source: Optional[str]) -> None: ...
    def unregister(self, port: int, source: Optional[str]) -> None: ...

@final
class Server:
    """A server: bound to its address by its constructor, serving from `start` to `close`."""

    @property
    def address(self) -> Optional[tuple[str, int]]: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def client_count(self) -> int: ...

    def __new__(
        cls,
        service: Any,
        config: dict[str, Any],
        mode: str,
        workers: int,
        *,
        listener: Optional[int],
        path: Optional[str],
        backlog: int,
        authenticator: Optional[Callable[[int], tuple[int, Any]]],
        dispatch: Optional[Callable[[Callable[[], None]], Any]],
    ) -> Self: ...
    def start(self) -> None: ...
    def is_serving(self) -> bool: ...
    def clients(self) -> list[tuple[int, Any]]:
        """The clients that are served: a number of each, and where it is, as a socket tells it."""

    def close_client(self, number: int) -> None:
        """Ends the connection of that client, if it is there, without waiting for its requests."""

    def close(self) -> None: ...
