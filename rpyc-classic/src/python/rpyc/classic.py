"""What rpyc.utils.classic has, for code on this side that drives a peer, its client among them."""

import contextlib
import inspect
import os
import pickle
import sys

from _rpyc_proxies import BaseNetref, pickled
from ..core.consts import STREAM_CHUNK
from ..core.service import ClassicService, ModuleNamespace, Slave, SlaveService
from . import _part, factory

DEFAULT_SERVER_PORT = 18812
DEFAULT_SERVER_SSL_PORT = 18821


def connect(host, port=DEFAULT_SERVER_PORT, ipv6=False, keepalive=False):
    """Connects to a classic server; both sides may run code at the other."""
    return factory.connect(host, port, ClassicService, ipv6=ipv6, keepalive=keepalive)


def unix_connect(path):
    """Connects to a classic server on a Unix socket."""
    return factory.unix_connect(path, ClassicService)


def ssl_connect(
    host, port=DEFAULT_SERVER_SSL_PORT, keyfile=None, certfile=None, ca_certs=None, cert_reqs=None,
    ssl_version=None, ciphers=None, ipv6=False,
):  # fmt: skip
    """Connects to a classic server over TLS."""
    files = keyfile, certfile, ca_certs, cert_reqs, ssl_version, ciphers
    return factory.ssl_connect(host, port, *files, ClassicService, ipv6=ipv6)


def connect_stream(stream):
    """Connects to a classic server over a stream."""
    return factory.connect_stream(stream, ClassicService)


def connect_channel(channel):
    """Connects to a classic server over a channel."""
    return factory.connect_channel(channel, ClassicService)


def connect_pipes(input, output):
    """Connects to a classic server over pipes."""
    return factory.connect_pipes(input, output, ClassicService)


def connect_stdpipes():
    """Connects to a classic server over stdin and stdout."""
    return factory.connect_stdpipes(ClassicService)


def connect_subproc(server_file=None):
    """Starts a classic server of this Python, or the one that a script is, and connects over its stdin and
    stdout."""
    command = ["-m", "rpyc_rs", "--classic", "--quiet"] if server_file is None else ["-u", server_file, "-q"]
    return factory.connect_subproc([sys.executable, *command, "--mode", "stdio"], ClassicService)


def connect_thread():
    """Connects to a classic server in this process."""
    return factory.connect_thread(ClassicService, remote_service=ClassicService)


def upload(conn, localpath, remotepath, filter=None, ignore_invalid=False, chunk_size=STREAM_CHUNK):
    """Copies a file or a directory of this side to the peer."""
    _upload(conn, _part_at(conn), localpath, remotepath, filter, ignore_invalid, chunk_size)


def upload_file(conn, localpath, remotepath, chunk_size=STREAM_CHUNK):
    """Copies a file of this side to the peer, where it has its name once it is whole."""
    with open(localpath, "rb") as source:
        _copy(source, _part_at(conn), remotepath, chunk_size)


def upload_dir(conn, localpath, remotepath, filter=None, chunk_size=STREAM_CHUNK):
    """Copies a directory of this side to the peer."""
    _upload_dir(conn, _part_at(conn), localpath, remotepath, filter, chunk_size)


def _upload(conn, part, localpath, remotepath, filter, ignore_invalid, chunk_size):
    if os.path.isdir(localpath):
        _upload_dir(conn, part, localpath, remotepath, filter, chunk_size)
    elif os.path.isfile(localpath):
        with open(localpath, "rb") as source:
            _copy(source, part, remotepath, chunk_size)
    elif not ignore_invalid:
        raise ValueError(f"cannot upload {localpath!r}")


def _upload_dir(conn, part, localpath, remotepath, filter, chunk_size):
    path = conn.modules["os.path"]
    if not path.isdir(remotepath):
        conn.modules.os.makedirs(remotepath)
    for name in os.listdir(localpath):
        if filter is None or filter(name):
            places = os.path.join(localpath, name), path.join(remotepath, name)
            _upload(conn, part, *places, filter, True, chunk_size)


def _part_at(conn):
    """The class Part, made at the peer."""
    builtins, name = conn.builtins, "<rpyc client>"
    names = builtins.dict()
    names["__name__"] = name
    source = _part.__spec__.loader.get_source(_part.__name__)
    # Evaluated: Python 2 has no function exec.
    builtins.eval(builtins.compile(source, name, "exec"), names)
    return names["Part"]


