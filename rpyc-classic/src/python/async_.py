"""The answers to requests that nobody waits for yet."""


class AsyncResultTimeout(TimeoutError):
    """The answer didn't come before the result's expiry, or within `sync_request_timeout`."""

    # A peer needs no rpyc to catch it.
    _rpyc_origin = "builtins", "TimeoutError"


class AsyncResult:
    """The answer to an asynchronous request, now or later."""

    __slots__ = ("_answer", "__weakref__")

    def __init__(self, answer):
        self._answer = answer

    def __repr__(self):
        state = "expired" if self.expired else "ready" if self.ready else "pending"
        return f"<AsyncResult object ({state}) at {id(self):#x}>"

    def wait(self):
        """Waits for the answer, until the expiry at the latest."""
        if not self._answer.wait():
            raise AsyncResultTimeout("result expired")

    def add_callback(self, func):
        """Calls func(self) when the answer is in: at once, if it is."""
        self._answer.add_callback(lambda: func(self))

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
