"""Python's own server for a service of the module that is named, on a port that the system chooses."""

import importlib
import logging
import os
import signal
import sys

from rpyc.utils.server import ThreadedServer

place, config = sys.argv[1:]
module, _, name = place.partition(":")
logging.basicConfig(stream=sys.stderr, level=logging.INFO)
signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
service = getattr(importlib.import_module(module), name)
server = ThreadedServer(service, hostname="127.0.0.1", port=0, protocol_config=eval(config))
server._listen()  # before the address is told
print(f"listening on {server.host}:{server.port}", file=sys.stderr, flush=True)
server.start()
