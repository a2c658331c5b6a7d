"""Names that programs find in rpyc.lib.compat; pickle is what deliver() uses."""

import pickle
import sys
import time
from io import BytesIO
from struct import Struct

is_py_3k = True
is_py_gte37 = is_py_gte38 = is_py_gte310 = True
is_py_gte311 = sys.version_info >= (3, 11)
maxint = sys.maxsize
execute = exec
next = next
callable = callable
TimeoutError = TimeoutError


def BYTES_LITERAL(text):
    """The text's UTF-8."""
    return text.encode("utf8")
