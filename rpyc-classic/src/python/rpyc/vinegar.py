"""The base of peers' exceptions whose class isn't known here."""

from _rpyc_exceptions import GenericException
