"""Python's rpyc as a benchmark peer: the command line of bench-peers' own `serve` and `call`."""
import argparse
import collections
import logging
import os
import socket
import sys
import threading
import time

import rpyc

logging.disable(logging.CRITICAL)
parser = argparse.ArgumentParser()
parser.add_argument("role", choices=["serve", "call"])
parser.add_argument("program")
parser.add_argument("--cpu", type=int)
parser.add_argument("--kind", default="null")
for name, default in [("port", 0), ("calls", 1000), ("warmup", 0), ("load", 1)]:
    parser.add_argument("--" + name, type=int, default=default)
options = parser.parse_args()
if options.cpu is not None:
    os.sched_setaffinity(0, {options.cpu})


class Bench(rpyc.Service):
    def exposed_null(self):
        return None

    def exposed_fresh(self):
        return []

    def exposed_put(self, data):
        return len(data)


class Caller:
    def __init__(self):
        self.connection = rpyc.connect("127.0.0.1", options.port, config={"sync_request_timeout": 60})
        root = self.connection.root
        if options.program == "python-kept":
            self.null, self.fresh, self.put = root.null, root.fresh, root.put
        else:
            self.null = lambda: root.null()
            self.fresh = lambda: root.fresh()
            self.put = lambda data: root.put(data)

    def work(self, calls, each=lambda call: call()):
        if options.kind == "pipe":
            method, unanswered = rpyc.async_(self.null), collections.deque()
            for _ in range(calls):
                if len(unanswered) >= options.load:
                    unanswered.popleft().wait()
                unanswered.append(method())
            while unanswered:
                unanswered.popleft().wait()
        elif options.kind == "bulk":
            for _ in range(calls):
                each(lambda: self.put(data))
        else:
            call = self.fresh if options.kind == "fresh" else self.null
            for _ in range(calls):
                each(call)


def measure(calls, work):
    times, clock = [], time.perf_counter_ns

    def timed(call):
        begun = clock()
        call()
        times.append(clock() - begun)

    begun, processor = clock(), time.process_time()
    work(timed)
    seconds, processor = (clock() - begun) / 1e9, time.process_time() - processor
    times.sort()
    at = lambda part: times[int((len(times) - 1) * part)] / 1e3 if times else 0.0
    print(f"calls={calls} secs={seconds:.6f} p50={at(0.5):.3f} p99={at(0.99):.3f} cpu={processor:.6f}", flush=True)


if options.role == "serve":
    from rpyc.utils.server import ThreadedServer

    server = ThreadedServer(Bench, hostname="127.0.0.1", port=0)
    server._listen()  # before the port is told
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print("READY", server.port, flush=True)
    server.start()
else:
    data = os.urandom(options.load)
    if options.kind == "hold":
        callers = [Caller() for _ in range(options.load)]
        for caller in callers:
            caller.null()
        print("HELD", flush=True)
        sys.stdin.readline()
    elif options.kind == "fan":
        callers = [Caller() for _ in range(options.load)]
        share = options.calls // options.load

        def all_at_once(_):
            threads = [threading.Thread(target=caller.work, args=(share,)) for caller in callers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        measure(share * options.load, all_at_once)
    else:
        caller = Caller()
        caller.work(options.warmup)
        measure(options.calls, lambda timed: caller.work(options.calls, timed))
    os._exit(0)
