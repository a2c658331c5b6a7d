"""What code must not do to a process that it shares with other clients."""

import posix
import sys

# A million calls that wait for each other take 600 MB, and half a minute to unwind.
MAX_RECURSION = 100_000


def _refused(name):
    def refuse(*args):
        raise RuntimeError(
            f"os.{name}() would copy the server, with the connections and half of the threads of "
            "all its clients; use subprocess, or multiprocessing with the start method 'spawn'"
        )

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__module__ = "posix"
    return refuse


def _bounded(set_limit):
    def setrecursionlimit(limit, /):
        set_limit(min(limit, MAX_RECURSION) if isinstance(limit, int) else limit)

    setrecursionlimit.__qualname__ = "setrecursionlimit"
    setrecursionlimit.__module__ = "sys"
    setrecursionlimit.__doc__ = set_limit.__doc__
    return setrecursionlimit


def install():
    """Replaces what copies the process, and bounds what fills its memory."""
    sys.setrecursionlimit = _bounded(sys.setrecursionlimit)
    for module in (posix, sys.modules.get("os")):
        for name in ("fork", "forkpty"):
            if hasattr(module, name):
                setattr(module, name, _refused(name))
