"""What an evaluator's native side gives the Python sources in this folder.

The sources hold what is policy: what a netref answers by itself, how exceptions travel, which methods a
class has. They are the same for each evaluator; this module is all of it that they know.
"""

from typing import Any

class Target:
    """What a netref stands for: an object of a peer's, or one of this process outside of Python.

    A method that asks may block, raises what the peer raised, and runs other requests of the peer's
    meanwhile. No two targets of one object need be one.
    """

    name: str
    """The full name of its class; of itself, if it is a class."""
    is_class: bool
    key: tuple[int, int, int] | None
    """What it is at its peer: connection, class, object. None for one of this process."""
    address: tuple[int, int] | None
    """What tells those of this process apart, as long as they live; None for a peer's."""
    runs_code: bool
    """Whether its owner may run code here anyway."""
    id_pack: tuple[str, int, int] | None

    def connection(self) -> Any:
        """The connection that it came over, as `getconn()` gives it; AttributeError if that is closed."""

    def methods(self) -> tuple[str, ...]:
        """The names of its methods: those for which the interpreter has room."""

    def attr(self, name: str) -> Any: ...
    def call(self, args: tuple, pairs: tuple) -> Any:
        """With arguments by position, and pairs of names and arguments."""

    def call_method(self, name: str, args: tuple, pairs: tuple) -> Any: ...
    def request(self, handler: int, args: tuple) -> Any:
        """Asks the object's owner for what the protocol's number says, with the arguments after the object.

        One of this process does what a netref needs: its attributes are set and deleted, it is compared, hashed,
        listed, pickled, told as text and left as a context. TypeError for all else.
        """

    def request_later(self, handler: int, args: tuple, seconds: float | None = None) -> "Answer":
        """The same of a peer's, without waiting. The answer expires so many seconds after that is sent."""

class Answer:
    """The answer to a request, now or later."""

    def wait(self) -> bool:
        """Waits for it; whether it came before the expiry."""

    def value(self) -> Any: ...
    def ready(self) -> bool: ...
    def is_error(self) -> bool: ...
    def expired(self) -> bool: ...
    def set_expiry(self, seconds: float | None = None) -> None: ...
    def add_callback(self, function: Any) -> None: ...

def connect(address: tuple, service: Any, config: dict, runs_code: bool, keepalive: bool) -> Any:
    """Makes a connection on which this side offers the service, an instance.

    The address is ("tcp", host, port), ("tls", host, port, authorities, certificate, key, is_checked),
    ("unix", path), ("tcp socket", descriptor), ("unix socket", descriptor) or ("pipes", to read, to write).
    The config has the names of Python's rpyc; `runs_code` says whether the peer may run code here.
    """

def current_connection() -> Any:
    """The connection of the client whose code runs on this thread, as `getconn()` gives it, or None."""

def default_options() -> tuple:
    """Pairs of names and values: the options of a connection for which none is given."""

def dumpable(object: Any) -> bool:
    """Whether it goes by value."""

def dump(object: Any) -> bytes: ...
def load(data: bytes) -> Any: ...

def set_locale(category: int, name: str | None) -> str | None:
    """Sets a category of this thread's locale, if there is a name; the name that it has then, None where there is
    no such locale. It is there where the system keeps a locale for each thread."""
