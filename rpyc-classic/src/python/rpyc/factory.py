"""Connections to others."""

import os
import socket
import subprocess
import sys

from _rpyc_native import connect as _native_connect
from ..core.protocol import _with_changed_defaults
from ..core.service import ClassicService, MasterService, SlaveService, VoidService
from ..core.stream import PipeStream, SocketStream
from ..lib import spawn


class DiscoveryError(Exception):
    """The registry knows no server of that name, or none that can be connected to."""


class ForbiddenError(Exception):
    """The registry doesn't tell which services there are."""


def _open(address, service, config, keepalive=False):
    # What its constructor raises comes out as it is.
    instance = service() if isinstance(service, type) else service
    runs_code = isinstance(instance, SlaveService)
    return _native_connect(address, instance, _with_changed_defaults(config), runs_code, bool(keepalive))


def connect(host, port, service=VoidService, config={}, ipv6=False, keepalive=False):
    """Connects over TCP. `service` is what this side offers: a class, or an instance of one.

    The config has the names of Python's rpyc. Of a host's addresses those of either family are tried.
    """
    return _open(("tcp", host, int(port)), service, config, keepalive)


def unix_connect(path, service=VoidService, config={}):
    """Connects to a Unix socket."""
    return _open(("unix", os.fspath(path)), service, config)


def ssl_connect(
    host, port, keyfile=None, certfile=None, ca_certs=None, cert_reqs=None, ssl_version=None,
    ciphers=None, service=VoidService, config={}, ipv6=False, keepalive=False, verify_mode=None,
):  # fmt: skip
    """Connects over TLS, of version 1.2 or newer.

    Without `ca_certs` and `cert_reqs` any server is trusted. With `ca_certs` its certificate has to be one of
    those authorities', for whatever name. `cert_reqs` (or `verify_mode`) is one of the constants of `ssl`:
    CERT_REQUIRED without `ca_certs` asks for a certificate of an authority that the system trusts.
    """
    for name, value in ("ssl_version", ssl_version), ("ciphers", ciphers):
        if value is not None:
            raise ValueError(f"{name} can't be chosen: the newest that both sides have is used")
    if keyfile is not None and certfile is None:
        raise ValueError("a keyfile needs a certfile")
    verify = cert_reqs if cert_reqs is not None else verify_mode
    is_checked = ca_certs is not None if verify is None else bool(int(verify))
    files = [None if file is None else os.fspath(file) for file in (ca_certs, certfile, keyfile or certfile)]
    return _open(("tls", host, int(port), *files, is_checked), service, config, keepalive)


def connect_stream(stream, service=VoidService, config={}):
    """Connects over a `SocketStream` or a `PipeStream`, which is the connection's from now on."""
    return _open(stream.give_away(), service, config)


def connect_channel(channel, service=VoidService, config={}):
    """Connects over a channel's stream."""
    return connect_stream(channel.stream, service, config)


def connect_pipes(input, output, service=VoidService, config={}):
    """Connects over two pipes, one to read and one to write, which are the connection's from now on."""
    return connect_stream(PipeStream(input, output), service, config)


def connect_stdpipes(service=VoidService, config={}):
    """Connects over stdin and stdout. What is printed goes to stderr from now on."""
    sys.stdout.flush()
    pipes = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return connect_pipes(*pipes, service, config)


def connect_subproc(args, service=VoidService, config={}):
    """Starts a program and connects over its stdin and stdout. `conn.proc` is its `subprocess.Popen`."""
    process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        conn = connect_pipes(process.stdout, process.stdin, service, config)
    except BaseException:
        process.kill()
        process.wait()
        raise
    conn.proc = process
    return conn


def connect_thread(service=VoidService, config={}, remote_service=VoidService, remote_config={}):
    """Connects to a service in this process, which a thread of its own serves."""
    here, there = socket.socketpair()
    spawn(_serve, there, remote_service, remote_config)
    return connect_stream(SocketStream(here), service, config)


def _serve(sock, service, config):
    try:
        conn = connect_stream(SocketStream(sock), service, config)
    finally:
        sock.close()
    conn.serve_all()


def discover(service_name, host=None, registrar=None, timeout=2):
    """The servers of that name that a registry knows, pairs of host and port: all, or those on `host`.

    Without a registrar, whichever registry answers in this network is asked.
    """
    found = _registrar(registrar, timeout).discover(service_name)
    if not found:
        raise DiscoveryError(f"no server of {service_name!r} is known to the registry")
    if host is not None:
        addresses = {address[4][0] for address in socket.getaddrinfo(host, None)} | {host}
        found = tuple((name, port) for name, port in found if name in addresses)
        if not found:
            raise DiscoveryError(f"no server of {service_name!r} on {host!r} is known to the registry")
    return tuple(found)


def list_services(registrar=None, filter_host=None, timeout=2):
    """The names of the services that a registry knows: all, or those on a host."""
    found = _registrar(registrar, timeout).list(filter_host)
    if found is None:
        raise ForbiddenError("the registry doesn't tell which services there are")
    return tuple(found)


def connect_by_service(
    service_name, host=None, registrar=None, timeout=2, service=VoidService, config={}
):
    """Connects to the first server of that name that can be connected to."""
    found = discover(service_name, host, registrar, timeout)
    for name, port in found:
        try:
            return connect(name, port, service, config)
        except OSError as error:
            last = error
    raise DiscoveryError(f"of {len(found)} servers of {service_name!r} none can be connected to") from last


def _registrar(registrar, timeout):
    if registrar is not None:
        return registrar
    from .registry import UDPRegistryClient

    return UDPRegistryClient(timeout=timeout)
