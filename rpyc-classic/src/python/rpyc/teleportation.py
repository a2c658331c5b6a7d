"""Functions of a peer's by their bytecode, where both run the same version of Python."""

import ast
import importlib.util
import inspect
import platform
import sys
import textwrap
import types

from _rpyc_native import current_connection

# What marks code among a code's constants.
_IS_CODE = "MAg1c J0hNNzo0hn ZqhuBP17LQk8"
_FIELDS = (
    "co_argcount co_posonlyargcount co_kwonlyargcount co_nlocals co_stacksize co_flags co_code "
    "co_consts co_names co_varnames co_filename co_name co_qualname co_firstlineno co_linetable "
    "co_exceptiontable co_freevars co_cellvars"
).split()
if sys.version_info < (3, 11):
    _FIELDS = [field for field in _FIELDS if field not in ("co_qualname", "co_exceptiontable")]
_CONSTS = _FIELDS.index("co_consts")


# Whether peers may run the same bytecode.
_HAS_PEERS = sys.implementation.name == "cpython"


def check_versions(name):
    """Refuses bytecode of another Python's: it would crash the process."""
    if not _HAS_PEERS:
        ours = platform.python_implementation()
        _refuse(name, f"{ours}, which doesn't execute CPython's bytecode")
    try:
        theirs = current_connection().modules
        magic, version = theirs["importlib.util"].MAGIC_NUMBER, theirs.sys.version.split()[0]
    except Exception:
        magic, version = None, "a Python that doesn't tell its version"
    if magic != importlib.util.MAGIC_NUMBER:
        ours = sys.version.split()[0]
        _refuse(name, f"Python {ours}, which doesn't execute the bytecode of {version}")


def _refuse(name, why):
    raise TypeError(
        f"cannot teleport {name!r}: this server runs {why}. Send the source instead: "
        'conn.modules["rpyc.utils.teleportation"].import_source(inspect.getsource(func), '
        "conn.namespace)"
    )


def export_function(func):
    """The function as plain values."""
    if not isinstance(func, types.FunctionType):
        raise TypeError(f"cannot export {func!r}: it isn't a function")
    if not _HAS_PEERS:
        raise TypeError(
            f"cannot export {func.__name__!r}: no other Python executes the bytecode of "
            f"{platform.python_implementation()}. Send the source instead: export_source(func)"
        )
    if func.__closure__:
        raise TypeError(f"cannot export {func.__name__!r}: it has a closure")
    keywords = tuple((func.__kwdefaults__ or {}).items())
    defaults = func.__defaults__
    return func.__name__, func.__module__, defaults, keywords or None, _fields(func.__code__)


def _fields(code):
    fields = [getattr(code, field) for field in _FIELDS]
    consts = fields[_CONSTS]
    is_code = types.CodeType
    fields[_CONSTS] = tuple(
        (_IS_CODE, _fields(const)) if isinstance(const, is_code) else const for const in consts
    )
    return tuple(fields)


def import_function(functup, globals=None, def_=True):
    """Makes a peer's function here, and defines it in `globals` unless told not to."""
    name, module, defaults, keywords, fields = functup
    check_versions(name)
    if globals is None:
        globals = vars(sys.modules.get(module) or sys.modules["__main__"])
    function = types.FunctionType(_code(name, fields), globals, name, defaults and tuple(defaults))
    function.__kwdefaults__ = dict(keywords or ()) or None
    if def_:
        globals[name] = function
    return function


def _code(name, fields):
    if len(fields) != len(_FIELDS):
        raise TypeError(f"cannot teleport {name!r}: its bytecode isn't this Python's")
    fields = list(fields)
    fields[_CONSTS] = tuple(
        _code(name, const[1]) if type(const) is tuple and const[:1] == (_IS_CODE,) else const
        for const in fields[_CONSTS]
    )
    return types.CodeType(*fields)


def export_source(func):
    """The source of a function of this side."""
    try:
        return textwrap.dedent(inspect.getsource(func))
    except (OSError, TypeError) as error:
        raise TypeError(f"the source of {func!r} isn't known: {error}") from None


def import_source(source, globals=None, def_=True):
    """Makes the function that the source defines last, and defines it in `globals` unless told not to.

    The source may be indented as a whole, as that of a nested function is. Names that it uses
    are those of `globals`; without them, of builtins.
    """
    source = textwrap.dedent(source)
    kinds = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
    names = [node.name for node in ast.parse(source).body if isinstance(node, kinds)]
    if not names:
        raise TypeError("the source defines no function")
    namespace = {} if globals is None else globals
    if type(namespace) is not dict:
        # Code runs in a dict of this side only.
        namespace = dict(namespace)
    missing = object()
    before = namespace.get(names[-1], missing)
    exec(compile(source, "<teleported>", "exec"), namespace)
    function = namespace[names[-1]]
    if not def_:
        if before is missing:
            del namespace[names[-1]]
        else:
            namespace[names[-1]] = before
    return function
