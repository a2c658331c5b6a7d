"""The attributes of each `threading.local` on the running thread: taken out, and put in place on another.

Up to CPython 3.12 they stand in the thread's dict. From 3.13 on each local maps a key of the thread's to its
attributes, and has a weak reference to a sentinel of the thread's, whose callback, a method of
`(reference to the local, key)`, removes them when the thread ends. So the sentinel's weak references tell
which locals have attributes on the thread.
"""

import gc
import threading
from _weakref import getweakrefs, ref
from types import MethodType

from _rpyc_native import thread_dict

_MARK = "of this thread"
_probe = threading.local()
_HAS_KEYS = [type(part) for part in gc.get_referents(_probe)[-2:]] == [dict, set]


def take():
    """What the thread keeps, locals among others; it keeps nothing afterwards. None if it is nothing."""
    by_thread = thread_dict()
    others = dict(by_thread)
    by_thread.clear()
    attributes = _take_attributes() if _HAS_KEYS else []
    return (others, attributes) if others or attributes else None


def put(others, attributes):
    """Puts on this thread what was taken from another."""
    thread_dict().update(others)
    if attributes:
        _put_attributes(attributes)


def _take_attributes():
    key, sentinel = _of_this_thread()
    taken = []
    for watchdog in getweakrefs(sentinel):
        owner = getattr(watchdog.__callback__, "__self__", None)
        if type(owner) is not tuple or len(owner) != 2 or owner[1] is not key:
            continue
        local = owner[0]()
        if local is None or local is _probe:
            continue
        by_key, _ = _parts(local)
        attributes = by_key.pop(key, None)
        if attributes is not None:
            taken.append((owner[0], attributes))
    return taken


def _put_attributes(taken):
    key, sentinel = _of_this_thread()
    for reference, attributes in taken:
        local = reference()
        if local is None:
            continue
        by_key, watchdogs = _parts(local)
        by_key[key] = attributes
        # References to one sentinel are equal: if the local has one already, it stays.
        watchdogs.add(ref(sentinel, MethodType(_thread_ended, (reference, key))))


def _thread_ended(owner, watchdog):
    local = owner[0]()
    if local is not None:
        by_key, watchdogs = _parts(local)
        watchdogs.discard(watchdog)
        by_key.pop(owner[1], None)


def _parts(local):
    """What the local keeps: attributes by the keys of threads, and the weak references to their sentinels."""
    *_, by_key, watchdogs = gc.get_referents(local)
    return by_key, watchdogs


def _of_this_thread():
    """The thread's key, and its sentinel, which nobody but the thread may hold for long."""
    known = getattr(_probe, _MARK, None)
    if known is None:
        setattr(_probe, _MARK, None)
        by_key, watchdogs = _parts(_probe)
        own = _probe.__dict__
        key = next(key for key, attributes in tuple(by_key.items()) if attributes is own)
        watchdog = next(each for each in tuple(watchdogs) if each.__callback__.__self__[1] is key)
        known = key, watchdog
        setattr(_probe, _MARK, known)
    key, watchdog = known
    return key, watchdog()
