"""The version of the protocol."""

__version__ = version_string = "6.0.2"
version = tuple(__version__.split("."))
release_date = ""
