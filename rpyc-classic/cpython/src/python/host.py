"""What the evaluator does to the Python that it is in: threads, signals, forks, the end."""

import _contextvars
import _frozen_importlib
import _frozen_importlib_external
import _signal as signal
import _thread
import atexit
import builtins
import functools
import importlib.machinery
import os
import resource
import sys
import threading
import time
import types

import _rpyc_async as _async
import _rpyc_thread_state as _thread_state
from _rpyc_native import raise_in_each_line as _raise_in_each_line
from _rpyc_package import PackageFinder
from _rpyc_proxies import is_netref, target_of

# A client's loop in Python keeps others from running for so long.
_SWITCH_INTERVAL = 0.0005

# Before 3.12 a call in Python takes stack of the thread: so much at the most.
_BYTES_A_CALL = 3072


def prepare(search_path, argv, stack_size, on_main_thread, after_fork):
    """Makes the interpreter fit for many clients."""
    sys.path[:0] = [folder for folder in search_path if folder not in sys.path]
    sys.argv = argv
    # What started the server was `__main__` until now.
    sys.modules["__main__"] = types.ModuleType("__main__")
    vars(sys.modules["__main__"])["__builtins__"] = builtins
    sys.setswitchinterval(_SWITCH_INTERVAL)
    threading.stack_size(stack_size)
    stack = _main_stack() if on_main_thread else stack_size
    most = stack // _BYTES_A_CALL if sys.version_info < (3, 12) else None
    if not on_main_thread:
        _thread_state.share(most)
    elif most is not None:
        _bound_recursion(most)
    os.register_at_fork(after_in_child=after_fork)
    os.register_at_fork(after_in_child=_become_main_thread)
    os.register_at_fork(
        before=_hold_signals, after_in_parent=_give_signals, after_in_child=_take_signals_back
    )
    os._spawnvef = _spawn_with_copies(os._spawnvef)
    sys.meta_path.insert(0, _ImportHooks(_HOOKS))


def _become_main_thread():
    """The thread that forked is the main one of the child, as `multiprocessing` expects at the child's end.

    Python sees to that for threads of its own; for others from 3.13 on.
    """
    if isinstance(threading.main_thread(), threading._DummyThread):
        threading._main_thread = threading._MainThread()


_SERVERS_SIGNALS = signal.SIGHUP, signal.SIGINT, signal.SIGTERM

# Of the thread that forks: the signals that it didn't get before.
_forking = threading.local()


def _hold_signals():
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SERVERS_SIGNALS)


def _give_signals():
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _take_signals_back():
    # What the server does at a signal isn't the child's business: it does what Python knows of, also at
    # one that comes as soon as it is there.
    for number in _SERVERS_SIGNALS:
        action = signal.getsignal(number)
        if action is not None:
            signal.signal(number, action)
    _give_signals()


def prepare_embedded(after_fork):
    """What a program's own interpreter needs; all else stays as the program has it."""
    os.register_at_fork(after_in_child=after_fork)
    hooks = {name: hook for name, hook in _HOOKS.items() if name.startswith("rpyc.")}
    for name, hook in hooks.items():
        if name in sys.modules:
            hook(sys.modules[name])
    sys.meta_path.insert(0, _ImportHooks(hooks))


def _main_stack():
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return soft if 0 < soft < 1 << 30 else 8 << 20


def _bound_recursion(most):
    set_limit = sys.setrecursionlimit

    def setrecursionlimit(limit, /):
        set_limit(min(limit, most) if isinstance(limit, int) else limit)

    setrecursionlimit.__qualname__ = "setrecursionlimit"
    setrecursionlimit.__module__ = "sys"
    setrecursionlimit.__doc__ = set_limit.__doc__
    sys.setrecursionlimit = setrecursionlimit


def version():
    """The interpreter's name and version, and its packages' folder."""
    name = sys.implementation.name
    name = "CPython" if name == "cpython" else name
    number = ".".join(map(str, sys.version_info[:3]))
    return f"{name} {number} ({sys.executable})"


context = _contextvars.Context

# Where Python code begins, other threads get their turn, and exceptions from outside are raised: in code that
# isn't the evaluator's own.
pause = eval("lambda: None", {"__builtins__": builtins})


def thread_ended():
    """This thread of the server's ends: `threading` need not remember it."""
    ident = _thread.get_ident()
    if isinstance(threading._active.get(ident), threading._DummyThread):
        threading._active.pop(ident, None)


class Gone(KeyboardInterrupt):
    """The client whose code runs has gone."""

    def __init__(self, *args):
        super().__init__(*(args or ("the client has gone",)))


class Late(TimeoutError):
    """A request runs longer than it may."""

    def __init__(self, *args):
        super().__init__(*(args or ("the request has run longer than the server allows",)))


class _AtLast:
    """Is raised again in each line, where it is caught, until the work has ended."""

    def __init__(self, *args):
        super().__init__(*args)
        _raise_in_each_line()


