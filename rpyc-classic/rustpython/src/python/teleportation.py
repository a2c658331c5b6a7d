"""Functions go to another interpreter by their source: its bytecode isn't this one's."""

import ast
import inspect
import textwrap


def import_function(functup, globals=None, def_=True):
    """Refuses CPython's bytecode, and says what works."""
    raise TypeError(
        f"cannot teleport {functup[0]!r}: this server runs RustPython, which doesn't execute "
        "CPython's bytecode. Send the source instead: "
        'conn.modules["rpyc.utils.teleportation"].import_source(inspect.getsource(func), '
        "conn.namespace)"
    )


def export_function(func):
    """Refuses: no other interpreter executes this one's bytecode."""
    raise TypeError(
        f"cannot export {func.__name__!r}: no other Python executes RustPython's bytecode. Send "
        "the source instead: export_source(func)"
    )


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
    if not isinstance(namespace, dict) or type(namespace) is not dict:
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
