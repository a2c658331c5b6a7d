"""Names in calls of peers whose plain strings are bytes, as those of Python 2 are.

What a peer writes as `namespace["x"]` or `getattr(thing, "x")` names something, and comes as bytes: here it is
made text. What names nothing is data, and stays as it came.
"""

import builtins
import types

# Functions are told by what they are, as clients may replace those that all share: which of their arguments are
# names, by position and by keyword.
_BUILTINS = {
    getattr(builtins, name): arguments
    for name, arguments in {
        "__import__": (0, "name", 3, "fromlist"),
        "compile": (2, "mode"),
        "delattr": (1,),
        "getattr": (1,),
        "hasattr": (1,),
        "open": (1, "mode", 3, "encoding", 4, "errors", 5, "newline"),
        "setattr": (1,),
    }.items()
}

# Functions that are written in Python, by module and name.
_LIBRARY = {
    ("importlib", "import_module"): (0, "name", 1, "package"),
    ("importlib.util", "find_spec"): (0, "name", 1, "package"),
}

_KEYED = frozenset("__contains__ __delitem__ __getitem__ __setitem__ get pop setdefault".split())

_METHODS = frozenset((types.MethodType, types.BuiltinMethodType, types.MethodWrapperType))


def as_text(function, namespace, args, pairs):
    """The arguments of the call, with text for names. `namespace` is what the peer's own code runs in."""
    if type(function) in _METHODS:
        owner = getattr(function, "__self__", None)
        if owner is namespace:
            return _in_namespace(function.__name__, args), pairs
        if args and function.__name__ in _KEYED and issubclass(type(owner), (dict, types.MappingProxyType)):
            return (_key(owner, args[0]), *args[1:]), pairs
    names = _names_of(function, args)
    args = tuple([_text(arg) if place in names else arg for place, arg in enumerate(args)])
    return args, tuple([(name, _text(arg) if name in names else arg) for name, arg in pairs])


def _names_of(function, args):
    kind = type(function)
    if kind is types.BuiltinFunctionType:
        return _BUILTINS.get(function, ())
    if kind is types.FunctionType:
        # That of a server with rules for imports stands in for the builtin one.
        if function.__name__ == "__import__":
            return _BUILTINS[builtins.__import__]
        return _LIBRARY.get((function.__module__, function.__name__), ())
    # With three arguments it makes a class, of that name.
    return (0,) if function is type and len(args) == 3 else ()


def _in_namespace(method, args):
    if not args:
        return args
    if method in _KEYED:
        return (_text(args[0]), *args[1:])
    if method in ("__ior__", "update"):
        return ({_text(key): value for key, value in dict(args[0]).items()}, *args[1:])
    return args


def _key(owner, key):
    """To Python 2, text and a plain string are equal: the key is that which the dict has."""
    text = _text(key)
    return text if text is not key and key not in owner and text in owner else key


def _text(name):
    if type(name) is tuple:
        return tuple(map(_text, name))
    if type(name) is bytes:
        try:
            return name.decode()
        except UnicodeDecodeError:
            # No name of anything: whoever gets it says so.
            pass
    return name
