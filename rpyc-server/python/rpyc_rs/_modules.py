"""The modules that have the names of Python's rpyc: made of what the native module brings along."""

import sys
from importlib.machinery import ModuleSpec
from typing import Any, Optional

from rpyc_rs import _native

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

    _finder: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        if not name.startswith(("rpyc_rs.core", "rpyc_rs.lib", "rpyc_rs.utils", "rpyc_rs.version", "rpyc_rs._names")):
            return None
        if self._finder is None:
            modules = {
                "rpyc_rs" + (name[4:] or "._names"): source
                for name, source in _native.prepare().items()
                if name.partition(".")[0] == "rpyc"
            }
            modules["rpyc_rs._names"] = (False, modules["rpyc_rs._names"][1])
            from _rpyc_package import PackageFinder  # type: ignore[import-not-found]

            self._finder = PackageFinder({**modules, **_OWN})
        found: Optional[ModuleSpec] = self._finder.find_spec(name, path, target)
        return found


# First: a folder may have descriptions of these modules' types.
sys.meta_path.insert(0, _Finder())
