"""Netrefs: a peer's objects as objects of this interpreter, with the special methods of their class."""

import abc
import builtins
import sys
import types

from _rpyc_hashes import check_keys
from _rpyc_native import dumpable
from _rpyc_objects import LOCAL_NAMES, NumberedRef, instance_methods, is_class, keep
from _weakref import _remove_dead_weakref

# What the protocol has them for.
_DELATTR, _SETATTR, _REPR, _STR, _CMP, _HASH, _DIR, _PICKLE = 5, 6, 9, 10, 11, 12, 13, 14
_BUFFITER, _CTXEXIT, _INSTANCECHECK = 17, 19, 20

# A peer's array interface would make others read memory at addresses of the peer's; and by the rest numpy
# would leave the work to the peer, whose own numpy would hand it back, in turn.
_ARRAY_NAMES = frozenset(
    """
    __array_struct__ __array_interface__ __array__ __array_finalize__ __array_function__
    __array_ufunc__ __array_wrap__
    """.split()
)

# What is looked up on the netref itself.
_OWN_ATTRIBUTES = LOCAL_NAMES | _ARRAY_NAMES | {"__call__", "__copy__", "__deepcopy__"}

# Methods that would let the peer decide what the netref is, or have its bytes unpickled.
_NOT_FORWARDED = LOCAL_NAMES | _ARRAY_NAMES | frozenset(
    """
    __reduce__ __reduce_ex__ __getstate__ __setstate__ __getnewargs__ __getnewargs_ex__
    __init_subclass__ __subclasshook__ __subclasscheck__ __instancecheck__ __prepare__
    __mro_entries__ __buffer__ __release_buffer__ __qualname__ __classcell__ __classdictcell__
    __set_name__ __abstractmethods__ __annotations__ __annotate__ __type_params__ __mro__ __bases__
    __name__ __copy__ __deepcopy__
    """.split()
)

_BUILTIN_CLASSES = frozenset(cls for cls in vars(builtins).values() if type(cls) is type)

# What each Python reads that is served.
_PROTOCOL = 4

_MAX_NAME = 256
_MAX_ITEMS = 100_000
_CHUNK = 1000


class NetrefMetaclass(type):
    """The class of netrefs' classes, and of nothing else."""

    __slots__ = ()

    def __repr__(cls):
        return f"<netref class '{cls.__module__}.{cls.__name__}'>"


class BaseNetref(metaclass=NetrefMetaclass):
    """The base of all netrefs."""

    __slots__ = "____target__", "____class__", "__weakref__"
    __module__ = "rpyc.core.netref"

    def __getattribute__(self, name):
        if name not in _OWN_ATTRIBUTES:
            return _target(self).attr(name)
        if name == "__class__":
            return _class_of(self)
        if name in _ARRAY_NAMES:
            raise AttributeError(name)
        if name == "__dict__" or name == "__doc__":
            return _target(self).attr(name)
        return object.__getattribute__(self, name)

    # Python's rpyc looks for these two with `object.__getattribute__`.
    ____conn__ = property(lambda self: _target(self).connection())
    ____id_pack__ = property(lambda self: _target(self).id_pack)

    def __setattr__(self, name, value):
        if name in _ARRAY_NAMES:
            raise AttributeError(name)
        if name in _OWN_ATTRIBUTES:
            object.__setattr__(self, name, value)
        else:
            _target(self).request(_SETATTR, (name, value))

    def __delattr__(self, name):
        if name in _ARRAY_NAMES:
            raise AttributeError(name)
        if name in _OWN_ATTRIBUTES:
            object.__delattr__(self, name)
        else:
            _target(self).request(_DELATTR, (name,))

    def __eq__(self, other):
        return _compare(self, "__eq__", other)

    def __ne__(self, other):
        return _compare(self, "__ne__", other)

    def __lt__(self, other):
        return _compare(self, "__lt__", other)

    def __gt__(self, other):
        return _compare(self, "__gt__", other)

    def __le__(self, other):
        return _compare(self, "__le__", other)

    def __ge__(self, other):
        return _compare(self, "__ge__", other)

    def __hash__(self):
        return _target(self).request(_HASH, ())

    def __repr__(self):
        return _target(self).request(_REPR, ())

    def __str__(self):
        return _target(self).request(_STR, ())

    def __dir__(self):
        return list(_target(self).request(_DIR, ()))

    def __exit__(self, cls, exception, traceback):
        left_by = _exception_at_peer(self, exception)
        if left_by is None:
            left_by = cls if exception is None else exception
        return _target(self).request(_CTXEXIT, (left_by,))

    def __reduce_ex__(self, protocol):
        # By its owner, if that allows it. Nothing is unpickled here by this.
        from pickle import loads

        return loads, (pickled(self, protocol),)

    def __copy__(self):
        return _copied(self, False)

    def __deepcopy__(self, memo):
        return _copied(self, True)

    def __instancecheck__(self, other):
        return _is_instance(self, other)

    def __subclasscheck__(self, other):
        return _is_subclass(self, other)


netref_metaclass = NetrefMetaclass

