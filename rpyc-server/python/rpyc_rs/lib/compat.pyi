import builtins
import pickle as pickle
from io import BytesIO as BytesIO
from struct import Struct as Struct

is_py_3k: bool
is_py_gte37: bool
is_py_gte38: bool
is_py_gte310: bool
is_py_gte311: bool
maxint: int
execute = exec
from builtins import next as next
from builtins import callable as callable
TimeoutError = builtins.TimeoutError

def BYTES_LITERAL(text: str) -> bytes: ...
