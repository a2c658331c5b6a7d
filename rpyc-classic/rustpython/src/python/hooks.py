"""The hooks of `sys` are the functions that it keeps for putting them back."""

import sys

_HOOKS = "breakpointhook", "displayhook", "excepthook", "unraisablehook"


def install():
    """RustPython makes two functions of each; programs ask whether they are one and the same."""
    for name in _HOOKS:
        setattr(sys, name, getattr(sys, f"__{name}__"))
