"""Helpers for code that uses a peer's objects."""

import threading
import time

from ..core.consts import HANDLE_BUFFITER, HANDLE_CALL
from ..core.async_ import AsyncResult
from ..core.netref import BaseNetref, asyncreq, syncreq, target_of


def buffiter(obj, chunk=10, max_chunk=1000, factor=2):
    """Iterates over a peer's iterable and fetches more items at a time, up to `max_chunk`."""
    if factor < 1:
        raise ValueError(f"factor must be >= 1, got {factor!r}")
    iterator, count = iter(obj), chunk
    while items := syncreq(iterator, HANDLE_BUFFITER, count):
        yield from items
        count = min(count * factor, max_chunk)


def restricted(obj, attrs, wattrs=None):
    """A view of an object through which only `attrs` can be read, and `wattrs` (else `attrs`) set."""
    writable = attrs if wattrs is None else wattrs

    class Restricted:
        def __getattr__(self, name):
            if name in attrs:
                return getattr(obj, name)
            raise AttributeError(name)

        def __setattr__(self, name, value):
            if name not in writable:
                raise AttributeError(name)
            setattr(obj, name, value)

        _rpyc_getattr = __getattr__
        _rpyc_setattr = __setattr__

    return Restricted()


def classpartial(cls, /, *args, **kwargs):
    """The class with these arguments of its constructor given already."""

    class Partial(cls):
        def __new__(cls, *more, **named):
            return super().__new__(cls)

        def __init__(self, *more, **named):
            super().__init__(*args, *more, **{**kwargs, **named})

    Partial.__name__, Partial.__qualname__ = cls.__name__, cls.__qualname__
    Partial.__module__, Partial.__doc__ = cls.__module__, cls.__doc__
    return Partial


class _Async:
    __slots__ = ("proxy", "__weakref__")

    def __init__(self, proxy):
        self.proxy = proxy

    def __call__(self, *args, **kwargs):
        return asyncreq(self.proxy, HANDLE_CALL, args, tuple(kwargs.items()))

    def __repr__(self):
        return f"async_({self.proxy!r})"


def async_(proxy):
    """A version of a peer's callable that doesn't wait: calls return an AsyncResult."""
    if not isinstance(proxy, BaseNetref):
        raise TypeError(f"'proxy' must be a Netref: {proxy!r}")
    if not callable(proxy):
        raise TypeError(f"'proxy' must be callable: {proxy!r}")
    return _Async(proxy)


globals()["async"] = async_


class timed:
    """A version of a peer's callable whose results expire after `timeout` seconds."""

    __slots__ = ("proxy", "timeout", "__weakref__")

    def __init__(self, proxy, timeout):
        self.proxy, self.timeout = async_(proxy), timeout

    def __call__(self, *args, **kwargs):
        # With the request: its answer may be in before anything more can be said of it.
        seconds = None if self.timeout is None else float(self.timeout)
        request = args, tuple(kwargs.items())
        target = target_of(self.proxy.proxy)
        return AsyncResult(target.request_later(HANDLE_CALL, request, seconds))

    def __repr__(self):
        return f"timed({self.proxy.proxy!r}, {self.timeout!r})"


class BgServingThread:
    """Serves a connection in the background, until `stop`."""

    SERVE_INTERVAL = 0.0
    SLEEP_INTERVAL = 0.1

    def __init__(
        self,
        conn,
        callback=None,
        serve_interval=SERVE_INTERVAL,
        sleep_interval=SLEEP_INTERVAL,
    ):
        self._conn, self._callback, self._active = conn, callback, True
        self._intervals = serve_interval, sleep_interval
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        serve_interval, sleep_interval = self._intervals
        try:
            while self._active:
                self._conn.serve(serve_interval)
                time.sleep(sleep_interval)
        except Exception:
            if self._active:
                self._active = False
                if self._callback is None:
                    raise
                self._callback()

    def stop(self):
        """Stops serving, for good."""
        assert self._active
        self._active = False
        self._thread.join()
        self._conn = None
