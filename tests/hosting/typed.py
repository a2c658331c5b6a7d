"""A program as users write them, with their types."""

import logging
import socket
import threading
from typing import Any

import rpyc_rs as rpyc
from rpyc_rs.core.protocol import DEFAULT_CONFIG
from rpyc_rs.utils.registry import TCPRegistryClient
from rpyc_rs.utils.server import ThreadedServer


@rpyc.service
class MagnetService(rpyc.Service):
    ALIASES = ["magnet"]

    def __init__(self, bench: str) -> None:
        self.bench = bench

    def on_connect(self, conn: rpyc.Connection) -> None:
        self.conn = conn

    def exposed_amps(self, channel: int) -> float:
        return 1.5 * channel

    @rpyc.exposed
    def volts(self) -> float:
        return 5.0


def let_in(client: socket.socket) -> tuple[socket.socket, Any]:
    if client.recv(1) != b"!":
        raise rpyc.AuthenticationError("who?")
    return client, {"name": "me"}


def serve() -> ThreadedServer:
    server = ThreadedServer(
        rpyc.classpartial(MagnetService, "bench 2"),
        hostname="127.0.0.1",
        port=0,
        authenticator=let_in,
        registrar=TCPRegistryClient("127.0.0.1"),
        auto_register=False,
        protocol_config={"allow_public_attrs": True},
        logger=logging.getLogger("magnets"),
        dispatch=lambda run: run(),
    )
    threading.Thread(target=server.start).start()
    return server


def options() -> dict[str, Any]:
    return {**DEFAULT_CONFIG, "allow_public_attrs": True}


def use(host: str, port: int) -> float:
    with rpyc.connect(host, port, service=rpyc.VoidService, config={"sync_request_timeout": 5}) as conn:
        later = rpyc.async_(conn.root.amps)(2)
        later.add_callback(lambda result: print(result.value))
        later.set_expiry(1.0)
        soon = rpyc.timed(conn.root.amps, 2.0)(3)
        background = rpyc.BgServingThread(conn)
        try:
            names: list[str] = [str(item) for item in rpyc.buffiter(conn.root.names(), chunk=100)]
            print(names, soon.value, later.ready)
        except (rpyc.AsyncResultTimeout, rpyc.GenericException):
            pass
        background.stop()
        amps: float = later.value
    return amps


def classic(host: str) -> list[str]:
    conn = rpyc.classic.connect(host)
    with rpyc.classic.redirected_stdio(conn):
        conn.execute("print('here')")
    rpyc.classic.upload(conn, "here.txt", "there.txt")
    found: list[str] = rpyc.classic.obtain(conn.modules.os.listdir("."))
    return found


def who(server: rpyc.Server) -> set[Any]:
    for client in server.clients:
        client.close()
    return {client.getpeername() for client in server.clients}
