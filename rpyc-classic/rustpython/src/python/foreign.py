"""Callbacks of `ctypes` that convert what passes through them, and no bit fields in silence.

RustPython 0.6 hands None to a callback for each pointer, leaves the result undefined that isn't an
int or a float, and reads the whole unit that a bit field is in.
"""

import sys

import _ctypes

_INTEGERS = dict(zip("bBhHiIlLqQ", (1, 1, 2, 2, 4, 4, 8, 8, 8, 8)))
_PLAIN_ARGUMENTS = {*_INTEGERS, *"fd?czZ"}


_NativeFunction = _ctypes.CFuncPtr


class CFuncPtr(_NativeFunction):
    """A function in C: another one's, or a callback that calls one of Python's."""

    _flags_ = _NativeFunction._flags_

    def __new__(cls, *args):
        if len(args) == 1 and not isinstance(args[0], (int, tuple)) and callable(args[0]):
            thunk = _callback(cls, args[0])
            made = super().__new__(cls, _address(thunk))
            # It must live as long as C may call it.
            made._callback = thunk
        else:
            made = super().__new__(cls, *args)
        made.argtypes = getattr(cls, "_argtypes_", None)
        return made

    @property
    def argtypes(self):
        return self._given_argtypes

    @argtypes.setter
    def argtypes(self, kinds):
        self._given_argtypes = kinds
        if kinds is not None:
            kinds = tuple(map(_parameter, kinds))
        _NativeFunction.argtypes.__set__(self, kinds)

    @classmethod
    def from_param(cls, value):
        if value is not None and not isinstance(value, cls):
            raise TypeError(f"expected {cls.__name__} instance instead of {type(value).__name__}")
        return _pointer_to(value)

    @property
    def _as_parameter_(self):
        return _pointer_to(self)


def _parameter(kind):
    """What RustPython is told of an argument that is a function: it is a pointer."""
    import ctypes

    if not (isinstance(kind, type) and issubclass(kind, CFuncPtr)):
        return kind
    return type(ctypes.c_void_p)(kind.__name__, (ctypes.c_void_p,), {"from_param": kind.from_param})


def _pointer_to(function):
    import ctypes

    return ctypes.c_void_p(None if function is None else _address(function))


def _address(function):
    return int.from_bytes(memoryview(function).tobytes(), sys.byteorder)


def _callback(cls, function):
    """What C calls: it takes and gives what RustPython converts."""
    import ctypes

    to_python, arguments = [], []
    for argument in getattr(cls, "_argtypes_", None) or ():
        converter, kind = _argument(ctypes, argument)
        to_python.append(converter)
        arguments.append(kind)
    to_c, result = _result(ctypes, cls._restype_)

    def call(*values):
        try:
            values = [convert(value) for convert, value in zip(to_python, values)]
            return to_c(function(*values))
        except BaseException as error:
            _report(error, function)
            # What C gets in place of a result.
            return 0

    names = {"_argtypes_": tuple(arguments), "_restype_": result, "_flags_": cls._flags_}
    return type(_NativeFunction)("Callback", (_NativeFunction,), names)(call)


def _argument(ctypes, kind):
    """How a value is converted for the function, and what RustPython is told that it is."""
    code = getattr(kind, "_type_", None) if issubclass(kind, _ctypes._SimpleCData) else None
    if code in _PLAIN_ARGUMENTS:
        return (lambda value: value), kind
    if code == "P":
        is_itself = kind.__base__ is _ctypes._SimpleCData
        return (lambda value: (value or None) if is_itself else kind(value or None)), ctypes.c_void_p
    if issubclass(kind, _ctypes._Pointer):
        return (lambda value: ctypes.cast(value or None, kind)), ctypes.c_void_p
    if issubclass(kind, _NativeFunction):
        return (lambda value: kind(value or 0)), ctypes.c_void_p
    raise NotImplementedError(
        f"RustPython can't hand a {kind.__name__} to a callback of ctypes: it takes numbers, bools, "
        "characters, strings and pointers"
    )


