"""What one connection owns inside the interpreter: its namespace, and the code that runs in it."""

import builtins
import importlib
import sys
import types

from _rpyc_sources import Sources

# What every namespace begins with, beside the builtins.
beginning = {}
_may_import = []


def begin_with(names):
    """Puts names into the namespace of each session from now on."""
    beginning.update(names)


def run_init(file, source):
    """Runs the script as `__main__`; its names are in each namespace."""
    names = vars(sys.modules["__main__"])
    names["__file__"] = file
    exec(compile(source, file, "exec"), names)
    begin_with({name: value for name, value in names.items() if not name.startswith("_")})


def restrict_imports(permit):
    """Lets code import only what `permit(name)` is true of."""
    _may_import.append(permit)
    beginning["__builtins__"] = _guarded_builtins(permit)


def _refuse_import(name):
    raise ImportError(f"the module {name!r} may not be imported on this server", name=name)


def _guarded_builtins(permit):
    real = builtins.__import__

    def __import__(name, globals=None, locals=None, fromlist=(), level=0):
        wanted = [name] if not fromlist else [f"{name}.{part}" for part in fromlist]
        if level == 0 and not all(map(permit, wanted)):
            _refuse_import(name)
        return real(name, globals, locals, fromlist, level)

    return {**vars(builtins), "__import__": __import__}


class Session:
    """A namespace, and what runs in it."""

    def __init__(self):
        self.namespace = dict(beginning)
        self.last_traceback = None
        self.sources = Sources()

    def _globals(self):
        # Those that all share, not this module's.
        self.namespace.setdefault("__builtins__", vars(builtins))
        return self.namespace

    def eval(self, source):
        """The value of an expression."""
        text = _text(source)
        if text is None:
            return eval(source, self._globals())
        text = text.lstrip(" \t")
        code, name = self.sources.compile(text, "eval")
        try:
            return eval(code, self._globals())
        except BaseException:
            self.sources.show(text, name)
            raise

    def execute(self, source):
        """Executes statements."""
        text = _text(source)
        code = source if text is None else self.sources.compile(text, "exec")[0]
        exec(code, self._globals())

    def call_builtin(self, function, args, kwargs):
        """Calls a builtin function that a peer calls: there is no caller's frame to look at.

        What depends on the names around the call sees those of the namespace, as at the top level of
        a module.
        """
        name = LOOKING_AT_CALLER.get(function)
        if name in ("eval", "exec") and len(args) == 1 and "globals" not in kwargs:
            return function(args[0], self._globals(), **kwargs)
        if name in ("globals", "locals", "vars") and not args and not kwargs:
            return self._globals()
        if name == "dir" and not args and not kwargs:
            return sorted(self._globals())
        return function(*args, **kwargs)

    def end(self):
        """The connection is closed: lets go of everything."""
        self.sources.clear()
        self.namespace, self.last_traceback = {}, None


# Functions are told by what they are: clients may replace those that all share.
LOOKING_AT_CALLER = {
    getattr(builtins, name): name for name in ("dir", "eval", "exec", "globals", "locals", "vars")
}


def _text(source):
    if isinstance(source, types.CodeType):
        return None
    if isinstance(source, bytes):
        try:
            return source.decode()
        except UnicodeDecodeError:
            # It may say in its first lines what it is encoded in.
            return None
    return str(source) if isinstance(source, str) else None


def import_module(name):
    """The module of that dotted name."""
    for permit in _may_import:
        if not permit(name):
            _refuse_import(name)
    module = sys.modules.get(name)
    if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False):
        return module
    return importlib.import_module(name)
