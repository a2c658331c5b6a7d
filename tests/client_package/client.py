"""What the clients of these tests begin with: `rpyc` is the package that PEER names."""

import gc
import importlib
import os
import signal
import sys
import threading
import time

rpyc = importlib.import_module(os.environ["PEER"])
HERE = "127.0.0.1"


def port(place=0):
    return int(sys.argv[1 + place])


def connect(**given):
    return rpyc.connect(HERE, port(), **given)


def show(what, function, *args):
    """Writes what the function gives, or which exception it raises."""
    try:
        print(what, repr(function(*args)))
    except Exception as error:
        print(what, "raises", type(error).__name__.rpartition(".")[2])


def wait_until(happened):
    for _ in range(3000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")
