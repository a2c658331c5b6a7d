from typing import NoReturn

__version__: str
__file__: str

def run(arguments: list[bytes], module: str, is_chosen: bool) -> NoReturn:
    """Runs the program with its arguments, behind its name, and ends the process.

    `module` is this module's file; `is_chosen` says that `--python` has chosen this Python.
    """
