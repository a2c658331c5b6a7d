# What the scripts about endurance find besides the helpers: a look at the server's process.
import gc
import random
import socket
import struct

STATE, PARENT, USER_TIME, SYSTEM_TIME = 0, 1, 11, 12


def process_fields(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def cpu_seconds():
    fields = process_fields(SERVER)
    return (int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])) / os.sysconf("SC_CLK_TCK")


def megabytes():
    with open(f"/proc/{SERVER}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors():
    return len(os.listdir(f"/proc/{SERVER}/fd"))


def threads():
    return len(os.listdir(f"/proc/{SERVER}/task"))


def runnable():
    """How many of the server's threads run, or wait for a core alone."""
    states = []
    for thread in os.listdir(f"/proc/{SERVER}/task"):
        try:
            with open(f"/proc/{SERVER}/task/{thread}/stat") as file:
                states.append(file.read().rpartition(")")[2].split()[STATE])
        except OSError:
            # It has just ended.
            pass
    return states.count("R")


def zombies():
    """The server's children that nobody has waited for."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = process_fields(name)
            except OSError:
                continue
            if fields[STATE] == "Z" and int(fields[PARENT]) == SERVER:
                found.append(name)
    return found


def vanish(conn):
    """Ends a connection as a crash does: by a reset."""
    sock = conn._channel.stream.sock
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def settles(watcher, what, now, before, slack=0):
    """Waits until a number is back to what it was."""
    def settled():
        watcher.root.eval("__import__('gc').collect()")
        return now() <= before + slack
    eventually(settled, f"{what} back to {before} from {now()}")


def together(count, work):
    """Runs work(0), work(1), ... at once; one failure is everybody's."""
    errors = []
    def run(k):
        try:
            work(k)
        except BaseException as error:
            import traceback
            errors.append(traceback.format_exc())
    workers = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not errors, "\n".join(errors[:3])