_new = object.__new__
_target = BaseNetref.__dict__["____target__"].__get__
_set_target = BaseNetref.__dict__["____target__"].__set__
_set_class = BaseNetref.__dict__["____class__"].__set__


def is_netref(obj):
    """Whether it is one, whatever it claims to be."""
    return type(type(obj)) is NetrefMetaclass


def pickled(netref, protocol):
    """The pickle of what the netref stands for."""
    return _target(netref).request(_PICKLE, (protocol,))


def target_of(netref):
    """What the netref stands for."""
    return _target(netref)


# The live netrefs: one object at a peer is one object here, and so is one outside of the interpreter.
_live = {}


def _forget_netref(ref):
    _remove_dead_weakref(_live, ref.key)


def netref(target):
    """The netref of the target."""
    # Callbacks' arguments come this way: it is written out for speed.
    key = target.key or target.address
    ref = _live.get(key)
    if ref is not None and (known := ref()) is not None:
        return known
    held = _class_for(target)
    made = _new(held.cls)
    _set_target(made, target)
    _set_class(made, held)
    ref = NumberedRef(made, _forget_netref)
    ref.key = key
    if _live.setdefault(key, ref) is ref:
        return made
    return keep(_live, key, ref)


class _Class:
    """A class of netrefs, for as long as there are any of it.

    The peer may free its class with the last object that is held here, and make another one
    under the same number.
    """

    __slots__ = "cls", "__weakref__"

    def __init__(self, cls):
        self.cls = cls


_named_classes = {}
_peers_classes = {}


def _forget_class(ref):
    _remove_dead_weakref(_peers_classes, ref.key)


def _class_for(target):
    name, key = target.name, target.key
    if key is None:
        return _named_class("here " + name, target)
    # Builtins have their methods here, too: the peer needn't be asked.
    if not target.is_class and name in _BUILTINS:
        return _named_class(name, target)
    key = key[0], key[1], target.is_class
    ref = _peers_classes.get(key)
    known = None if ref is None else ref()
    if known is not None:
        return known
    made = _Class(_make_class(name, target.methods()))
    ref = NumberedRef(made, _forget_class)
    ref.key = key
    return keep(_peers_classes, key, ref)


def _named_class(key, target):
    known = _named_classes.get(key)
    if known is None:
        local = _BUILTINS.get(key)
        methods = target.methods() + ("__call__",) if local is None else instance_methods(local)
        known = _Class(_make_class(target.name, methods))
        known = _named_classes.setdefault(key, known)
    return known


def _make_class(name, methods):
    namespace = {"__slots__": (), "__module__": "rpyc.core.netref"}
    for method in methods:
        if len(method) <= _MAX_NAME and method not in _NOT_FORWARDED:
            namespace[method] = _forwarder(method)
    return NetrefMetaclass(name, (BaseNetref,), namespace)


# Those of all classes by their names, so many: they are the same in each.
_forwarders = {}
_MAX_FORWARDERS = 1024


def _forwarder(name):
    known = _forwarders.get(name)
    if known is None:
        if len(_forwarders) >= _MAX_FORWARDERS:
            _forwarders.clear()
        known = _forwarders[name] = _new_forwarder(name)
    return known


def _new_forwarder(name):
    if name == "__call__":

        def method(self, /, *args, **kwargs):
            return _target(self).call(args, tuple(kwargs.items()) if kwargs else ())

    else:

        def method(self, /, *args, **kwargs):
            return _target(self).call_method(name, args, tuple(kwargs.items()) if kwargs else ())

    method.__name__ = method.__qualname__ = name
    method.__module__ = "rpyc.core.netref"
    return method


# Builtin classes that every Python has, by their full names.
_BUILTINS = {
    f"builtins.{cls.__name__}": cls
    for cls in (
        BaseException, Exception, bool, bytearray, bytes, complex, dict, float, frozenset, int, list,
        memoryview, object, set, slice, str, tuple, type, types.BuiltinFunctionType, types.CodeType,
        types.FrameType, types.FunctionType, types.GeneratorType, types.MappingProxyType,
        types.MethodType, types.MethodWrapperType, types.ModuleType, types.TracebackType,
        types.WrapperDescriptorType, type(None), type(iter([])), type(iter(range(0))),
        type(iter(set())), type(iter(())),
    )
}  # fmt: skip


def class_here(name):
    """The class of that full name in a loaded module, None where there is none."""
    local = _BUILTINS.get(name)
    if local is not None:
        return local
    if name in sys.modules:
        return types.ModuleType
    # `package.module.Class`; a nested class's name has further dots.
    end = len(name)
    while (end := name.rfind(".", 0, end)) >= 0:
        module = sys.modules.get(name[:end])
        if module is not None:
            found = getattr(module, name[end + 1 :], None)
            return found if is_class(found) else None
    return None


def _class_of(self):
    # A class of that name here, so that isinstance of builtins works, else the peer's.
    target = _target(self)
    here = class_here(target.name)
    if here is not None:
        return type(here) if target.is_class else here
    if target.key is None:
        return type(self)
    theirs = target.attr("__class__")
    # A peer's class is a class here, too: its metaclass mostly is `type`.
    if is_netref(theirs) and _target(theirs).is_class:
        return class_here(_target(theirs).name) or theirs
    return theirs


