"""The core, of which most programs need little: each name is imported at its first use."""

from _rpyc_package import lazily

__getattr__, __dir__ = lazily(
    __name__,
    globals(),
    """
    async_: async_ AsyncResult AsyncResultTimeout
    brine: brine
    channel: channel
    consts: consts
    netref: netref BaseNetref
    protocol: protocol DEFAULT_CONFIG Connection
    service: service ClassicService MasterService Service SlaveService VoidService
    stream: stream Channel PipeStream SocketStream
    vinegar: vinegar GenericException
    """,
)
