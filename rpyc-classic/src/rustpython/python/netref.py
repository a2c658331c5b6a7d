"""The base of all proxies of a client's objects."""

from _rpyc_native import BaseNetref
