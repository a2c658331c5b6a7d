"""Exceptions of peers: their classes here, and instances as they were raised there."""

import sys

# As they were at the start: clients may delete or replace those that all share.
BUILTINS = __builtins__

_HEADER = "\n\n========= Remote Traceback "
_TRAILER = " =========\n"


os_error, stop_iteration = OSError, StopIteration


class GenericException(Exception):
    """A peer's exception whose class isn't known here."""

    # Where programs find it.
    __module__ = "rpyc.core.vinegar"


class _Bounded:
    """Classes that are made of peers' names: so many, in so many characters, and then anew."""

    MAX_CLASSES = 256
    MAX_SIZE = 1 << 18

    def __init__(self):
        self._known, self._size = {}, 0

    def get(self, key, size, make):
        known = self._known.get(key)
        if known is not None:
            return known
        if size > self.MAX_SIZE:
            return make()
        if len(self._known) >= self.MAX_CLASSES or self._size + size > self.MAX_SIZE:
            self._known, self._size = {}, 0
        self._size += size
        return self._known.setdefault(key, make())


_generic_classes = _Bounded()
_remote_classes = _Bounded()


def find_class(module, name, is_group=False, instantiate=True, may_import=False):
    """The exception class of that name: a builtin one, one of a module that is loaded, or else one
    that stands for it. Nothing is imported because a peer named it, unless the side's own config
    says so; and one of a module is made where the config has `instantiate_custom_exceptions`."""
    module = _home(module)
    if may_import and module not in sys.modules:
        try:
            __import__(module)
        except Exception:
            # What stands for it will do.
            pass
    if module == "builtins":
        found = BUILTINS.get(name)
    elif not instantiate:
        found = None
    else:
        try:
            # Not by getattr: a module may run code for names that it hasn't.
            found = vars(sys.modules[module]).get(name)
        except Exception:
            found = None
    if isinstance(found, type) and issubclass(found, BaseException):
        return found
    return generic_class(module, name, is_group)


def generic_class(module, name, is_group=False):
    """The class that stands for one which isn't known here.

    One of the standard library's is caught as the builtin class that it derives from.
    """
    full_name = f"{module}.{name}"

    def make():
        nearest = BUILTINS[_NEAREST.get(full_name, "Exception")]
        home = module
        if is_group and BASE_GROUP:
            bases, home = (BUILTINS["ExceptionGroup"],), module + GROUPS
        elif nearest is Exception:
            bases = (GenericException,)
        elif issubclass(nearest, Exception):
            bases = (GenericException, nearest)
        else:
            bases = (nearest,)
        namespace = {
            "__module__": f"rpyc.core.vinegar/{home}",
            "_rpyc_origin": (home, name),
        }
        return type(full_name, bases, namespace)

    return _generic_classes.get(full_name, len(full_name), make)


def remote_class(cls, module, name):
    """The class for exceptions of that class that a peer raised under that name: their text ends
    with the remote traceback. A class from which none can be derived is its own."""
    if BUILTINS.get(cls.__name__) is cls or "_rpyc_origin" in vars(cls):
        size = len(module) + len(name)
        return _remote_classes.get((cls, module, name), size, lambda: _derived(cls, module, name))
    # Nothing here keeps a client's class, or what has been derived from it.
    for known in type.__subclasses__(cls):
        if vars(known).get("_rpyc_remote") == (module, name):
            return known
    return _derived(cls, module, name)


def _derived(cls, module, name):
    def __str__(self):
        try:
            text = cls.__str__(self)
        except Exception:
            text = "<Unprintable exception>"
        remote = getattr(self, "_remote_tb", None)
        return text if remote is None else text + _told(remote)

    def __repr__(self):
        return str(self)

    namespace = {
        "__str__": __str__,
        "__repr__": __repr__,
        "__module__": cls.__module__,
        "_rpyc_remote": (module, name),
    }
    if (cls.__module__, cls.__name__) != (module, name) and not hasattr(cls, "_rpyc_origin"):
        # Another name for the class, which the peer may not have by this one.
        namespace["_rpyc_origin"] = module, name
    try:
        return type(cls.__name__, (cls,), namespace)
    except Exception:
        return cls


def load(module, name, args, attributes, traceback, instantiate=True, may_import=False):
    """The exception that a peer raised."""
    if (module, name, traceback) == ("rpyc.core.async_", "AsyncResultTimeout", None):
        # A request of this side's has timed out.
        return sys.modules["_rpyc_async"].AsyncResultTimeout(*args)
    module = _home(module)
    names = {name for name, _ in attributes}
    is_group = {"derive", "split", "subgroup"} <= names
    cls = find_class(module, name, is_group, instantiate, may_import)
    derived = remote_class(cls, module, name)
    raised = instance(derived, args)
    for name, value in attributes:
        # The text of a method stands for it at its owner; here it would hide the method.
        if isinstance(value, str) and callable(getattr(cls, name, None)):
            continue
        try:
            setattr(raised, name, value)
        except Exception:
            # A property, or a value that the class refuses.
            pass
    if traceback is not None:
        try:
            raised._remote_tb = traceback
        except AttributeError:
            pass
        if derived is cls and hasattr(raised, "add_note"):
            raised.add_note(_told(traceback))
    return raised


def instance(cls, args):
    """An instance of the class with those arguments, made without running Python code of its."""
    if issubclass(cls, BASE_GROUP):
        # Of what is in a group, only the text has come.
        message = str(args[0]) if args else ""
        member = generic_class("builtins", "Exception")(args[1] if len(args) > 1 else None)
        raised = BASE_GROUP.__new__(cls, message, [member])
    else:
        raised = _native_new(cls)(cls)
    raised.args = args
    return raised


