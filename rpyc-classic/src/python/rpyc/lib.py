"""Small things that programs take from rpyc.lib."""

import threading


def spawn(function, *args, **kwargs):
    """Starts a daemon thread and returns it."""
    thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread
