"""What the interpreter's Rust side needs in Python: modules of programs, the end of classes."""

import sys
import types
from importlib.machinery import ModuleSpec

from _rpyc_package import PackageFinder

# As they were at the start: clients may delete or replace those that all share.
BUILTINS = __builtins__


def offer_package(sources):
    """Makes the modules importable: names to pairs of is_package and text.

    The package is this server's rpyc: another one on the path wouldn't know the netrefs here. What stands in
    for parts of the standard library comes last.
    """
    ours = {name: source for name, source in sources.items() if name.split(".")[0] == "rpyc"}
    sys.meta_path.insert(0, PackageFinder(ours))
    sys.meta_path.append(PackageFinder(sources))


def forget_dead_classes():
    """Has every class forget which classes were derived from it and are gone."""
    known, new = set(), [object]
    while new:
        derived = type.__subclasses__(new.pop())
        new += [cls for cls in derived if cls not in known]
        known.update(derived)


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
