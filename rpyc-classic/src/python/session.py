"""What one connection owns inside the interpreter: its namespace, and the code that runs in it."""

import builtins
import importlib
import itertools
import sys
import types
from importlib.machinery import ModuleSpec

from _rpyc_sources import MAX_EVALS, Sources

# What every namespace begins with, beside the builtins.
beginning = {}
_may_import = []


def begin_with(names):
    """Puts names into the namespace of each session from now on."""
    beginning.update(names)


def run_init(file, source, is_compiled_alone):
    """Runs the script as `__main__`; its names are in each namespace."""
    code = compile(source, file, "exec")
    if is_compiled_alone:
        return
    names = vars(sys.modules["__main__"])
    names["__file__"] = file
    exec(code, names)
    begin_with({name: value for name, value in names.items() if not name.startswith("_")})


def add_module(name, doc, members):
    """Makes a module of the program's importable, and the packages that it is in."""
    module = types.ModuleType(name, doc)
    module.__spec__ = ModuleSpec(name, None, origin="built-in")
    vars(module).update(members)
    sys.modules[name] = module
    while "." in name:
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            package = sys.modules[parent]
        else:
            package = types.ModuleType(parent)
            package.__spec__ = ModuleSpec(parent, None, origin="built-in", is_package=True)
            package.__path__ = []
            sys.modules[parent] = package
        setattr(package, child, module)
        name, module = parent, package


def restrict_imports(rules):
    """Lets code import only what the rules permit: names of modules that are allowed, or None for all, and
    of those that are denied; each with what is in it."""
    allowed, denied = rules

    def permit(name):
        return (allowed is None or _is_within(name, allowed)) and not _is_within(name, denied)

    _may_import.append(permit)
    beginning["__builtins__"] = _guarded_builtins(permit)


def _is_within(name, modules):
    return any(name == module or name.startswith(module + ".") for module in modules)


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
        self._eval_names, self._turns = self.sources.evals, itertools.count()

    def _globals(self):
        # Those that all share, not this module's.
        self.namespace.setdefault("__builtins__", vars(builtins))
        return self.namespace

    def eval(self, source):
        """The value of an expression."""
        # The way that is gone most often: it is written out for speed.
        if type(source) is str and "lambda" not in source:
            text, names, globals = source.lstrip(" \t"), self._eval_names, self.namespace
            if len(names) == MAX_EVALS:
                name = names[next(self._turns) % MAX_EVALS]
            else:
                name = self.sources.name_of_eval()
            if "__builtins__" not in globals:
                self._globals()
            try:
                return eval(compile(text, name, "eval", 0, True), globals)
            except BaseException:
                self.sources.show(text, name)
                raise
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

    def define(self, name, value):
        """Puts it into the namespace."""
        self.namespace[name] = value

    def call_builtin(self, function, args, pairs):
        """Calls a builtin function that a peer calls: there is no caller's frame to look at.

        What depends on the names around the call sees those of the namespace, as at the top level of
        a module.
        """
        kwargs = dict(pairs)
        name = _LOOKING_AT_CALLER.get(function)
        if name in ("eval", "exec") and len(args) == 1 and "globals" not in kwargs:
            return function(args[0], self._globals(), **kwargs)
        if name in ("eval", "exec"):
            names = args[1] if len(args) > 1 else kwargs.get("globals")
            if issubclass(type(names), dict):
                # Those of the namespace, not this module's.
                dict.setdefault(names, "__builtins__", self._globals()["__builtins__"])
        if name in ("globals", "locals", "vars") and not args and not kwargs:
            return self._globals()
        if name == "dir" and not args and not kwargs:
            return sorted(self._globals())
        return function(*args, **kwargs)

    def end(self):
        """The connection is closed: lets go of everything."""
        self._eval_names = ()
        self.sources.clear()
        self.namespace, self.last_traceback = {}, None


# Functions are told by what they are: clients may replace those that all share.
_LOOKING_AT_CALLER = {
    getattr(builtins, name): name for name in ("dir", "eval", "exec", "globals", "locals", "vars")
}
LOOKING = tuple(_LOOKING_AT_CALLER)

new_session = Session


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


def call_function(module, name, *args):
    """Calls a function of a module for the program, whatever its clients may import."""
    return getattr(importlib.import_module(module), name)(*args)
