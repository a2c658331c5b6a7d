from typing import Any, Callable, NoReturn, Optional, Sequence

__version__: str
__file__: str

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

class Server:
    """A server: bound to its address by its constructor, serving from `start` to `close`."""

    address: tuple[str, Optional[int]]
    names: Sequence[str]
    clients: int

    def __init__(
        self,
        service: Any,
        config: dict[str, Any],
        mode: str,
        workers: int,
        *,
        host: Sequence[str],
        port: int,
        path: Optional[str],
        authenticator: Optional[Callable[[int], tuple[int, Any]]],
        dispatch: Optional[Callable[[Callable[[], None]], Any]],
    ) -> None: ...
    def start(self) -> None: ...
    def is_serving(self) -> bool: ...
    def close(self) -> None: ...
