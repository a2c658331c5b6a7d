"""A Python client of a classic server, as a benchmark: prints a line with a name and a number for each row."""
import os
import subprocess
import sys
import tempfile
import threading
import time

import rpyc

port, server, seconds, megabytes = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
clock = time.perf_counter
cores = sorted(os.sched_getaffinity(0))


def place(wanted):
    """The threads of both ends run on these processors; those that are started later, too."""
    os.sched_setaffinity(0, wanted)
    for thread in os.listdir(f"/proc/{server}/task"):
        try:
            os.sched_setaffinity(int(thread), wanted)
        except ProcessLookupError:
            pass


def times_of(call, warmup=50):
    """How long calls took, in microseconds, from the shortest on."""
    times, end = [], None
    while end is None or clock() < end:
        begun = clock()
        call()
        times.append(clock() - begun)
        if end is None and len(times) == warmup:
            times, end = [], clock() + seconds
    return [time * 1e6 for time in sorted(times)]


def median(call):
    times = times_of(call)
    return times[len(times) // 2]


def tell(name, number):
    print(name, number, flush=True)


if len(sys.argv) > 5:
    # One of those that call at once.
    conn = rpyc.classic.connect("127.0.0.1", port)
    conn.execute("def f(): pass")
    f = conn.namespace["f"]
    f()
    print("READY", flush=True)
    sys.stdin.readline()
    calls, end = 0, clock() + seconds
    while clock() < end:
        f()
        calls += 1
    print(calls / seconds, flush=True)
    os._exit(0)

conn = rpyc.classic.connect("127.0.0.1", port)
conn._config["sync_request_timeout"] = 120
conn.execute("""
import time
def f(): pass
def calls(function, seconds):
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return sorted(times)[len(times) // 2] * 1e6
def adds():
    total, n, begun = 0, 10_000_000, time.perf_counter()
    while n:
        total += n
        n -= 1
    return (time.perf_counter() - begun) * 1e3
def forever(stop):
    while not stop: pass
""")
f, eval_ = conn.namespace["f"], conn.eval
place(cores[:1])
tell("f()", median(f))
tell("eval", median(lambda: eval_("1+1")))
conn.namespace["calls"](lambda: None, seconds / 10)
tell("callback", conn.namespace["calls"](lambda: None, seconds))
numbers = conn.eval("list(range(3000))")
lists = []
for _ in range(3):
    begun = clock()
    assert len(list(numbers)) == 3000
    lists.append(clock() - begun)
tell("listing", sorted(lists)[1] * 1e3)
place(cores)
if megabytes:
    with tempfile.TemporaryDirectory() as folder:
        local, remote = os.path.join(folder, "local"), os.path.join(folder, "remote")
        with open(local, "wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(1_000_000))
        begun = clock()
        rpyc.classic.upload_file(conn, local, remote)
        tell("upload", megabytes / (clock() - begun))
        assert os.path.getsize(remote) == megabytes * 1_000_000
tell("loop", conn.namespace["adds"]())
with rpyc.classic.connect("127.0.0.1", port) as busy:
    stop = conn.eval("[]")
    busy.execute("def forever(stop):\n    while not stop: pass")
    conn.modules.sys.stop = stop
    running = rpyc.async_(busy.eval)("forever(__import__('sys').stop)")
    # Some wait for the loop, others come one after the other meanwhile: the mean counts.
    times = times_of(f, 5)
    tell("beside a loop", sum(times) / len(times))
    assert not running.ready, running.value
    stop.append(1)
    running.wait()
command = [sys.executable, "-c", open("/proc/self/cmdline").read().split("\0")[2], str(port), str(server), str(seconds), "0", "all"]
pipe = subprocess.PIPE
clients = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
for client in clients:
    client.stdout.readline()
for client in clients:
    client.stdin.write("\n")
    client.stdin.flush()
tell("four clients", sum(float(client.communicate()[0]) for client in clients) / 1e3)
os._exit(0)
