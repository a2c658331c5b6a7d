"""Standard streams of the server's Python that are a client's."""

import io
import sys
import threading

_STREAMS = "stdin", "stdout", "stderr"
_BLOCK = 8192


def _is_redirect(file):
    # Of any client's helper: each has classes of its own.
    return getattr(type(file), "is_rpyc_redirect", False)


def _threads():
    try:
        return set(sys._current_frames())
    except AttributeError:
        return {thread.ident for thread in threading.enumerate()}


class _Redirect(io.TextIOBase):
    """Stands in for a standard stream. Those of several clients lie on top of each other, and may
    go in any order. One that is of a thread is used by that thread and by those that were
    started after it, one that isn't by all."""

    is_rpyc_redirect = True
    encoding = "utf-8"
    errors = "surrogateescape"

    def __init__(self, name, client, thread):
        self.rpyc_name = name
        self.rpyc_client = client
        self.rpyc_thread = thread
        self.rpyc_others = set() if thread is None else _threads() - {thread}
        self.rpyc_below = getattr(sys, name)

    @property
    def name(self):
        return "<%s>" % self.rpyc_name

    def rpyc_target(self):
        """The stream that this thread uses."""
        me = threading.get_ident()
        file, top = self, None
        while _is_redirect(file):
            if file.rpyc_client is not None:
                if file.rpyc_thread == me:
                    return file
                if top is None and me not in file.rpyc_others:
                    top = file
            file = file.rpyc_below
        return file if top is None else top

    def rpyc_end(self):
        """The client has it no more."""
        self.rpyc_client = None
        top = getattr(sys, self.rpyc_name)
        while _is_redirect(top) and top.rpyc_client is None:
            top = top.rpyc_below
            setattr(sys, self.rpyc_name, top)


class _Output(_Redirect):
    def __init__(self, name, client, thread, by_line):
        super().__init__(name, client, thread)
        self._by_line = by_line
        self._lock = threading.Lock()
        self._parts = []
        self._size = 0
        self.buffer = _Bytes(self)

    @property
    def line_buffering(self):
        return self._by_line

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise TypeError("write() argument must be str, not " + kind)
        target = self.rpyc_target()
        if _is_redirect(target):
            target.put(text.encode("utf-8", "surrogateescape"))
        elif target is not None:
            target.write(text)
        return len(text)

    def put(self, data):
        with self._lock:
            self._parts.append(data)
            self._size += len(data)
            due = self._size >= _BLOCK or (self._by_line and b"\n" in data)
        if due:
            self.send(self.rpyc_client)

    def send(self, client):
        """Sends what was put aside. Not under the lock: the client may take its time."""
        with self._lock:
            data = b"".join(self._parts)
            self._parts = []
            self._size = 0
        if not data or client is None:
            return
        try:
            client.write(data)
        except (EOFError, ReferenceError):
            # The connection is closed.
            self.rpyc_end()

    def flush(self):
        target = self.rpyc_target()
        if _is_redirect(target):
            target.send(target.rpyc_client)
        elif target is not None:
            target.flush()


class _Bytes(io.RawIOBase):
    """The bytes below a redirected output."""

    def __init__(self, output):
        self._output = output

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        target = self._output.rpyc_target()
        if _is_redirect(target):
            target.put(data)
        elif target is not None:
            target.buffer.write(data)
        return len(data)

    def flush(self):
        self._output.flush()


class _Input(_Redirect):
    def __init__(self, name, client, thread):
        super().__init__(name, client, thread)
        self.buffer = _InputBytes(self)

    def readable(self):
        return True

    def readline(self, size=-1):
        target = self.rpyc_target()
        if target is None:
            return ""
        if not _is_redirect(target):
            return target.readline(size)
        return _text(target.buffer.line, size)

    def read(self, size=-1):
        target = self.rpyc_target()
        if target is None:
            return ""
        if not _is_redirect(target):
            return target.read(size)
        text = []
        while size is None or size < 0 or size > 0:
            line = _text(target.buffer.line, size)
            if not line:
                break
            text.append(line)
            if size is not None and size > 0:
                size -= len(line)
        return "".join(text)


def _text(read_line, size):
    data = read_line(size)
    while True:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            # Cut off within a character.
            rest = read_line(1) if error.end == len(data) else b""
        if not rest:
            return data.decode("utf-8", "surrogateescape")
        data += rest


class _InputBytes(io.RawIOBase):
    """The bytes below a redirected input."""

    def __init__(self, source):
        self._source = source

    def readable(self):
        return True

    def line(self, most=-1):
        """A line of the client's, b"" at the end."""
        client = self._source.rpyc_client
        if client is None:
            return b""
        # What asks the user a question has written it before.
        sys.stdout.flush()
        return client.readline(-1 if most is None else most)

    def readline(self, size=-1):
        return self.line(size)

    def read(self, size=-1):
        if size is not None and size >= 0:
            return self.line(size)
        return self.readall()

    def readall(self):
        parts = []
        while True:
            line = self.line()
            if not line:
                return b"".join(parts)
            parts.append(line)

    def readinto(self, buffer):
        line = self.line(len(buffer))
        buffer[:len(line)] = line
        return len(line)


class Redirection:
    """The standard streams of the server's Python, while a client has them."""

    def __init__(self, client_streams, by_line):
        """Three streams of the client's or None: for stdin, stdout, stderr."""
        self._made = []
        self._clients = client_streams
        self._by_line = by_line

    def start(self, this_thread_only=False):
        thread = threading.get_ident() if this_thread_only else None
        for name, client in zip(_STREAMS, self._clients):
            if client is None:
                continue
            if name == "stdin":
                file = _Input(name, client, thread)
            else:
                by_line = self._by_line or name == "stderr"
                file = _Output(name, client, thread, by_line)
            self._made.append(file)
            setattr(sys, name, file)

    def stop(self):
        made, self._made = self._made, []
        clients = [file.rpyc_client for file in made]
        for file in made:
            file.rpyc_end()
        for file, client in zip(made, clients):
            if isinstance(file, _Output):
                file.send(client)
