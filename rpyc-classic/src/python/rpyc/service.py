"""The kinds of services, and the objects that classic mode is made of."""

import importlib


class Service:
    """The base of services."""

    ALIASES = ()

    def on_connect(self, conn):
        """The connection works."""

    def on_disconnect(self, conn):
        """The connection is closed."""

    def _rpyc_delattr(self, name):
        raise AttributeError("access denied")

    def _rpyc_setattr(self, name, value):
        raise AttributeError("access denied")

    @classmethod
    def get_service_aliases(cls):
        """The names under which it is known."""
        name = cls.__name__.upper().removesuffix("SERVICE")
        return tuple(str(alias).upper() for alias in cls.ALIASES) or (name,)

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
        self.namespace = {}

    def execute(self, text):
        """Executes statements in the namespace."""
        exec(text, self.namespace)

    def eval(self, text):
        """Evaluates an expression in the namespace."""
        return eval(text, self.namespace)

    def getmodule(self, name):
        """Imports a module."""
        return importlib.import_module(".".join(name) if type(name) is tuple else name)

    def getconn(self):
        """The connection, where there is one."""
        return self._conn


class SlaveService(Slave, Service):
    """Lets the peer run code."""


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