class GoneAtLast(_AtLast, Gone):
    pass


class LateAtLast(_AtLast, Late):
    pass


for _cls, _base in (
    (Gone, KeyboardInterrupt),
    (GoneAtLast, KeyboardInterrupt),
    (Late, TimeoutError),
    (LateAtLast, TimeoutError),
):
    _cls.__name__ = _cls.__qualname__ = _base.__name__
    _cls.__module__ = "builtins"


gone, gone_at_last, late, late_at_last = Gone, GoneAtLast, Late, LateAtLast


# What imports modules, `threading`, and what changes a thread's state: told by the module that code is
# of, because a client's file may have any name.
_DELICATE = tuple(
    map(vars, (_frozen_importlib, _frozen_importlib_external, threading, _thread_state))
)


def is_delicate(ident):
    """Whether the thread is within code that takes locks which others need.

    An exception from outside would keep it from giving them back.
    """
    frame = sys._current_frames().get(ident)
    return frame is not None and _is_delicate(frame)


def _is_delicate(frame):
    return any(frame.f_globals is names for names in _DELICATE)


def may_end_in(frame):
    """Whether code may be made to end in that frame: the evaluator's own ends by itself."""
    return frame.f_builtins is not __builtins__ and not _is_delicate(frame)


def finish(seconds):
    """What a Python process does at its end, within a time."""
    end = time.monotonic() + seconds
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join(max(0.0, end - time.monotonic()))
    atexit._run_exitfuncs()
    flush()


def flush():
    """Writes out what was printed."""
    for stream in sys.stdout, sys.stderr:
        try:
            stream.flush()
        except Exception:
            # Nobody reads it, or a client has put something else there.
            pass


def _spawn_with_copies(spawn):
    @functools.wraps(spawn)
    def _spawnvef(mode, file, args, env, func):
        return spawn(mode, _copied(file), _copied(args), _copied(env), func)

    return _spawnvef


def _copied(value):
    """What a program is started with, without netrefs: the child of a fork can't ask a client for them."""
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    if isinstance(value, dict):
        return {_copied(name): _copied(text) for name, text in value.items()}
    return os.fspath(value) if is_netref(value) else value


class _ImportHooks:
    """Changes modules as soon as code has imported them."""

    def __init__(self, hooks):
        self._hooks = hooks

    def find_spec(self, name, path=None, target=None):
        hook = self._hooks.get(name)
        spec = hook and importlib.machinery.PathFinder.find_spec(name, path, target)
        if not spec:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            hook(module)

        spec.loader.exec_module = exec_module
        return spec


def _know_netrefs(module):
    real = module.BaseNetref

    class NetrefMetaclass(type(real)):
        __slots__ = ()

        def __instancecheck__(cls, obj):
            if cls is real and is_netref(obj):
                return True
            return type.__instancecheck__(cls, obj)

    real.__class__ = NetrefMetaclass
    module.syncreq = _for_both(module.syncreq, _request)
    module.asyncreq = _for_both(module.asyncreq, _request_later)


def _for_both(of_its_own, of_these):
    """A request of a real rpyc's about a netref: one of its own, or one of these here."""

    @functools.wraps(of_its_own)
    def request(proxy, handler, *args):
        if is_netref(proxy):
            return of_these(proxy, handler, args)
        return of_its_own(proxy, handler, *args)

    return request


def _request(netref, handler, args):
    return target_of(netref).request(handler, args)


def _request_later(netref, handler, args):
    return _async.AsyncResult(target_of(netref).request_later(handler, args))


def _share_timeout(module):
    ours, theirs = _async.AsyncResultTimeout, module.AsyncResultTimeout

    class AsyncResultTimeout(ours, theirs):
        __doc__ = ours.__doc__

    _async.AsyncResultTimeout = AsyncResultTimeout


def _check_bytecode(module):
    import_function = module.import_function

    @functools.wraps(import_function)
    def checked(functup, *args, **kwargs):
        # It brings much along.
        from _rpyc_teleportation import check_versions

        check_versions(functup[0])
        return import_function(functup, *args, **kwargs)

    module.import_function = checked


def _copy_arguments(module):
    spawn = module.spawn

    @functools.wraps(spawn)
    def with_copies(argv, *args, **kwargs):
        return spawn(_copied(argv), *args, **kwargs)

    module.spawn = with_copies


# A `rpyc` that is installed stays what it is; but its `BaseNetref` and its helpers know the netrefs of
# here, and bytecode of another Python doesn't crash this one.
_HOOKS = {
    "pty": _copy_arguments,
    "rpyc.core.async_": _share_timeout,
    "rpyc.core.netref": _know_netrefs,
    "rpyc.utils.teleportation": _check_bytecode,
}


def offer_package(sources):
    """Makes the modules importable where no others of that name are installed.

    The sources map names to pairs of is_package and text.
    """
    sys.meta_path.append(PackageFinder(sources))
