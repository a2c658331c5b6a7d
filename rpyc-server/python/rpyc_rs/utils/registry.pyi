from .._registry import REGISTRY_PORT as REGISTRY_PORT
from .._registry import RegistryClient as RegistryClient
from .._registry import TCPRegistryClient as TCPRegistryClient
from .._registry import UDPRegistryClient as UDPRegistryClient
