import os
from typing import Any, Mapping, Optional, Protocol, Sequence

from ..core.protocol import Connection
from ..core.service import Service
from ..core.stream import Channel, PipeStream, SocketStream

_Path = str | os.PathLike[str]
_Service = type | Service | object

class _Registrar(Protocol):
    def discover(self, name: str, /) -> Sequence[tuple[str, int]]: ...
    def list(self, filter_host: Optional[str], /) -> Optional[Sequence[str]]: ...

class DiscoveryError(Exception): ...
class ForbiddenError(Exception): ...

def connect(
    host: str,
    port: int,
    service: _Service = ...,
    config: Mapping[str, Any] = ...,
    ipv6: bool = False,
    keepalive: bool = False,
) -> Connection: ...
def unix_connect(path: _Path, service: _Service = ..., config: Mapping[str, Any] = ...) -> Connection: ...
def ssl_connect(
    host: str,
    port: int,
    keyfile: Optional[_Path] = None,
    certfile: Optional[_Path] = None,
    ca_certs: Optional[_Path] = None,
    cert_reqs: Optional[int] = None,
    ssl_version: Optional[int] = None,
    ciphers: Optional[str] = None,
    service: _Service = ...,
    config: Mapping[str, Any] = ...,
    ipv6: bool = False,
    keepalive: bool = False,
    verify_mode: Optional[int] = None,
) -> Connection: ...
def connect_stream(
    stream: SocketStream | PipeStream, service: _Service = ..., config: Mapping[str, Any] = ...
) -> Connection: ...
def connect_channel(
    channel: Channel, service: _Service = ..., config: Mapping[str, Any] = ...
) -> Connection: ...
def connect_pipes(
    input: Any, output: Any, service: _Service = ..., config: Mapping[str, Any] = ...
) -> Connection: ...
def connect_stdpipes(service: _Service = ..., config: Mapping[str, Any] = ...) -> Connection: ...
def connect_subproc(
    args: Sequence[str], service: _Service = ..., config: Mapping[str, Any] = ...
) -> Connection: ...
def connect_thread(
    service: _Service = ...,
    config: Mapping[str, Any] = ...,
    remote_service: _Service = ...,
    remote_config: Mapping[str, Any] = ...,
) -> Connection: ...
def discover(
    service_name: str,
    host: Optional[str] = None,
    registrar: Optional[_Registrar] = None,
    timeout: float = 2,
) -> tuple[tuple[str, int], ...]: ...
def list_services(
    registrar: Optional[_Registrar] = None, filter_host: Optional[str] = None, timeout: float = 2
) -> tuple[str, ...]: ...
def connect_by_service(
    service_name: str,
    host: Optional[str] = None,
    registrar: Optional[_Registrar] = None,
    timeout: float = 2,
    service: _Service = ...,
    config: Mapping[str, Any] = ...,
) -> Connection: ...
