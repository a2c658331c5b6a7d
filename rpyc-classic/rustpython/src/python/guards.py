"""What code must not do to a process that it shares with other clients."""

import posix
import sys

# A million calls that wait for each other take 600 MB, and half a minute to unwind.
MAX_RECURSION = 100_000


def _refused(name):
    def refuse(*args):
        raise RuntimeError(
            f"os.{name}() would copy the server, with the connections and half of the threads of "
            "all its clients; use subprocess, or multiprocessing with the start method 'spawn'"
        )

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__module__ = "posix"
    return refuse


def _bounded(set_limit):
    def setrecursionlimit(limit, /):
        set_limit(min(limit, MAX_RECURSION) if isinstance(limit, int) else limit)

    setrecursionlimit.__qualname__ = "setrecursionlimit"
    setrecursionlimit.__module__ = "sys"
    setrecursionlimit.__doc__ = set_limit.__doc__
    return setrecursionlimit


def _spawn(mode, file, args, env, execute):
    """What `os.spawnv` and its kin are made of; `execute` is the function of theirs that the copy of
    the process would call."""
    import os

    if not isinstance(args, (tuple, list)):
        raise TypeError("argv must be a tuple or a list")
    if not args or not args[0]:
        raise ValueError("argv first element cannot be empty")
    # A client's own are copied: the system takes lists and dicts of this side.
    args = [os.fspath(arg) for arg in args]
    in_path = execute in (os.execvp, os.execvpe)
    start = os.posix_spawnp if in_path else os.posix_spawn
    env = os.environ if env is None else dict(env)
    try:
        pid = start(file, args, env)
    except OSError:
        # A copy would have ended so where the program can't be run.
        if mode != os.P_NOWAIT:
            return 127
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 127"], env)
    if mode == os.P_NOWAIT:
        return pid
    while True:
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)


def install():
    """Replaces what copies the process or traces others, and bounds what fills its memory."""
    sys.setrecursionlimit = _bounded(sys.setrecursionlimit)
    # Other threads are other clients'.
    sys._settraceallthreads = sys.settrace
    sys._setprofileallthreads = sys.setprofile
    os = sys.modules.get("os")
    for module in (posix, os):
        for name in ("fork", "forkpty"):
            if hasattr(module, name):
                setattr(module, name, _refused(name))
    if os is not None:
        os._spawnvef = _spawn
