"""What code sets for its thread, as part of a session: taken out of a thread, and put in place on another.

The native side sees to what it can do better: trace functions, the signal mask, the locale.
"""

import _thread
import sys
import threading

import _rpyc_locale
import _rpyc_locals
from _rpyc_native import session_number

def take():
    """What code has set for this thread, which is like a new one afterwards; None if it has set nothing."""
    hooks = sys.get_asyncgen_hooks()
    if hooks[0] is None and hooks[1] is None:
        hooks = None
    else:
        sys.set_asyncgen_hooks(None, None)
    asyncio = sys.modules.get("_asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is not None:
        asyncio._set_running_loop(None)
    kept = _rpyc_locals.take()
    thread = threading._active.pop(_thread.get_ident(), None)
    if hooks is None and loop is None and kept is None and thread is None:
        return None
    return hooks, loop, kept, thread


def put(hooks, loop, kept, thread):
    """Puts on this thread what was taken from another."""
    if thread is not None:
        ident = _thread.get_ident()
        thread._ident = ident
        if hasattr(thread, "_native_id"):
            thread._native_id = _thread.get_native_id()
        threading._active[ident] = thread
    if kept is not None:
        _rpyc_locals.put(*kept)
    if loop is not None:
        sys.modules["_asyncio"]._set_running_loop(loop)
    if hooks is not None:
        sys.set_asyncgen_hooks(*hooks)


def share(bounded_to):
    """Makes what Python keeps for the whole process each client's own, where one process has several."""
    if hasattr(sys, "_settraceallthreads"):
        # The other threads are other clients'.
        sys._settraceallthreads, sys._setprofileallthreads = sys.settrace, sys.setprofile
    _share_recursion_limit(bounded_to)
    _share_switch_interval()
    _rpyc_locale.share()


_set_limit, _get_limit = sys.setrecursionlimit, sys.getrecursionlimit

# The recursion limits by the numbers of sessions; that of None is everybody's who isn't a client. Python has
# one for all threads: the highest of these.
_limits = {}


def session_ended(number):
    """Forgets what was a client's alone."""
    if _limits.pop(number, None) is not None:
        _set_limit(max(_limits.values()))


# A million calls that wait for each other take hundreds of megabytes, and a minute to tell of.
_MAX_RECURSION = 100_000


def _share_recursion_limit(most):
    most = _MAX_RECURSION if most is None else min(most, _MAX_RECURSION)
    _limits[None] = _get_limit()

    def setrecursionlimit(limit, /):
        if not isinstance(limit, int) or limit < 1:
            # It says what is wrong.
            return _set_limit(limit)
        own = min(limit, most)
        number = session_number()
        _set_limit(max([own] + [other for key, other in _limits.items() if key != number]))
        _limits[number] = own

    def getrecursionlimit():
        return _limits.get(session_number()) or _limits[None]

    _as_builtin(_set_limit, setrecursionlimit)
    _as_builtin(_get_limit, getrecursionlimit)


def _share_switch_interval():
    set_interval, most = sys.setswitchinterval, sys.getswitchinterval()

    def setswitchinterval(interval, /):
        # With a longer one a client's loop would keep all others from running.
        # A NaN is no less than it.
        is_number = hasattr(interval, "__float__") or hasattr(interval, "__index__")
        set_interval(min(most, float(interval)) if is_number else interval)

    _as_builtin(set_interval, setswitchinterval)


def _as_builtin(builtin, function):
    function.__name__ = function.__qualname__ = builtin.__name__
    function.__module__, function.__doc__ = "sys", builtin.__doc__
    setattr(sys, builtin.__name__, function)
