from . import async_ as async_
from . import brine as brine
from . import channel as channel
from . import consts as consts
from . import netref as netref
from . import protocol as protocol
from . import service as service
from . import stream as stream
from . import vinegar as vinegar
from .async_ import AsyncResult as AsyncResult
from .async_ import AsyncResultTimeout as AsyncResultTimeout
from .netref import BaseNetref as BaseNetref
from .protocol import DEFAULT_CONFIG as DEFAULT_CONFIG
from .protocol import Connection as Connection
from .service import ClassicService as ClassicService
from .service import MasterService as MasterService
from .service import Service as Service
from .service import SlaveService as SlaveService
from .service import VoidService as VoidService
from .stream import Channel as Channel
from .stream import PipeStream as PipeStream
from .stream import SocketStream as SocketStream
from .vinegar import GenericException as GenericException

def __dir__() -> list[str]: ...