def _result(ctypes, kind):
    """How a result is converted for C, and what RustPython is told that it is."""
    if kind is None:
        return (lambda value: None), None
    code = getattr(kind, "_type_", None) if isinstance(kind, type) else None
    if code is None or not issubclass(kind, _ctypes._SimpleCData):
        raise TypeError("invalid result type for callback function")
    if code in _INTEGERS:
        bits = _INTEGERS[code] * 8
        return (lambda value: _wrapped(value, bits, code.islower())), kind
    if code in "fd?":
        return {"f": float, "d": float, "?": bool}[code], kind
    if code == "c":
        return (lambda value: value[0] if isinstance(value, (bytes, bytearray)) else value), ctypes.c_ubyte
    if code == "P":
        return (lambda value: _pointer(ctypes, value)), ctypes.c_size_t
    raise NotImplementedError(
        f"RustPython can't take a {kind.__name__} from a callback of ctypes: it takes numbers, bools, "
        "c_char and c_void_p"
    )


def _wrapped(value, bits, is_signed):
    """The int, as far as it fits."""
    value = _int(value) & (1 << bits) - 1
    return value - (1 << bits) if is_signed and value >> bits - 1 else value


def _int(value):
    value = getattr(value, "value", value) if isinstance(value, _ctypes._SimpleCData) else value
    return value.__index__()


def _pointer(ctypes, value):
    if value is None:
        return 0
    if isinstance(value, ctypes.c_void_p):
        return value.value or 0
    return _wrapped(value, 64, False)


def _report(error, function):
    import traceback
    import types

    message = f"Exception ignored on calling ctypes callback function {function!r}"
    if sys.unraisablehook is not sys.__unraisablehook__:
        told = {
            "exc_type": type(error),
            "exc_value": error,
            "exc_traceback": error.__traceback__,
            "err_msg": message,
            "object": None,
        }
        sys.unraisablehook(types.SimpleNamespace(**told))
    elif sys.stderr is not None:
        print(f"{message}:", file=sys.stderr)
        traceback.print_exception(error, file=sys.stderr)


class _FunctionField:
    """A field that holds a function: for RustPython it holds a pointer."""

    def __init__(self, name, native, kind):
        self._name, self._native, self._kind = name, native, kind

    def __get__(self, structure, owner):
        if structure is None:
            return self._native
        return self._kind(self._native.__get__(structure, owner) or 0)

    def __set__(self, structure, function):
        # It must live as long as the structure.
        vars(structure).setdefault("_functions", {})[self._name] = function
        self._native.__set__(structure, _pointer_to(function))


def _checked(metaclass):
    """A metaclass of structures that refuses what RustPython gets wrong."""

    class Checked(metaclass):
        def __new__(cls, name, bases, namespace, **options):
            fields = namespace.get("_fields_")
            if fields is not None:
                namespace = {**namespace, "_fields_": _native_fields(fields)}
            return super().__new__(cls, name, bases, namespace, **options)

        def __init__(cls, name, bases, namespace, **options):
            super().__init__(name, bases, namespace, **options)
            cls._show(namespace.get("_fields_"))

        def __setattr__(cls, name, value):
            if name == "_fields_":
                super().__setattr__(name, _native_fields(value))
                cls._show(value)
            else:
                super().__setattr__(name, value)

        def _show(cls, fields):
            for name, kind, *_ in fields or ():
                if _is_function(kind):
                    setattr(cls, name, _FunctionField(name, vars(cls)[name], kind))

    Checked.__name__ = Checked.__qualname__ = metaclass.__name__
    return Checked


def _native_fields(fields):
    import ctypes

    told = []
    for field in fields:
        if isinstance(field, tuple) and len(field) > 2:
            raise NotImplementedError(
                f"RustPython has no bit fields in structures of ctypes: {field[0]!r} has "
                f"{field[2]} bits. Take the whole unit, and mask"
            )
        if isinstance(field, tuple) and len(field) == 2 and _is_function(field[1]):
            field = field[0], ctypes.c_void_p
        told.append(field)
    return told


def _is_function(kind):
    return isinstance(kind, type) and issubclass(kind, CFuncPtr)


def install():
    """Puts these classes into `_ctypes`, where `ctypes` takes its own from."""
    _ctypes.CFuncPtr = CFuncPtr
    for name in ("Structure", "Union"):
        base = getattr(_ctypes, name)
        namespace = {"__module__": "_ctypes", "__doc__": base.__doc__}
        setattr(_ctypes, name, _checked(type(base))(name, (base,), namespace))


CFuncPtr.__module__ = "_ctypes"
