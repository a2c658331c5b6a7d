"""The version of the protocol."""

version = (6, 0, 2)
__version__ = version_string = "6.0.2"
release_date = ""
