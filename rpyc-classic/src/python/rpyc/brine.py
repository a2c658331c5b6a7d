"""The bytes of what goes by value."""

from _rpyc_native import dump, dumpable, load
