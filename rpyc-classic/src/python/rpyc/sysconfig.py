"""What upload_package() of Python's rpyc asks when it isn't told where to put the package."""

import os
import sys


def get_python_lib(plat_specific=0, standard_lib=0, prefix=None):
    """The first directory of sys.path that can be written to."""
    for path in sys.path:
        if os.path.isdir(path) and os.access(path, os.W_OK):
            return path
    raise OSError(
        "no directory of sys.path can be written to: say where the package is to go, "
        "or put a directory on the server's sys.path"
    )
