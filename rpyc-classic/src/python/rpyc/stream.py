"""What connections can be made over: sockets, also such as Python wraps, and pipes."""

import os
import selectors
import socket
import threading

_CHUNK = 1 << 16


class SocketStream:
    """A connected socket."""

    def __init__(self, sock):
        self.sock = sock

    @classmethod
    def connect(cls, host, port, family=socket.AF_UNSPEC, timeout=3, nodelay=False, keepalive=False):
        """One of TCP."""
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        for place, (family, kind, protocol, _, address) in enumerate(infos, 1):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(timeout)
                sock.connect(address)
            except OSError:
                sock.close()
                if place == len(infos):
                    raise
                continue
            sock.settimeout(None)
            if nodelay:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if keepalive:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return cls(sock)

    @classmethod
    def unix_connect(cls, path, timeout=3):
        """A Unix socket."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(path)
        except BaseException:
            sock.close()
            raise
        sock.settimeout(None)
        return cls(sock)

    def fileno(self):
        """Its descriptor."""
        return self.sock.fileno()

    @property
    def closed(self):
        """Whether it is closed, or a connection's."""
        return self.sock.fileno() < 0

    def close(self):
        """Closes it."""
        self.sock.close()

    def give_away(self):
        """Its address for the core, to which the descriptor belongs from now on."""
        plain = plain_socket(self.sock)
        kind = "unix socket" if plain.family == socket.AF_UNIX else "tcp socket"
        plain.setblocking(True)
        return kind, plain.detach()


class PipeStream:
    """A pipe to read and one to write: files, or descriptors."""

    def __init__(self, incoming, outgoing):
        self.incoming, self.outgoing = incoming, outgoing

    def close(self):
        """Closes them."""
        for descriptor in self.give_away()[1:]:
            os.close(descriptor)

    def give_away(self):
        """Their address for the core, to which the descriptors belong from now on."""
        return "pipes", _descriptor(self.incoming), _descriptor(self.outgoing)


def _descriptor(pipe):
    if isinstance(pipe, int):
        return pipe
    descriptor = os.dup(pipe.fileno())
    pipe.close()
    return descriptor


class Channel:
    """A stream, cut into frames: the frames are rpyc's."""

    def __init__(self, stream, compress=True):
        self.stream = stream


def plain_socket(wrapped):
    """The socket itself, or one that passes on what the wrapped one sends and receives."""
    if type(wrapped) is socket.socket:
        return wrapped
    ours, theirs = socket.socketpair()
    threading.Thread(
        target=_carry, args=(wrapped, ours), name="rpyc-bridge", daemon=True
    ).start()
    return theirs


def _carry(wrapped, ours):
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


def _move(source, buffer):
    if len(buffer) >= _CHUNK:
        return False
    received = _unless_blocked(source.recv, _CHUNK)
    if received is None:
        return False
    if not received:
        raise EOFError
    buffer += received
    return True


def _flush(target, buffer):
    if not buffer:
        return False
    sent = _unless_blocked(target.send, bytes(buffer)) or 0
    del buffer[:sent]
    return sent > 0


def _unless_blocked(operation, argument):
    """What it gives, or None where it would have to wait."""
    try:
        return operation(argument)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError as error:
        if _wants(error):
            return None
        raise


def _wants(error):
    return type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")


def _wait(wrapped, ours, to_client, to_server):
    with selectors.DefaultSelector() as selector:
        for source, incoming, outgoing in (wrapped, to_server, to_client), (ours, to_client, to_server):
            events = selectors.EVENT_WRITE if outgoing else 0
            if len(incoming) < _CHUNK:
                events |= selectors.EVENT_READ
            if events:
                selector.register(source, events)
        selector.select()
