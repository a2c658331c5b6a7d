"""The modules that have the names of Python's rpyc: made of what the native module brings along."""

import sys

from rpyc_rs import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Optional

_OWN = {
    "rpyc_rs.utils.authenticators": (False, "from rpyc_rs._authenticators import *\n"),
    "rpyc_rs.utils.registry": (False, "from rpyc_rs._registry import *\n"),
    "rpyc_rs.utils.server": (
        False,
        "from rpyc_rs._authenticators import AuthenticationError\n"
        "from rpyc_rs._server import OneShotServer, Server, ThreadedServer, ThreadPoolServer\n",
    ),
}


class _Finder:
    """Finds them; the first one makes this Python fit for connections."""

    _finder: "Any" = None

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Optional[ModuleSpec]":
        if not name.startswith(("rpyc_rs.core", "rpyc_rs.lib", "rpyc_rs.utils", "rpyc_rs.version", "rpyc_rs._names")):
            return None
        if self._finder is None:
            modules = {
                "rpyc_rs" + (name[4:] or "._names"): source
                for name, source in _native.prepare().items()
                if name.partition(".")[0] == "rpyc"
            }
            # The end of the program is that of its connections, too.
            import rpyc_rs._ending

            modules["rpyc_rs._names"] = (False, modules["rpyc_rs._names"][1])
            from _rpyc_package import PackageFinder  # type: ignore[import-not-found]

            self._finder = PackageFinder({**modules, **_OWN})
        found: "Optional[ModuleSpec]" = self._finder.find_spec(name, path, target)
        return found


# Where a name of the package's own is; the others are those of Python's rpyc.
_PLACES = {
    "AuthenticationError": "_authenticators",
    "SSLAuthenticator": "_authenticators",
    "TCPRegistryClient": "_registry",
    "UDPRegistryClient": "_registry",
    "OneShotServer": "_server",
    "Server": "_server",
    "ThreadPoolServer": "_server",
    "ThreadedServer": "_server",
}


def home(name: str) -> "ModuleType":
    """The module that has it."""
    place = "rpyc_rs." + _PLACES.get(name, "_names")
    __import__(place)
    return sys.modules[place]


# First: a folder may have descriptions of these modules' types.
sys.meta_path.insert(0, _Finder())
