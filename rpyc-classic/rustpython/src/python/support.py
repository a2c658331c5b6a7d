"""What is RustPython's own: where modules come from, the end of classes, parts of exceptions."""

import sys

import _rpyc_locale
import _rpyc_raised
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


def _as_cpython_has_them(cls, args, attributes):
    """A peer's classes are CPython's: what RustPython keeps elsewhere."""
    is_system_error = issubclass(cls, OSError)
    if is_system_error and len(args) == 5:
        # What RustPython itself raises has the file names among them.
        args = args[:2]
    if issubclass(cls, SyntaxError) and len(args) == 1:
        place = tuple(map(attributes.get, _PLACE))
        if place[1] is not None:
            args = args[0], place
    if is_system_error or issubclass(cls, UnicodeError):
        # Python's rpyc loses an exception to a text in one of these, which are ints in C.
        for name in "start", "end", "characters_written":
            if type(attributes.get(name)) is not int:
                attributes.pop(name, None)
    return args


# Where a SyntaxError is, in the order of its second argument.
_PLACE = "filename", "lineno", "offset", "text", "end_lineno", "end_offset"

_rpyc_raised.as_cpython_has_them = _as_cpython_has_them
_rpyc_locale.share()
