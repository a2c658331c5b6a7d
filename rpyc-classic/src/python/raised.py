"""Exceptions of this interpreter as they go to peers, and as peers leave context managers with them."""

from _rpyc_exceptions import BASE_GROUP, GROUPS, find_class, instance
from _rpyc_native import dumpable
from _rpyc_objects import class_name, escaped, is_class
from _rpyc_proxies import is_netref, target_of
from _rpyc_sources import as_python_name, as_python_names, is_own_code

# `name_from` is RustPython's.
_NOT_SENT = frozenset(("args", "with_traceback", "name_from"))

# The last frames of a deep traceback are told, so many. Hundreds of thousands, when a client has
# lifted the recursion limit, would take a minute to format.
_MAX_FRAMES = 2000


def describe(raised):
    """What goes to a peer: module, class, arguments, attributes, the traceback's text and itself.

    That an iterator has ended has no such parts.
    """
    cls = type(raised)
    if cls is StopIteration:
        return ()
    module, name = getattr(cls, "_rpyc_origin", None) or class_name(cls).rpartition(".")[::2]
    if module == "builtins" and issubclass(cls, BASE_GROUP):
        module += GROUPS
    trail = own_part(raised.__traceback__)
    # Python's constructor knows what was given from what wasn't; set to None afterwards, it is
    # shown: "[Errno None] None: None -> None".
    skip_none = module == "builtins" and issubclass(cls, OSError)
    args, places = raised.args, {}
    if cls is UnicodeEncodeError:
        # What couldn't be encoded travels with escapes: its place is that in the escaped text.
        text, start, end = raised.object, raised.start, raised.end
        places = {"start": len(escaped(text[:start])), "end": len(escaped(text[:end]))}
        args = raised.encoding, text, places["start"], places["end"], raised.reason
    args = tuple([_value(arg) for arg in args])
    attributes = {
        attribute: places.get(attribute, value)
        for attribute, value in _attributes(raised)
        if not (skip_none and value is None)
    }
    args = as_cpython_has_them(cls, args, attributes)
    text = escaped(_text(raised, trail))
    return escaped(module), escaped(name), args, tuple(attributes.items()), text, trail


def as_cpython_has_them(cls, args, attributes):
    """The arguments; an interpreter that keeps them elsewhere puts another function in this place."""
    return args


def own_part(trail):
    """The traceback without the evaluator's own frames at its beginning."""
    while trail is not None and is_own_code(trail.tb_frame.f_code):
        trail = trail.tb_next
    return trail


def _value(obj):
    if isinstance(obj, str):
        return as_python_name(escaped(obj))
    if type(obj) is tuple:
        obj = tuple(as_python_name(item) if type(item) is str else item for item in obj)
    if dumpable(obj):
        return obj
    try:
        return escaped(repr(obj))
    except Exception:
        return f"<unprintable {type(obj).__name__} object>"


def _attributes(raised):
    try:
        names = dir(raised)
    except Exception:
        return
    for name in names:
        if not isinstance(name, str) or name[:1] == "_" or name in _NOT_SENT:
            continue
        try:
            value = getattr(raised, name)
        except Exception:
            continue
        # A method's text would hide the method at the receiver.
        if not (callable(value) and callable(getattr(type(raised), name, None))):
            yield escaped(name), _value(value)


def _text(raised, trail):
    try:
        from traceback import format_exception

        limit = -_MAX_FRAMES if _is_deep(trail) else None
        lines = format_exception(type(raised), raised, trail, limit=limit)
        return as_python_names("".join(lines))
    except Exception:
        # Out of stack, or a client has broken what the module needs.
        return _plain_text(raised, trail)


def _plain_text(raised, trail):
    lines = ["Traceback (most recent call last):\n"]
    while trail is not None and len(lines) < _MAX_FRAMES:
        code = trail.tb_frame.f_code
        file = as_python_name(code.co_filename)
        lines.append(f'  File "{file}", line {trail.tb_lineno}, in {code.co_name}\n')
        trail = trail.tb_next
    try:
        text = str(raised)
    except Exception:
        text = "<exception str() failed>"
    lines.append(f"{type(raised).__name__}: {text}\n" if text else f"{type(raised).__name__}\n")
    return "".join(lines)


def _is_deep(trail):
    for _ in range(_MAX_FRAMES):
        if trail is None:
            return False
        trail = trail.tb_next
    return trail is not None


def leave(obj, left_by):
    """Leaves a context manager of this side's as a peer leaves it."""
    exception = _leaving(left_by)
    if exception is None:
        return obj.__exit__(None, None, None)
    return obj.__exit__(type(exception), exception, None)


def _leaving(left_by):
    if left_by is None:
        return None
    if not is_netref(left_by):
        if is_class(left_by) and issubclass(left_by, BaseException):
            return instance(left_by, ())
        if isinstance(left_by, BaseException):
            return left_by
        raise TypeError("__exit__ needs an exception")
    # Python's rpyc sends the class alone, by reference: then it is a new instance of the class of that
    # name here, with the arguments of the exception if they can be had.
    target = target_of(left_by)
    name, is_type = target.name, target.is_class
    if name in ("builtins.type", "__builtin__.type"):
        # Up to rpyc 4.0 a class goes by the name of its own class.
        name, is_type = _name_of_class(target), True
    module, _, cls_name = name.rpartition(".")
    module = module or "builtins"
    cls = find_class(module, cls_name)
    try:
        args = _args_of_current(target, left_by) if is_type else target.attr("args")
    except Exception:
        args = None
    args = args if type(args) is tuple else ()
    try:
        # What the class makes of its arguments, `errno` of an OSError, say, is there this way.
        made = cls(*args)
        if isinstance(made, BaseException):
            return made
    except Exception:
        pass
    return instance(cls, args)


def _name_of_class(target):
    # A client that isn't a classic one doesn't tell it.
    try:
        parts = target.attr("__module__"), target.attr("__name__")
        module, name = (part.decode() if type(part) is bytes else part for part in parts)
    except Exception:
        return "builtins.Exception"
    return f"{module}.{name}"


def _args_of_current(target, cls):
    # The peer is still handling the exception that it leaves its `with` block by: a full classic client
    # lets its sys.exc_info() be asked.
    current = target.connection().root.getmodule("sys").exc_info()
    if is_netref(current[0]) and target_of(current[0]).key == target_of(cls).key:
        return current[1].args
    return None
