"""Python code that runs as at a terminal, with a client's standard streams."""

import builtins
import codeop
import keyword
import linecache
import pkgutil
import re
import sys
import threading
import traceback
import types


def interact(namespace, redirection):
    """The prompt of Python's module `code`, until the client's input ends."""
    import code
    redirection.start(True)
    try:
        code.interact(local=namespace)
    except SystemExit:
        pass
    finally:
        redirection.stop()


def post_mortem(found, redirection):
    """Python's debugger on a traceback."""
    import pdb
    if found is None:
        raise ValueError("this connection has had no exception: there is no traceback to look at")
    redirection.start(True)
    try:
        pdb.post_mortem(found)
    except SystemExit:
        pass
    finally:
        redirection.stop()


def _running():
    """Which code runs on which thread, for the helpers of all connections."""
    module = sys.modules.get("_rpyc_running")
    if module is None:
        module = sys.modules.setdefault("_rpyc_running", types.ModuleType("_rpyc_running"))
    return vars(module).setdefault("threads", {})


def interrupt(thread, number):
    """Raises KeyboardInterrupt in the code of that number; False where this Python can't."""
    try:
        from ctypes import c_ulong, py_object, pythonapi
        raise_in = pythonapi.PyThreadState_SetAsyncExc
    except (ImportError, AttributeError, OSError):
        return False
    if _running().get(thread) != number:
        # It has ended meanwhile.
        return True
    return raise_in(c_ulong(thread), py_object(KeyboardInterrupt)) == 1


class Prompt:
    """Runs code piece by piece in a namespace."""

    def __init__(self, namespace):
        self._namespace = namespace
        self._count = 0

    def run(self, source, name, is_main, control, redirection):
        """Runs statements, or an expression whose value is shown.

        The outcome: ("done",), ("exit", code, message) or ("raised", traceback).
        """
        thread = threading.get_ident()
        number = control.started(thread)
        _running()[thread] = number
        redirection.start(True)
        try:
            outcome = self._run(source, name, is_main)
        except KeyboardInterrupt:
            # Late, or while the traceback was written.
            outcome = "raised", "KeyboardInterrupt\n"
        finally:
            _running().pop(thread, None)
            redirection.stop()
        return outcome

    def _run(self, source, name, is_main):
        if is_main:
            self._namespace["__name__"] = "__main__"
            self._namespace["__file__"] = name
        else:
            self._count = (self._count + 1) % 512
            name = "<input %d>" % self._count
        linecache.cache[name] = len(source), None, source.splitlines(True), name
        try:
            expression = None if is_main else _expression(source, name)
            if expression is None:
                exec(compile(source, name, "exec", 0, True), self._namespace)
            else:
                value = eval(expression, self._namespace)
                if value is not None:
                    self._namespace["_"] = value
                    sys.stdout.write(repr(value) + "\n")
            if is_main:
                sys.stdout.flush()
            return ("done",)
        except SystemExit as error:
            return ("exit",) + _exit_code(error.code)
        except BaseException as error:
            return "raised", _text_of(error)
        finally:
            if is_main:
                linecache.cache.pop(name, None)

    def is_complete(self, source):
        """Whether nothing needs to follow: another line would be a new statement."""
        lines = source.split("\n")
        if len(lines) > 1 and lines[-1][:1] in (" ", "\t") and lines[-1].strip():
            # Within a block, which an empty line ends.
            return False
        try:
            return codeop.compile_command(source, "<input>", "exec") is not None
        except (SyntaxError, ValueError, OverflowError):
            # That is told when it runs.
            return True

    def complete(self, line):
        """The names that the last word of the line may become."""
        found = re.match(r"\s*(?:import|from)\s+([\w.]*)$", line)
        if found:
            names = _modules(found.group(1))
            word = found.group(1)
        else:
            word = re.search(r"[\w.]*$", line).group()
            names = self._names(word)
        hidden = word.rpartition(".")[2][:1] != "_"
        return tuple(sorted({
            name for name in names
            if name.startswith(word) and not (hidden and name.rpartition(".")[2][:1] == "_")
        })[:1000])

    def _names(self, word):
        owner, dot, _ = word.rpartition(".")
        if not dot:
            return {*keyword.kwlist, *self._namespace, *dir(builtins)}
        first, *rest = owner.split(".")
        try:
            if first in self._namespace:
                value = self._namespace[first]
            else:
                value = getattr(builtins, first)
            for name in rest:
                value = getattr(value, name)
            return {owner + "." + name for name in dir(value)}
        except Exception:
            return ()


def _expression(source, name):
    """The compiled source, if it is an expression."""
    try:
        return compile(source.strip(), name, "eval", 0, True)
    except (SyntaxError, ValueError, OverflowError):
        return None


def _exit_code(code):
    if code is None:
        return 0, None
    if isinstance(code, int):
        return int(code) & 0xFF, None
    return 1, str(code)


def _text_of(error):
    """The traceback, without the lines of this helper."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") == __name__:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _modules(word):
    owner, dot, _ = word.rpartition(".")
    if not dot:
        names = {module.name for module in pkgutil.iter_modules()}
        # Some are within the interpreter's program.
        own = getattr(sys, "stdlib_module_names", ())
        return names.union(sys.builtin_module_names, own, sys.modules)
    path = getattr(sys.modules.get(owner), "__path__", None)
    if path is None:
        return ()
    return {owner + "." + module.name for module in pkgutil.iter_modules(path)}