def _copy(source, part, path, chunk_size):
    with part(path) as target:
        while chunk := source.read(chunk_size):
            target.write(chunk)


def download(conn, remotepath, localpath, filter=None, ignore_invalid=False, chunk_size=STREAM_CHUNK):
    """Copies a file or a directory of the peer to this side."""
    path = conn.modules["os.path"]
    if path.isdir(remotepath):
        download_dir(conn, remotepath, localpath, filter, chunk_size)
    elif path.isfile(remotepath):
        download_file(conn, remotepath, localpath, chunk_size)
    elif not ignore_invalid:
        raise ValueError(f"cannot download {remotepath!r}")


def download_file(conn, remotepath, localpath, chunk_size=STREAM_CHUNK):
    """Copies a file of the peer to this side, where it has its name once it is whole."""
    with conn.builtins.open(remotepath, "rb") as source:
        _copy(source, _part.Part, localpath, chunk_size)


def download_dir(conn, remotepath, localpath, filter=None, chunk_size=STREAM_CHUNK):
    """Copies a directory of the peer to this side."""
    path = conn.modules["os.path"]
    os.makedirs(localpath, exist_ok=True)
    for name in conn.modules.os.listdir(remotepath):
        if filter is None or filter(name):
            places = path.join(remotepath, name), os.path.join(localpath, name)
            download(conn, *places, filter, True, chunk_size)


def upload_package(conn, module, remotepath=None, chunk_size=STREAM_CHUNK):
    """Copies the directory of a package of this side to the peer."""
    if remotepath is None:
        site = conn.modules["distutils.sysconfig"].get_python_lib()
        remotepath = conn.modules["os.path"].join(site, module.__name__)
    localpath = os.path.dirname(os.path.abspath(inspect.getsourcefile(module)))
    upload(conn, localpath, remotepath, chunk_size=chunk_size)


upload_module = upload_package


def obtain(proxy):
    """A copy of the peer's object, unpickled here. Whoever calls it trusts the peer."""
    if not isinstance(proxy, BaseNetref):
        return pickle.loads(pickle.dumps(proxy))
    return pickle.loads(pickled(proxy, 4))


def deliver(conn, localobj):
    """A copy of a local object at the peer."""
    return conn.modules["rpyc.lib.compat"].pickle.loads(pickle.dumps(localobj, 4))


@contextlib.contextmanager
def redirected_stdio(conn):
    """The peer's standard streams are this side's for a while."""
    theirs, ours = conn.modules.sys, sys
    names = "stdin", "stdout", "stderr"
    before = [getattr(theirs, name) for name in names]
    try:
        for name in names:
            setattr(theirs, name, getattr(ours, name))
        yield
    finally:
        for name, stream in zip(names, before):
            setattr(theirs, name, stream)


def pm(conn):
    """Debugs the last exception that the peer raised for this side."""
    with redirected_stdio(conn):
        conn.modules.pdb.post_mortem(conn.root.getconn()._last_traceback)


def interact(conn, namespace=None):
    """A prompt of the peer's interpreter at this side."""
    namespace = {} if namespace is None else namespace
    namespace["conn"] = conn
    with redirected_stdio(conn):
        conn.execute("def _interact(ns):\n    import code\n    code.interact(local=dict(ns))")
        conn.namespace["_interact"](namespace)


class MockClassicConnection:
    """Looks as a connection does, and is this interpreter itself."""

    def __init__(self):
        self.root = Slave()
        self.modules = ModuleNamespace(self.root.getmodule)
        self.eval, self.execute = self.root.eval, self.root.execute
        self.namespace = self.root.namespace
        self.builtins = self.builtin = self.modules.builtins

    def teleport(self, func, globals=None, def_=True):
        """The function itself: it is here."""
        if def_:
            (self.namespace if globals is None else globals)[func.__name__] = func
        return func


def teleport_function(conn, func, globals=None, def_=True):
    """Makes a function of this side at the peer, by its source."""
    from .teleportation import export_source

    target = conn.namespace if globals is None else globals
    name, missing = func.__name__, object()
    before = missing if def_ else target.get(name, missing)
    conn.builtins.exec(export_source(func), target)
    function = target[name]
    if before is not missing:
        target[name] = before
    elif not def_:
        del target[name]
    return function