def _compare(self, operator, other):
    answer = _target(self).request(_CMP, (other, operator))
    if answer is NotImplemented:
        # Python's rpyc doesn't look into a reference to a container.
        copy = copy_of_container(other, self)
        if copy is not None:
            return getattr(type(copy), operator)(copy, other)
    return answer


def _is_instance(cls, other):
    theirs = _target(cls)
    if not theirs.is_class:
        raise TypeError(
            "isinstance() arg 2 must be a class, type, or tuple of classes and types"
        )
    if not is_netref(other):
        # Something of this side's: an instance of the class of that name here?
        here = class_here(theirs.name)
        return here is not None and isinstance(other, here)
    other = _target(other)
    if theirs.key is None or other.key is None:
        return False
    if theirs.key[1] == other.key[1]:
        return not other.is_class
    return theirs.request(_INSTANCECHECK, (other.id_pack,)) is True


def _is_subclass(cls, other):
    theirs = _target(cls)
    if not is_netref(other):
        here = class_here(theirs.name)
        return here is not None and issubclass(other, here)
    return bool(theirs.call_method("__subclasscheck__", (other,), ()))


def _abstract_instancecheck():
    ask = getattr(abc, "_abc_instancecheck", abc.ABCMeta.__instancecheck__)

    def __instancecheck__(cls, instance):
        """Override for isinstance(instance, cls)."""
        if type(type(instance)) is NetrefMetaclass and is_netref(instance.__class__):
            # A peer's class is none here, which abstract classes insist on: the netref's own has its methods.
            return cls.__subclasscheck__(type(instance))
        return ask(cls, instance)

    __instancecheck__.__qualname__ = "ABCMeta.__instancecheck__"
    __instancecheck__.__module__ = "abc"
    return __instancecheck__


abc.ABCMeta.__instancecheck__ = _abstract_instancecheck()


def _exception_at_peer(self, exception):
    # Python's rpyc raises what it is sent before it calls __exit__, and can't raise a reference: it
    # takes an exception of its own only, of the nearest builtin class here. A full classic client lets
    # one be made; others are asked in vain.
    target = _target(self)
    if target.key is None or not isinstance(exception, BaseException):
        return None
    names = (cls.__name__ for cls in type(exception).__mro__ if cls in _BUILTIN_CLASSES)
    name = next(names)
    try:
        theirs = getattr(target.connection().root.getmodule("builtins"), name)
        made = theirs(*exception.args)
    except Exception:
        return None
    return made if is_netref(made) else None


def _copied(self, deep):
    # Unpickling runs what the owner likes: it is for owners whose code runs here anyway. Of the others'
    # objects, containers of plain values are copied by their items.
    target = _target(self)
    if target.runs_code:
        return _copied_by_owner(self, target, deep)
    for cls in list, dict, set:
        copy = copy_of_container(cls(), self)
        if copy is not None and (not deep or all(map(dumpable, _parts(copy)))):
            return copy
    raise TypeError(
        "this netref isn't copied by value unasked, because its owner would decide what is run "
        "here; use rpyc.utils.classic.obtain() where you trust the owner"
    )


def _parts(container):
    return container.items() if type(container) is dict else container


def _copied_by_owner(self, target, deep):
    # An object that can't be pickled, or whose class isn't here, is copied where it is, if the owner
    # lets code of this side run.
    try:
        from pickle import loads

        return loads(pickled(self, _PROTOCOL))
    except Exception as failure:
        try:
            copy = target.connection().modules["copy"]
            return copy.deepcopy(self) if deep else copy.copy(self)
        except Exception:
            raise failure from None


def copy_of_container(own, other):
    """A copy of the peer's container, if it is of the same builtin class as `own` and not too large.

    Python compares those by their items.
    """
    cls = type(own)
    if cls not in (dict, list, set, frozenset) or not is_netref(other):
        return None
    name = _target(other).name
    if cls is dict and name == "builtins.dict":
        items = _items(other.items())
        if items is None:
            return None
        check_keys([key for key, _ in items])
        return dict(items)
    if cls is list and name == "builtins.list":
        return _items(other)
    if name == "builtins.set" or (cls is set and name == "builtins.frozenset"):
        if cls in (set, frozenset):
            items = _items(other)
            if items is None:
                return None
            check_keys(items)
            return set(items)
    return None


def _items(iterable):
    iterator = iterable.__iter__()
    if not is_netref(iterator) or _target(iterator).key is None:
        return None
    items = []
    while chunk := _target(iterator).request(_BUFFITER, (_CHUNK,)):
        items.extend(chunk)
        if len(items) > _MAX_ITEMS:
            return None
    return items


def compare(obj, operator, other):
    """A peer's comparison with an object of this side's."""
    method = getattr(type(obj), operator)
    answer = method(obj, other)
    if answer is NotImplemented:
        copy = copy_of_container(obj, other)
        if copy is not None:
            return method(obj, copy)
    return answer
