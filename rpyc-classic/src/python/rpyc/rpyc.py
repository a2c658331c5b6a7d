"""The part of rpyc that there is here: netrefs, helpers, connections."""

import importlib

__version__ = "6.0.2"

# Modules, and the names of theirs that the package has.
_MODULES = """
    core.async_: AsyncResult AsyncResultTimeout
    core.netref: BaseNetref
    core.protocol: Connection PingError
    core.service: ClassicService MasterService Service SlaveService VoidService
    core.stream: Channel PipeStream SocketStream
    core.vinegar: GenericException
    lib: setup_logger spawn
    utils: exposed service
    utils.factory: DiscoveryError ForbiddenError connect connect_by_service
    utils.factory: connect_channel connect_pipes connect_stdpipes connect_stream
    utils.factory: connect_subproc connect_thread discover list_services ssl_connect
    utils.factory: unix_connect
    utils.helpers: BgServingThread async_ buffiter classpartial restricted
    utils.helpers: timed
"""

PLACES = {"core": "core", "lib": "lib", "utils": "utils", "version": "version", "classic": "utils.classic"}
PLACES.update(
    (name, place)
    for place, _, names in (line.strip().partition(": ") for line in _MODULES.split("\n"))
    for name in names.split()
)

_PACKAGE = __name__.partition(".")[0]


def __getattr__(name):
    # Most programs need little of it: it is imported at its first use.
    place = PLACES.get("async_" if name == "async" else name)
    if place is None:
        raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r} here")
    module = importlib.import_module(f"{_PACKAGE}.{place}")
    is_module = name == place.rpartition(".")[2]
    value = module if is_module else getattr(module, "async_" if name == "async" else name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *PLACES})
