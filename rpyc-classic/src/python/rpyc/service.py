"""The kinds of services, and the objects that classic mode is made of."""

from _rpyc_session import Session as _Session
from _rpyc_session import import_module as _import_module


class Service:
    """The base of services, for those who want one: any class with `exposed_` names is served.

    `rpyc.Service` of Python's rpyc is served as well. Of the names below each may be left as it is.
    """

    ALIASES = ()
    """The names that a registry is told; by default the class's, less "Service" at its end."""

    def on_connect(self, conn):
        """The connection works; an exception refuses it. `conn.root` is what the peer offers."""

    def on_disconnect(self, conn):
        """The connection is closed, and can't be used any more."""

    def _rpyc_delattr(self, name):
        raise AttributeError("access denied")

    def _rpyc_setattr(self, name, value):
        raise AttributeError("access denied")

    @classmethod
    def get_service_aliases(cls):
        """The names under which it is known, in capitals."""
        name = cls.__name__.upper()
        return tuple(str(alias).upper() for alias in cls.ALIASES) or (name.removesuffix("SERVICE") or name,)

    @classmethod
    def get_service_name(cls):
        """The first of them."""
        return cls.get_service_aliases()[0]

    exposed_get_service_aliases = get_service_aliases
    exposed_get_service_name = get_service_name


class VoidService(Service):
    """Offers nothing."""


class Slave:
    """What classic mode offers, of this interpreter itself."""

    def __init__(self):
        self._conn = None
        self._session = _Session()

    @property
    def namespace(self):
        """What the code runs in."""
        return self._session.namespace

    def execute(self, text):
        """Executes statements in the namespace."""
        self._session.execute(text)

    def eval(self, text):
        """Evaluates an expression in the namespace."""
        return self._session.eval(text)

    def getmodule(self, name):
        """Imports a module."""
        return _import_module(".".join(name) if type(name) is tuple else name)

    def getconn(self):
        """The connection, where there is one."""
        return self._conn


_PERMITTED = """
    allow_all_attrs allow_pickle allow_getattr allow_setattr allow_delattr import_custom_exceptions
    instantiate_custom_exceptions instantiate_oldstyle_exceptions
""".split()


class SlaveService(Slave, Service):
    """Lets the peer run code: any, with whatever this process may do."""

    def on_connect(self, conn):
        """The peer may do everything."""
        self._conn = conn
        conn._config.update({**dict.fromkeys(_PERMITTED, True), "allow_exposed_attrs": False})
        super().on_connect(conn)

    def on_disconnect(self, conn):
        """The namespace is let go of."""
        self._conn = None
        self._session.end()
        super().on_disconnect(conn)


class MasterService(Service):
    """Uses a slave and offers nothing."""


class ClassicService(MasterService, SlaveService):
    """Both sides let the other run code."""


class ModuleNamespace:
    """Modules by attribute and in brackets."""

    def __init__(self, getmodule):
        self.__getmodule = getmodule
        self.__known = {}

    def __contains__(self, name):
        try:
            self[name]
        except ImportError:
            return False
        return True

    def __getitem__(self, name):
        if name not in self.__known:
            self.__known[name] = self.__getmodule(name)
        return self.__known[name]

    def __getattr__(self, name):
        try:
            return self[name]
        except ImportError:
            raise AttributeError(name) from None
