"""What the clients of these tests begin with."""

import sys

import rpyc

PORT = int(sys.argv[1])


class Root(rpyc.Service):
    """What the client offers."""

    def exposed_answer(self):
        return "answer"


def connect(**config):
    return rpyc.connect("127.0.0.1", PORT, service=Root, config=config)


def show(what, function, *args):
    """Writes what the function gives, or which exception it raises."""
    try:
        print(what, repr(function(*args)))
    except Exception as error:
        print(what, type(error).__module__, type(error).__name__, repr(error.args)[:40])


def closed(root):
    """Has the service close the connection; says whether the client answered it before that."""
    try:
        root.close()
    except EOFError:
        print("closed")
    root = connect().root
    while "disconnected True" not in root.told():
        pass
    print("answer" in root.told())


def tried(what, function, *args):
    """Writes whether the function may be called."""
    try:
        print(what, "gives", repr(function(*args)))
    except AttributeError:
        print(what, "is refused")
