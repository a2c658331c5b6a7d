from .._authenticators import AuthenticationError as AuthenticationError
from .._server import OneShotServer as OneShotServer
from .._server import Server as Server
from .._server import ThreadedServer as ThreadedServer
from .._server import ThreadPoolServer as ThreadPoolServer
