"""Functions can't be sent as CPython's bytecode: this interpreter has another one."""


def import_function(functup, globals=None, def_=True):
    """Refuses, and says what works."""
    raise TypeError(
        f"cannot teleport {functup[0]!r}: this server runs RustPython, which doesn't execute "
        "CPython's bytecode. Send the source instead: "
        "conn.execute(textwrap.dedent(inspect.getsource(func))), then use "
        f"conn.namespace[{functup[0]!r}]"
    )


def export_function(func):
    """Refuses: no peer executes this interpreter's bytecode."""
    raise TypeError("functions of RustPython can't be teleported; send their source")
