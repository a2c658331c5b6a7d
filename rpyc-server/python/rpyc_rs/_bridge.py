"""Sockets that Python wraps, as plain ones."""

import selectors
import socket
import threading
from typing import Any

_CHUNK = 1 << 16


def plain_socket(wrapped: Any) -> socket.socket:
    """The socket itself, or one that passes on what the wrapped one sends and receives."""
    if type(wrapped) is socket.socket:
        return wrapped
    ours, theirs = socket.socketpair()
    threading.Thread(
        target=_carry, args=(wrapped, ours), name="rpyc-bridge", daemon=True
    ).start()
    return theirs


def _carry(wrapped: Any, ours: socket.socket) -> None:
    # One thread for both directions: a session of TLS isn't to be used by two at once.
    try:
        wrapped.setblocking(False)
        ours.setblocking(False)
        to_client, to_server = bytearray(), bytearray()
        while True:
            progress = _move(wrapped, to_server) | _move(ours, to_client)
            progress |= _flush(wrapped, to_client) | _flush(ours, to_server)
            if not progress:
                _wait(wrapped, ours, to_client, to_server)
    except (OSError, EOFError, ValueError):
        # Either end has closed.
        pass
    finally:
        ours.close()
        wrapped.close()


def _move(source: Any, buffer: bytearray) -> bool:
    if len(buffer) >= _CHUNK:
        return False
    try:
        received = source.recv(_CHUNK)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError as error:
        if _wants(error):
            return False
        raise
    if not received:
        raise EOFError
    buffer += received
    return True


def _flush(target: Any, buffer: bytearray) -> bool:
    if not buffer:
        return False
    try:
        sent = target.send(bytes(buffer))
    except (BlockingIOError, InterruptedError):
        return False
    except OSError as error:
        if _wants(error):
            return False
        raise
    del buffer[:sent]
    return sent > 0


def _wants(error: OSError) -> bool:
    return type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")


def _wait(wrapped: Any, ours: socket.socket, to_client: bytearray, to_server: bytearray) -> None:
    with selectors.DefaultSelector() as selector:
        for source, incoming, outgoing in (wrapped, to_server, to_client), (ours, to_client, to_server):
            events = selectors.EVENT_WRITE if outgoing else 0
            if len(incoming) < _CHUNK:
                events |= selectors.EVENT_READ
            if events:
                selector.register(source, events)
        selector.select()
