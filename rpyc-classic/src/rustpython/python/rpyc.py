"""A part of rpyc, as far as clients look for it on the server's side."""

__version__ = "6.0.2"
version = (6, 0, 2)
