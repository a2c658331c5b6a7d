"""The answers to requests that nobody waits for yet."""

from _collections import deque
from _thread import RLock


class AsyncResultTimeout(TimeoutError):
    """The answer didn't come before the result's expiry, or within `sync_request_timeout`."""

    # A peer needs no rpyc to catch it.
    _rpyc_origin = "builtins", "TimeoutError"


class _Callback:
    """Calls a function once. Who comes second waits until it has been called."""

    __slots__ = "_function", "_lock"

    def __init__(self, function):
        self._function, self._lock = function, RLock()

    def __call__(self):
        with self._lock:
            function, self._function = self._function, None
            if function is not None:
                function()


class AsyncResult:
    """The answer to an asynchronous request, now or later."""

    __slots__ = "_answer", "_callbacks", "__weakref__"
    # Where programs, and peers, find it.
    __module__ = "rpyc.core.async_"

    def __init__(self, answer):
        self._answer, self._callbacks = answer, deque()

    def __repr__(self):
        state = "expired" if self.expired else "ready" if self.ready else "pending"
        return f"<AsyncResult object ({state}) at {id(self):#x}>"

    def wait(self):
        """Waits for the answer, until the expiry at the latest."""
        if not self._answer.wait():
            raise AsyncResultTimeout("result expired")
        # Whoever waits may count on what they do.
        callbacks = self._callbacks
        while callbacks:
            try:
                callback = callbacks.popleft()
            except IndexError:
                # Another thread waits, too.
                return
            callback()

    def add_callback(self, func):
        """Calls func(self) when the answer is in: at once, if it is; else on a thread that waits for it, or on
        one of its own."""
        callback = _Callback(lambda: func(self))
        self._callbacks.append(callback)
        self._answer.add_callback(callback)

    def set_expiry(self, timeout):
        """From now on the result expires after so many seconds; None: never."""
        self._answer.set_expiry(None if timeout is None else float(timeout))

    @property
    def ready(self):
        """Whether the answer is in. It doesn't wait."""
        return self._answer.ready()

    @property
    def error(self):
        """Whether the answer is in and is an exception."""
        return self._answer.is_error()

    @property
    def expired(self):
        """Whether the time is over and the answer isn't in."""
        return self._answer.expired()

    @property
    def value(self):
        """The answer, waited for. Raises what the peer raised."""
        self.wait()
        return self._answer.value()


async_result = AsyncResult
