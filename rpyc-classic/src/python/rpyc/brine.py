"""The bytes of what goes by value."""

from _rpyc_requests import dump, dumpable, load
