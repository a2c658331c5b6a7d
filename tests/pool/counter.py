"""A service that writes down each call before it does it, whatever becomes of it then."""

import os
import time

import rpyc

JOURNAL = os.environ["JOURNAL"]


def note(number):
    with open(os.path.join(JOURNAL, str(os.getpid())), "a") as file:
        file.write(f"{number}\n")


class CounterService(rpyc.Service):
    def exposed_count(self, number, pause):
        note(number)
        time.sleep(pause)
        return os.getpid()

    def exposed_crash_once(self, number):
        """Ends the first server that gets it."""
        note(number)
        try:
            os.close(os.open(os.path.join(JOURNAL, ".crashed"), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return os.getpid()
        os._exit(3)

    def exposed_refuse(self):
        raise ValueError("not here")
