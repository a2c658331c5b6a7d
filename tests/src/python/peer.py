"""What every script of the tests finds: rpyc, the address of the server, a few helpers."""
import contextlib
import faulthandler
import os
import sys
import threading
import time
from textwrap import dedent  # noqa: F401, for scripts that execute indented text

import rpyc

# Ends a script that hangs, with the stacks of its threads.
faulthandler.dump_traceback_later(float(os.environ["PEER_DEADLINE"]), exit=True)

HOST = os.environ.get("PEER_HOST")
PORT = int(os.environ.get("PEER_PORT", "0"))
PATIENCE = 30


def connect():
    """A connection to the server, as any program makes it."""
    ca = os.environ.get("PEER_CA")
    if ca:
        return rpyc.classic.ssl_connect(HOST, PORT, ca_certs=ca)
    return rpyc.classic.connect(HOST, PORT)


def local_port(conn):
    """The port at this end, by which the server's log names the client."""
    return conn._channel.stream.sock.getsockname()[1]


def listen(server):
    """Has a server listen before anybody is told where; one of rpyc_rs does already."""
    if hasattr(server, "_listen"):
        server._listen()


def say(text):
    """A line for the test that waits for it."""
    print(text, file=sys.stderr, flush=True)


class Raised:
    """What `raises` caught."""
    value = None


@contextlib.contextmanager
def raises(kind, text=""):
    """Expects an exception of this class whose own text holds `text`."""
    raised = Raised()
    try:
        yield raised
    except BaseException as error:
        if not isinstance(error, kind):
            raise
        raised.value = error
        own_text = str(error).split("========= Remote Traceback")[0]
        assert text in own_text, f"{text!r} is not in {own_text!r}"
    else:
        raise AssertionError(f"{kind} was not raised")


def same(got, wanted):
    """Equal in value and in type."""
    assert type(got) is type(wanted) and got == wanted, f"{got!r} instead of {wanted!r}"


def eventually(condition, what):
    """Waits until the condition holds, and leaves the processor to what it waits for."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.002)
