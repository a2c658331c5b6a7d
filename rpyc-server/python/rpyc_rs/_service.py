"""What services are made of."""

from typing import Any, Callable, ClassVar, Sequence, TypeVar

_C = TypeVar("_C", bound=type)


class Service:
    """The base of services, for those who want one: any class with `exposed_` names is served.

    `rpyc.Service` of Python's rpyc is served as well. Of the names below each may be left as it is.
    """

    ALIASES: ClassVar[Sequence[str]] = ()
    """The names that a registry is told; by default the class's, less "Service" at its end."""

    def on_connect(self, conn: Any) -> None:
        """The connection works; an exception refuses it. `conn.root` is what the client offers."""

    def on_disconnect(self, conn: Any) -> None:
        """The connection is closed, and can't be used any more."""

    def _rpyc_setattr(self, name: str, value: Any) -> None:
        raise AttributeError("access denied")

    def _rpyc_delattr(self, name: str) -> None:
        raise AttributeError("access denied")

    @classmethod
    def get_service_aliases(cls) -> tuple[str, ...]:
        """The names under which it is known, in capitals."""
        name = cls.__name__.upper()
        return tuple(alias.upper() for alias in cls.ALIASES) or (name.removesuffix("SERVICE") or name,)

    @classmethod
    def get_service_name(cls) -> str:
        """The first of them."""
        return cls.get_service_aliases()[0]

    exposed_get_service_aliases = get_service_aliases
    exposed_get_service_name = get_service_name


def exposed(function: Any) -> Any:
    """Marks a method of a class that `service` is put on: it is exposed under its own name."""
    function.__exposed__ = "exposed_"
    return function


def service(cls: _C) -> _C:
    """Exposes what `exposed` marks in the class."""
    for name in dir(cls):
        member = getattr(cls, name, None)
        prefix = getattr(member, "__exposed__", None)
        if isinstance(prefix, str):
            setattr(cls, prefix + name, vars(cls).get(name, member))
    return cls


def classpartial(cls: type, /, *args: Any, **kwargs: Any) -> type:
    """The class with these arguments of its constructor given already: what a server can make."""

    def __init__(self: Any) -> None:
        cls.__init__(self, *args, **kwargs)

    names = {"__init__": __init__, "__module__": cls.__module__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), names)
