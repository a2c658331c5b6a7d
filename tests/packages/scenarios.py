"""What each program here begins with: its functions are run one after the other, each with a connection of its own.

The same program runs with Python's own server and with this one, and what it shows has to be the same.
"""
from peer import *

import io
import traceback
import types

import numpy as np

PEER_KIND = os.environ.get("PEER_KIND")


def show(*values):
    """Something to be compared with what it is with Python's own server."""
    print(*values)


def said(function, *args, **kwargs):
    """What it returns, or the exception that it raises, as text."""
    try:
        return repr(function(*args, **kwargs))
    except Exception as error:
        own_text = str(error).split("\n========= Remote Traceback")[0]
        return f"{type(error).__name__}: {own_text}"


def run(functions):
    """Runs those that the program defines itself and that take a connection."""
    failed = []
    for name, function in list(functions.items()):
        is_own = isinstance(function, types.FunctionType) and function.__module__ == "__main__"
        if not is_own or function.__code__.co_varnames[:1] != ("conn",):
            continue
        print(f"--- {name}")
        try:
            with connect() as conn:
                function(conn)
        except Exception:
            failed.append(name)
            traceback.print_exc(limit=3)
    assert not failed, failed
