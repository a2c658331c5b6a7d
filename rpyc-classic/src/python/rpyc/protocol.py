"""Names that programs find in rpyc.core.protocol."""


class PingError(Exception):
    """The echo of a ping was another than what was sent."""


class Connection:
    """The class that connections say they are of. They are made by `rpyc.connect` and its kin."""

    def __new__(cls, *args, **kwargs):
        raise TypeError("a connection isn't made by its class here: use rpyc.connect()")
