"""Imports of the small rpyc package, and of what stands in for parts of the standard library."""

from importlib import import_module
from importlib.machinery import ModuleSpec

# As they were at the start: clients may delete or replace those that all share.
_BUILTINS = __builtins__


class PackageFinder:
    """Finds modules by their names, which it maps to pairs of is_package and text."""

    def __init__(self, sources):
        self._sources = sources

    def find_spec(self, name, path=None, target=None):
        if name not in self._sources:
            return None
        is_package, _ = self._sources[name]
        return ModuleSpec(name, self, origin="built-in", is_package=is_package)

    def create_module(self, spec):
        return None

    def get_source(self, name):
        return self._sources[name][1]

    def exec_module(self, module):
        source = self.get_source(module.__name__)
        vars(module)["__builtins__"] = _BUILTINS
        exec(compile(source, f"<_rpyc_package {module.__name__}>", "exec"), module.__dict__)


def lazily(package, names, table):
    """`__getattr__` and `__dir__` of a module whose `names` are imported at their first use.

    A line of the table is a module of the package's and names of its own, one of which may be the module itself.
    """
    places = {}
    for line in table.strip().splitlines():
        module, _, found = line.strip().partition(": ")
        places.update(dict.fromkeys(found.split(), module))

    def __getattr__(name):
        place = places.get(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r} here")
        module = import_module(f"{package}.{place}")
        is_module = name == place.rpartition(".")[2]
        value = names[name] = module if is_module else getattr(module, name)
        return value

    def __dir__():
        return sorted({*names, *places})

    return __getattr__, __dir__