def _native_new(cls):
    for base in cls.__mro__:
        new = vars(base).get("__new__")
        if new is not None and not isinstance(new, staticmethod):
            return base.__new__
    return BaseException.__new__


def _home(module):
    # Python 2 has another name for the module of builtins.
    return "builtins" if module == "exceptions" else module.removesuffix(GROUPS)


def _told(traceback):
    return f"{_HEADER}({traceback.count(_HEADER) + 1}){_TRAILER}{traceback}"


# What a class of exception groups is said to be in, so that no peer has it: Python's rpyc makes
# exceptions without arguments, and loses one of a class that it knows where that can't be done.
GROUPS = ".groups"

# Before 3.11 there are none.
BASE_GROUP = BUILTINS.get("BaseExceptionGroup", ())


def _nearest(table):
    for line in table.split("\n"):
        if line:
            builtin, module, *names = line.split()
            for name in names:
                yield f"{module}.{name}", builtin


# The standard library's exceptions, in all versions of Python that peers run, and the builtin class
# that each derives from. Those that derive from Exception itself are left out.
_NEAREST = dict(
    _nearest(
        """
ArithmeticError decimal Clamped ConversionSyntax DecimalException DivisionImpossible FloatOperation
ArithmeticError decimal Inexact InvalidContext InvalidOperation Overflow Rounded Subnormal
ArithmeticError decimal Underflow
AttributeError dataclasses FrozenInstanceError
BaseException asyncio.exceptions CancelledError
ConnectionResetError http.client RemoteDisconnected
EOFError asyncio.exceptions IncompleteReadError
EOFError asyncio.streams IncompleteReadError
ImportError zipimport ZipImportError
KeyError zoneinfo._common ZoneInfoNotFoundError
LookupError encodings CodecRegistryError
ModuleNotFoundError importlib.metadata PackageNotFoundError
NotImplementedError pathlib._abc UnsupportedOperation
OSError dbm.sqlite3 error
OSError gzip BadGzipFile
OSError http.cookiejar LoadError
OSError io UnsupportedOperation
OSError shutil Error ExecError ReadError SameFileError SpecialFileError
OSError signal ItimerError itimer_error
OSError smtplib SMTPAuthenticationError SMTPConnectError SMTPDataError SMTPException SMTPHeloError
OSError smtplib SMTPNotSupportedError SMTPRecipientsRefused SMTPResponseException SMTPSenderRefused
OSError smtplib SMTPServerDisconnected
OSError socket gaierror herror timeout
OSError ssl SSLCertVerificationError SSLEOFError SSLError SSLSyscallError SSLWantReadError
OSError ssl SSLWantWriteError SSLZeroReturnError
OSError urllib.error ContentTooShortError HTTPError URLError
RuntimeError _frozen_importlib _DeadlockError
RuntimeError _interpchannels ChannelClosedError ChannelEmptyError ChannelError ChannelNotEmptyError
RuntimeError _interpchannels ChannelNotFoundError
RuntimeError _pyrepl.unix_console InvalidTerminal
RuntimeError asyncio.events SendfileNotAvailableError
RuntimeError asyncio.exceptions BrokenBarrierError SendfileNotAvailableError
RuntimeError concurrent.futures._base BrokenExecutor
RuntimeError concurrent.futures.process BrokenProcessPool
RuntimeError concurrent.futures.thread BrokenThreadPool
RuntimeError multiprocessing.resource_tracker ReentrantCallError
RuntimeError threading BrokenBarrierError
RuntimeWarning zoneinfo._tzpath InvalidTZPathWarning
SyntaxError xml.etree.ElementInclude FatalIncludeError LimitedRecursiveIncludeError
SyntaxError xml.etree.ElementTree ParseError
TypeError email.errors MultipartConversionError
UserWarning getpass GetPassWarning
ValueError _hashlib UnsupportedDigestmodError
ValueError binascii Error
ValueError calendar IllegalMonthError IllegalWeekdayError
ValueError email.errors CloseBoundaryNotFoundDefect FirstHeaderLineIsContinuationDefect
ValueError email.errors HeaderDefect HeaderMissingRequiredValue InvalidBase64CharactersDefect
ValueError email.errors InvalidBase64LengthDefect InvalidBase64PaddingDefect InvalidDateDefect
ValueError email.errors InvalidHeaderDefect InvalidMultipartContentTransferEncodingDefect
ValueError email.errors MessageDefect MisplacedEnvelopeHeaderDefect
ValueError email.errors MissingHeaderBodySeparatorDefect MultipartInvariantViolationDefect
ValueError email.errors NoBoundaryInMultipartDefect NonASCIILocalPartDefect NonPrintableDefect
ValueError email.errors ObsoleteHeaderDefect StartBoundaryNotFoundDefect UndecodableBytesDefect
ValueError graphlib CycleError
ValueError ipaddress AddressValueError NetmaskValueError
ValueError json.decoder JSONDecodeError
ValueError plistlib InvalidFileException
ValueError statistics StatisticsError
ValueError tomllib TOMLDecodeError
ValueError zipapp ZipAppError
Warning mailcap UnsafeMailcapInput
Warning wsgiref.validate WSGIWarning
ZeroDivisionError decimal DivisionByZero DivisionUndefined
"""
    )
)
