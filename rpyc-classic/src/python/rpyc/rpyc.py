"""The part of rpyc that there is here: netrefs, helpers, connections. Most programs need little of it: each name
is imported at its first use."""

from _rpyc_package import lazily

__getattr__, __dir__ = lazily(
    __name__.partition(".")[0],
    globals(),
    """
    core: core
    core.async_: AsyncResult AsyncResultTimeout
    core.netref: BaseNetref
    core.protocol: Connection PingError
    core.service: ClassicService MasterService Service SlaveService VoidService
    core.stream: Channel PipeStream SocketStream
    core.vinegar: GenericException
    lib: lib setup_logger spawn
    utils: utils exposed service
    utils.classic: classic
    utils.factory: DiscoveryError ForbiddenError connect connect_by_service
    utils.factory: connect_channel connect_pipes connect_stdpipes connect_stream
    utils.factory: connect_subproc connect_thread discover list_services ssl_connect
    utils.factory: unix_connect
    utils.helpers: BgServingThread async async_ buffiter classpartial restricted
    utils.helpers: timed
    version: version __version__
    """,
)
