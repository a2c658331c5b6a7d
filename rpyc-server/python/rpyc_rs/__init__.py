"""RPyC in Rust, inside this Python: the program `rpyc-server`, as `python -m rpyc_rs`, too."""

import os
import sys
from typing import NoReturn

from rpyc_rs import _native

__all__ = ["__version__", "main"]

__version__: str = _native.__version__


def main() -> NoReturn:
    """Runs `rpyc-server` with the arguments of `sys.argv[1:]`, and ends the process.

    To be called on the main thread. Clients' code runs in this Python.
    """
    # The folder of the script that called, or the current one: clients' code doesn't import from there.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    _native.run([os.fsencode(argument) for argument in sys.argv[1:]], _native.__file__, False)
