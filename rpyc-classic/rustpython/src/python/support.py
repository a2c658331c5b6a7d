"""What the interpreter's Rust side needs in Python: a small rpyc package, modules of programs.

The package is this server's rpyc: netrefs here are native, and another rpyc on the path wouldn't
know them.
"""

import builtins
import sys
import types
from importlib.machinery import ModuleSpec

# As they were at the start: clients may delete or replace those that all share.
BUILTINS = __builtins__


class NetrefMetaclass(type):
    """The class of proxies' classes."""

    __slots__ = ()

    def __repr__(cls):
        return f"<netref class '{cls.__module__}.{cls.__name__}'>"


def forget_dead_classes():
    """Has every class forget which classes were derived from it and are gone."""
    known, new = set(), [object]
    while new:
        derived = type.__subclasses__(new.pop())
        new += [cls for cls in derived if cls not in known]
        known.update(derived)


class _Finder:
    """Finds the modules of the small package."""

    def __init__(self, sources):
        self._sources = sources

    def find_spec(self, name, path=None, target=None):
        if name not in self._sources:
            return None
        is_package, _ = self._sources[name]
        return ModuleSpec(name, self, origin="built-in", is_package=is_package)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        _, source = self._sources[module.__name__]
        vars(module)["__builtins__"] = BUILTINS
        exec(compile(source, f"<rpyc {module.__name__}>", "exec"), module.__dict__)


def install(sources):
    """Makes the modules importable: names to pairs of is_package and source text."""
    ours = {name: source for name, source in sources.items() if name.split(".")[0] == "rpyc"}
    sys.meta_path.insert(0, _Finder(ours))
    # What stands in for parts of the standard library comes last.
    sys.meta_path.append(_Finder(sources))


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


def refuse_import(name):
    raise ImportError(f"the module {name!r} may not be imported on this server", name=name)


def guarded_builtins(permit):
    """Builtins whose import statement asks for permission."""
    real = builtins.__import__

    def __import__(name, globals=None, locals=None, fromlist=(), level=0):
        wanted = [name] if not fromlist else [f"{name}.{part}" for part in fromlist]
        if level == 0 and not all(map(permit, wanted)):
            refuse_import(name)
        return real(name, globals, locals, fromlist, level)

    return {**vars(builtins), "__import__": __import__}
