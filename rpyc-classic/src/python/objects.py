"""Objects of this interpreter, as peers see them: names and identities, methods, comparisons."""

import itertools
import sys
import types
from _weakref import _remove_dead_weakref, ref

# Names that netrefs answer by themselves (docs/wire-protocol.md, section 6).
LOCAL_NAMES = frozenset(
    """
    ____conn__ ____id_pack__ ____refcount__ __class__ __cmp__ __del__ __delattr__ __dir__ __doc__
    __getattr__ __getattribute__ __hash__ __instancecheck__ __init__ __metaclass__ __module__
    __new__ __reduce__ __reduce_ex__ __repr__ __setattr__ __slots__ __str__ __weakref__ __dict__
    __methods__ __exit__ __eq__ __ne__ __lt__ __gt__ __le__ __ge__ __array_struct__
    __array_interface__
    """.split()
)

# Old peers look for these two (the protocol's handler knows which).
_HIDDEN = LOCAL_NAMES - {"__exit__", "__instancecheck__"}

_flags_of = type.__dict__["__flags__"].__get__
_mro_of = type.__dict__["__mro__"].__get__
_vars_of = type.__dict__["__dict__"].__get__
_HEAP_TYPE = 1 << 9


def is_class(obj):
    """Whether it is a class, whatever it claims to be."""
    return issubclass(type(obj), type)


def keep(table, key, ref):
    """What `table` refers to weakly under the key; what `ref` does where that is dead."""
    while True:
        other = table.setdefault(key, ref)
        known = other()
        if known is not None:
            return known
        _remove_dead_weakref(table, key)


class NumberedRef(ref):
    """A weak reference with the number of its class, and its place in a table."""

    __slots__ = "number", "key"


_classes = {}
_numbers = itertools.count(1, 2)


def _forget_class(ref):
    _remove_dead_weakref(_classes, ref.key)


def _class_number(cls):
    """What tells the class from all others, dead ones included.

    Peers remember classes for as long as a connection lives, and the next class may be made at the
    address of one that was freed. So those that can be freed have odd numbers.
    """
    address = id(cls)
    if not _flags_of(cls) & _HEAP_TYPE:
        return address
    ref = _classes.get(address)
    if ref is not None and ref() is cls:
        return ref.number
    ref = NumberedRef(cls, _forget_class)
    ref.number, ref.key = next(_numbers), address
    keep(_classes, address, ref)
    return _classes[address].number


def class_name(cls):
    """`module.Class`. A class without a proper module counts as a builtin one."""
    return f"{_text(cls, '__module__', 'builtins')}.{_text(cls, '__name__', 'type')}"


def _text(obj, name, default=None):
    try:
        text = getattr(obj, name, default)
    except Exception:
        return default
    return str(text) if isinstance(text, str) else default


def _instance_name(obj):
    # Mocks and proxies claim another class than theirs.
    try:
        claimed = obj.__class__
    except Exception:
        claimed = None
    return class_name(claimed if is_class(claimed) else type(obj))


def _module_name(module):
    # A module goes by its own name, if that is where an import finds it.
    name = _text(module, "__name__")
    if name is None:
        return "builtins.module"
    if sys.modules.get(name) is module:
        return name
    return f"{_text(type(module), '__module__', 'builtins')}.{name}"


def id_parts(obj):
    """What the id_pack is made of, and whether the class decides by itself who may do what.

    These are the name, the number of the class, and that of the object or None.
    """
    cls = type(obj)
    if issubclass(cls, type):
        return escaped(class_name(obj)), _class_number(obj), None, _has_hooks(cls)
    name = _module_name(obj) if issubclass(cls, types.ModuleType) else _instance_name(obj)
    return escaped(name), _class_number(cls), id(obj), _has_hooks(cls)


def _has_hooks(cls):
    # Seen when the object goes out, so that each access needn't look.
    hooks = hasattr(cls, "_rpyc_getattr"), hasattr(cls, "_rpyc_setattr")
    return any(hooks) or hasattr(cls, "_rpyc_delattr")


_ROUTINES = types.FunctionType, types.MethodType, types.BuiltinFunctionType


def _is_routine(attribute):
    cls = type(attribute)
    if issubclass(cls, _ROUTINES):
        return True
    return not issubclass(cls, type) and hasattr(cls, "__get__") and not hasattr(cls, "__set__")


def _doc(attribute):
    try:
        doc = attribute.__doc__
    except Exception:
        return None
    return escaped(doc) if type(doc) is str else None


def _collect(classes):
    methods = {}
    for cls in classes:
        for name, attribute in list(_vars_of(cls).items()):
            if type(name) is str and name not in _HIDDEN:
                # What a subclass defines hides what a base does, be it a method or not.
                methods[name] = attribute
    return tuple(
        [(escaped(name), _doc(found)) for name, found in methods.items() if _is_routine(found)]
    )


# Those of classes that aren't freed or changed.
_methods = {}


def methods(obj):
    """The methods of an object with their docstrings: its class's, and a class's own as well."""
    cls = type(obj)
    known = _methods.get(cls)
    if known is not None:
        return known
    classes = [*reversed(_mro_of(cls))]
    if is_class(obj):
        classes.extend(reversed(_mro_of(obj)))
        return _collect(classes)
    found = _collect(classes)
    if not _flags_of(cls) & _HEAP_TYPE:
        _methods[cls] = found
    return found


def instance_methods(cls):
    """The names of the methods that instances of the class have."""
    return [name for name, _ in _collect(reversed(_mro_of(cls)))]


# The classes that some peers take by value, in their order there.
PLAIN_TYPES = (
    type(None), int, bool, float, bytes, str, complex, type(NotImplemented), type(Ellipsis), type
)  # fmt: skip

# As they were at the start: clients may delete or replace those that all share.
class_of, is_true = type, bool


def has_instance(cls, obj):
    """Whether the object is one of the class."""
    return isinstance(obj, cls)


def has_subclass(cls, other):
    """Whether the other class is derived from this one."""
    return issubclass(other, cls)


def to_repr(obj):
    """Its representation, with escapes for lone surrogates."""
    return escaped(repr(obj))


def to_str(obj):
    """Its text; UnicodeEncodeError where there are lone surrogates in it."""
    text = str(obj)
    if not text.isascii():
        str.encode(text)
    return escaped(text)


def escaped(text):
    """The text, exactly a `str`, with escapes for lone surrogates, which have no UTF-8."""
    if type(text) is str and text.isascii():
        return text
    return str.encode(text, "utf-8", "backslashreplace").decode()


def buffiter(iterable, count):
    """The next items, up to so many."""
    return tuple(itertools.islice(iter(iterable), count))


def next_item(iterator):
    """The next item, in a tuple; an empty one at the end."""
    try:
        return (next(iterator),)
    except StopIteration:
        return ()


def names(obj):
    """The names of its attributes."""
    return tuple([escaped(name) for name in dir(obj) if isinstance(name, str)])


def call_hook(obj, hook, *args):
    """What the object's class decides about an access, in a tuple; an empty one if it doesn't."""
    hook = getattr(type(obj), hook, None)
    return () if hook is None else (hook(obj, *args),)


def pickled(obj, protocol):
    """The pickle of the object."""
    try:
        # What `pickle` has, which brings much along.
        from _pickle import dumps
    except ImportError:
        from pickle import dumps
    return dumps(obj, protocol)
