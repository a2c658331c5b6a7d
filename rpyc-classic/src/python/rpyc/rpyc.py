"""The part of rpyc that code on this server uses: netrefs, helpers, connections to other servers."""

import importlib

__version__ = "6.0.2"

_PLACES = {
    "AsyncResult": "core.async_",
    "AsyncResultTimeout": "core.async_",
    "BaseNetref": "core.netref",
    "BgServingThread": "utils.helpers",
    "ClassicService": "core.service",
    "Connection": "core.protocol",
    "GenericException": "core.vinegar",
    "MasterService": "core.service",
    "Service": "core.service",
    "SlaveService": "core.service",
    "VoidService": "core.service",
    "async_": "utils.helpers",
    "buffiter": "utils.helpers",
    "classic": "utils.classic",
    "connect": "utils.factory",
    "core": "core",
    "exposed": "utils",
    "lib": "lib",
    "restricted": "utils.helpers",
    "service": "utils",
    "spawn": "lib",
    "timed": "utils.helpers",
    "utils": "utils",
    "version": "version",
}


def __getattr__(name):
    # Most programs need little of it: it is imported at its first use.
    place = _PLACES.get("async_" if name == "async" else name)
    if place is None:
        raise AttributeError(f"module 'rpyc' has no attribute {name!r} here")
    module = importlib.import_module(f"rpyc.{place}")
    is_module = name == place.rpartition(".")[2]
    value = module if is_module else getattr(module, "async_" if name == "async" else name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_PLACES})
