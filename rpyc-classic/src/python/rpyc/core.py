"""The core, of which most programs need little: each name is imported at its first use."""

import importlib

# Modules, and the names of theirs that the package has.
_MODULES = """
    async_: AsyncResult AsyncResultTimeout
    netref: BaseNetref
    protocol: DEFAULT_CONFIG Connection
    service: ClassicService MasterService Service SlaveService VoidService
    stream: Channel PipeStream SocketStream
    vinegar: GenericException
"""
_PLACES = {name: name for name in ("brine", "channel", "consts")}
for _line in _MODULES.strip().splitlines():
    _module, _, _names = _line.strip().partition(": ")
    _PLACES[_module] = _module
    _PLACES.update(dict.fromkeys(_names.split(), _module))


def __getattr__(name):
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r} here")
    module = importlib.import_module(f"{__name__}.{place}")
    value = module if name == place else getattr(module, name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_PLACES})
