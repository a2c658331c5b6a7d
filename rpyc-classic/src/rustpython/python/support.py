"""What the interpreter's Rust side needs in Python: exceptions of peers, and a small rpyc package.

The package stands in for the real one, which is found first if it is installed: clients look for
some of its modules on the server's side.
"""

import sys
from importlib.machinery import ModuleSpec

_HEADER = "\n\n========= Remote Traceback "
_TRAILER = " =========\n"


class GenericException(Exception):
    """A peer's exception whose class isn't known here."""


_generic_classes = {}
_remote_classes = {}
_MAX_GENERIC = 10_000


def generic_class(module, name):
    """The class that stands for a class which isn't known here."""
    full_name = f"{module}.{name}"
    known = _generic_classes.get(full_name)
    if known is None:
        if len(_generic_classes) >= _MAX_GENERIC:
            return GenericException
        namespace = {"__module__": f"rpyc.core.vinegar/{module}"}
        known = type(full_name, (GenericException,), namespace)
        known = _generic_classes.setdefault(full_name, known)
    return known


def remote_class(cls):
    """The class for exceptions that a peer raised: their text ends with the remote traceback."""
    known = _remote_classes.get(cls)
    if known is not None:
        return known

    def __str__(self):
        try:
            text = cls.__str__(self)
        except Exception:
            text = "<Unprintable exception>"
        remote = getattr(self, "_remote_tb", None)
        if remote is not None:
            hops = remote.count(_HEADER) + 1
            text = f"{text}{_HEADER}({hops}){_TRAILER}{remote}"
        return text

    def __repr__(self):
        return str(self)

    namespace = {"__str__": __str__, "__repr__": __repr__, "__module__": cls.__module__}
    derived = type(cls.__name__, (cls,), namespace)
    return _remote_classes.setdefault(cls, derived)


class _Finder:
    """Finds the modules of the small package, after all other finders."""

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
        exec(compile(source, f"<rpyc {module.__name__}>", "exec"), module.__dict__)


def install(sources):
    """Makes the modules importable: names to pairs of is_package and source text."""
    sys.meta_path.append(_Finder(sources))
