"""Python's own classic server, for checking the tests themselves."""
import logging
import os
import signal
import sys

from rpyc.core.service import SlaveService
from rpyc.utils.server import ThreadedServer

logging.basicConfig(stream=sys.stderr, level=logging.INFO)
signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
signal.signal(signal.SIGINT, lambda number, frame: os._exit(0))
server = ThreadedServer(SlaveService, hostname="127.0.0.1", port=0)
server._listen()  # before the address is told
print(f"listening on {server.host}:{server.port}", file=sys.stderr, flush=True)
server.start()
