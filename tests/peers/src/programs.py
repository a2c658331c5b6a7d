"""Either end of a benchmark of programs in Python, with the rpyc that is named: `serve MODULE`, which says READY
and its port, or `call MODULE PORT SERVER SECONDS`, which prints a line with a name and a number for each row."""
import importlib
import os
import sys
import threading
import time

role, name = sys.argv[1:3]
rpyc = importlib.import_module(name)
CONFIG = {"sync_request_timeout": 120}
clock = time.perf_counter


class Service(rpyc.Service):
    """What is called."""

    def exposed_f(self):
        pass

    def exposed_take(self, data):
        return len(data)

    def exposed_numbers(self):
        return list(range(3000))


def serve():
    server_module = importlib.import_module(f"{name}.utils.server")
    server = server_module.ThreadedServer(Service, hostname="127.0.0.1", port=0, protocol_config=CONFIG)
    if hasattr(server, "_listen"):
        server._listen()
    print("READY", server.port, flush=True)
    threading.Thread(target=server.start, daemon=True).start()
    # It ends with whoever started it.
    sys.stdin.read()
    os._exit(0)


def place(server, wanted):
    """The threads of both ends run on these processors; those that are started later, too."""
    os.sched_setaffinity(0, wanted)
    for thread in os.listdir(f"/proc/{server}/task"):
        try:
            os.sched_setaffinity(int(thread), wanted)
        except ProcessLookupError:
            pass


def median(call, seconds, warmup=20):
    """How long a call takes, in seconds."""
    for _ in range(warmup):
        call()
    times, end = [], clock() + seconds
    while not times or clock() < end:
        begun = clock()
        call()
        times.append(clock() - begun)
    return sorted(times)[len(times) // 2]


def call(port, server, seconds):
    conn = rpyc.connect("127.0.0.1", port, config=CONFIG)
    root = conn.root
    f, numbers = root.f, root.numbers()
    later = rpyc.async_(f)
    data = os.urandom(1_000_000)

    def in_flight():
        results = [later() for _ in range(64)]
        for result in results:
            result.wait()

    def iterate():
        for _ in numbers:
            pass

    cores = sorted(os.sched_getaffinity(0))
    place(server, cores[:1])
    print("kept", median(f, seconds) * 1e6, flush=True)
    print("root", median(lambda: conn.root.f(), seconds) * 1e6, flush=True)
    print("loop", median(iterate, seconds, 1) * 1e3, flush=True)
    place(server, cores)
    print("async", median(in_flight, seconds, 3) * 1e6 / 64, flush=True)
    print("bulk", median(lambda: root.take(data), seconds, 3) * 1e6, flush=True)
    conn.close()
    os._exit(0)


if role == "serve":
    serve()
else:
    call(int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
