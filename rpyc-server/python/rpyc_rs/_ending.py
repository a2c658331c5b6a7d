"""The end of a program: that of its servers and connections."""

import atexit
import os
import sys
import weakref
from typing import TYPE_CHECKING

from rpyc_rs import _native

if TYPE_CHECKING:
    from typing import Protocol

    class _Closes(Protocol):
        def close(self) -> None: ...


SECONDS = 2.0
"""So long what runs is waited for."""

servers: "weakref.WeakSet[_Closes]" = weakref.WeakSet()
"""What is to be closed."""


@atexit.register
def _end() -> None:
    """Closes what is open. Where code of clients' doesn't end, the process does."""
    for server in list(servers):
        server.close()
    if not _native.stop(SECONDS):
        for stream in sys.stdout, sys.stderr:
            if stream is not None:
                stream.flush()
        os._exit(1 if getattr(sys, "last_value", None) is not None else 0)


# What is open is the parent's to close.
os.register_at_fork(after_in_child=lambda: atexit.unregister(_end))
