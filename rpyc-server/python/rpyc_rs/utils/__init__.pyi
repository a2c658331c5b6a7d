from typing import Any, Callable, TypeVar, overload

from . import classic as classic
from . import factory as factory
from . import helpers as helpers
from . import teleportation as teleportation

_F = TypeVar("_F")
_C = TypeVar("_C", bound=type)

@overload
def exposed(arg: str) -> Callable[[_F], _F]: ...
@overload
def exposed(arg: _F) -> _F: ...
def service(cls: _C) -> _C: ...
