from collections.abc import Collection, Iterator
from typing import Any, Callable, Optional, TypeVar

from ..core.consts import HANDLE_BUFFITER as HANDLE_BUFFITER
from ..core.consts import HANDLE_CALL as HANDLE_CALL
from ..core.async_ import AsyncResult
from ..core.protocol import Connection

_C = TypeVar("_C")

def buffiter(obj: Any, chunk: int = 10, max_chunk: int = 1000, factor: int = 2) -> Iterator[Any]: ...
def restricted(obj: Any, attrs: Collection[str], wattrs: Optional[Collection[str]] = None) -> Any: ...
def classpartial(cls: type[_C], /, *args: Any, **kwargs: Any) -> type[_C]: ...
def async_(proxy: Any) -> Callable[..., AsyncResult]: ...

class timed:
    proxy: Callable[..., AsyncResult]
    timeout: Optional[float]
    def __init__(self, proxy: Any, timeout: Optional[float]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> AsyncResult: ...

class BgServingThread:
    SERVE_INTERVAL: float
    SLEEP_INTERVAL: float
    def __init__(
        self,
        conn: Connection,
        callback: Optional[Callable[[], object]] = None,
        serve_interval: float = ...,
        sleep_interval: float = ...,
    ) -> None: ...
    def stop(self) -> None: ...
