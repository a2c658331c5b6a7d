"""What the programs with old versions find: rpyc of any version, on any Python from 2.7 on."""
from __future__ import print_function

import contextlib
import os
import re
import sys
import threading


def hang():
    print("%s is still running" % sys.argv, file=sys.stderr)
    sys.stderr.flush()
    os._exit(3)


watch = threading.Timer(float(os.environ["PEER_DEADLINE"]), hang)
watch.daemon = True
watch.start()

if sys.version_info >= (3, 7):
    # rpyc 3 names a module and a function `async`, which is a keyword by now. Here they are called `async_`;
    # nothing else is changed.
    import importlib.abc
    import importlib.machinery
    import importlib.util

    class Renaming(importlib.machinery.SourceFileLoader):
        def get_data(self, path):
            return re.sub(br"\basync\b", b"async_", super().get_data(path))

        def path_stats(self, path):
            raise OSError("nothing is cached")

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name.split(".")[0] != "rpyc":
                return None
            if name == "rpyc.core.async_" and not os.path.exists(os.path.join(path[0], "async_.py")):
                file = os.path.join(path[0], "async.py")
                return importlib.util.spec_from_file_location(name, file, loader=Renaming(name, file))
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            if OLD and type(spec.loader) is importlib.machinery.SourceFileLoader:
                spec.loader = Renaming(spec.loader.name, spec.loader.path)
            return spec

    folder = os.path.dirname(importlib.util.find_spec("rpyc").origin)
    OLD = not os.path.exists(os.path.join(folder, "core", "async_.py"))
    sys.meta_path.insert(0, Finder())

import rpyc  # noqa: E402
import rpyc.core.service  # noqa: E402
import rpyc.utils.classic  # noqa: E402

VERSION = rpyc.version.version
# rpyc-ng has a str.
VERSION = tuple(map(int, VERSION.split(".") if isinstance(VERSION, str) else VERSION))
PYTHON_2 = sys.version_info[0] == 2
HOST = os.environ.get("PEER_HOST")
PORT = int(os.environ.get("PEER_PORT", "0"))


def text(value):
    """Text as this Python's str: what Python 3 calls str is unicode in Python 2."""
    return str(value) if PYTHON_2 and isinstance(value, type(u"")) else value


def same(got, wanted):
    assert text(got) == wanted, "%r instead of %r" % (got, wanted)


class Raised(object):
    value = None


@contextlib.contextmanager
def raises(kind, part=""):
    """Expects an exception of this class with this text; it is kept with its traceback."""
    raised = Raised()
    try:
        yield raised
    except kind as error:
        raised.value = error
        assert part in str(error), "%r is not in %r" % (part, str(error))
        assert "WARNING" not in str(error), str(error)
    else:
        raise AssertionError("%s was not raised" % kind)
