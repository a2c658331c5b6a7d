"""Small things that programs take from rpyc.lib."""

import logging
import threading


def spawn(function, *args, **kwargs):
    """Starts a daemon thread and returns it."""
    thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


def setup_logger(quiet=False, logfile=None):
    """Has the root logger write warnings, or with quiet=False all, to stderr or to a file."""
    level = logging.ERROR if quiet else logging.DEBUG
    logging.basicConfig(level=level, **({"filename": logfile} if logfile else {}))
