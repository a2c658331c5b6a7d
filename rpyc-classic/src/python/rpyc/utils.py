"""Utilities, and the decorators by which services expose their methods."""

import inspect

from _rpyc_package import lazily


def exposed(arg):
    """Marks a function, or with a prefix of one's own: exposed("prefix_")."""
    if isinstance(arg, str):
        return lambda function: _mark(function, arg)
    if not callable(arg) and not hasattr(arg, "__get__"):
        raise TypeError("exposed takes a function, a descriptor or a prefix")
    return _mark(arg, "exposed_")


def _mark(function, prefix):
    function.__exposed__ = prefix
    return function


def service(cls):
    """Gives what is marked by `exposed` its name with the prefix."""
    for name, member in inspect.getmembers(cls):
        prefix = getattr(member, "__exposed__", None)
        if prefix:
            setattr(cls, prefix + name, service(member) if inspect.isclass(member) else member)
    return cls


# Python's rpyc has imported them all.
__getattr__, __dir__ = lazily(
    __name__,
    globals(),
    """
    classic: classic
    factory: factory
    helpers: helpers
    teleportation: teleportation
    """,
)
