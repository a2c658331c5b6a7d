"""Services that are written in Python: found, made, and told of their connections."""

import ast
import importlib
import logging
import sys


class Unusable(Exception):
    """What an option names can't be used: what is wrong, and what to do."""


def find(place):
    """What `module:name` names."""
    module, _, name = place.partition(":")
    if not module or not name:
        raise Unusable(
            "it is not of the form module:Class", "Name both, as in lab.magnets:MagnetService."
        )
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        # What the module itself imports is another matter.
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        raise Unusable(
            f"there is no module {error.name}",
            "Name the directory that it is in with --path, or install it for the Python that "
            f"runs it{_this_python()}.",
        ) from None
    home = found
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Unusable(f"the module {module} has no {name}", _candidates(home)) from None
    return found


def _this_python():
    return f" ({sys.executable})" if sys.executable else ""


def _candidates(module):
    is_service = lambda found: isinstance(found, type) and any(
        name.startswith("exposed_") for name in dir(found)
    )
    names = [name for name, found in vars(module).items() if is_service(found)]
    if not names:
        return "It has no class with names that begin with exposed_."
    return f"Classes with exposed_ names in it: {', '.join(names)}."


def is_class(service):
    """Whether each connection gets an instance of its own, rather than the object itself."""
    return isinstance(service, type)


def make(service):
    """A new instance."""
    return service()


def same(instance):
    """The object itself."""
    return instance


def names(service):
    """The names that a registry is told: those of the service, or made of its class's."""
    aliases = getattr(service, "get_service_aliases", None)
    if aliases is not None:
        return tuple(str(name).upper() for name in aliases())
    aliases = getattr(service, "ALIASES", ())
    cls = service if is_class(service) else type(service)
    name = cls.__name__.upper()
    return tuple(str(name).upper() for name in aliases) or (name.removesuffix("SERVICE") or name,)


def connected(instance, conn):
    """The connection works."""
    hook = getattr(instance, "on_connect", None)
    if hook is not None:
        hook(conn)


def disconnected(instance, conn):
    """The connection is closed."""
    hook = getattr(instance, "on_disconnect", None)
    if hook is not None:
        hook(conn)


def given_options(given):
    """Options of connections as they are given in texts: each is `name=value` or the `module:name` of a
    dict. Pairs of names and values."""
    options = {}
    for text in given:
        name, equals, value = text.partition("=")
        if equals:
            options[name.strip()] = _value(value.strip())
            continue
        found = find(text)
        try:
            options.update(found)
        except (TypeError, ValueError):
            raise Unusable(
                f"{text} is no dict", "Give NAME=VALUE, or module:name of a dict."
            ) from None
    return checked_options(options)


def _value(text):
    known = {"true": True, "false": False, "none": None}
    if text.lower() in known:
        return known[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def checked_options(options):
    """The options with the values that they come to."""
    checked = []
    for name, value in options.items():
        name = _OLDER_NAMES.get(name, name)
        check = _OPTIONS.get(name)
        if check is None:
            raise Unusable(
                f"there is no option {name}", f"The options are {', '.join(sorted(_OPTIONS))}."
            )
        try:
            checked.append((name, check(value)))
        except (TypeError, ValueError) as error:
            raise Unusable(f"{name}: {error}", f"{value!r} was given.") from None
    return tuple(checked)


def _names(value):
    if isinstance(value, str):
        raise TypeError("it takes names, in a set or a list")
    return tuple(str(name) for name in value)


def _text(value):
    if not isinstance(value, str):
        raise TypeError("it takes a text")
    return str(value)


def _optional_text(value):
    return None if value is None else _text(value)


def _seconds(value):
    if value is None:
        return None
    seconds = float(value)
    if not 0 <= seconds < 1 << 40:
        raise ValueError("it takes seconds, 0 or more, or None")
    return seconds


def _logger(value):
    if value is None:
        return None
    if isinstance(value, (logging.Logger, logging.LoggerAdapter)):
        value = getattr(value, "logger", value).name
    return _text(value)


def _function(value):
    if value is not None and not callable(value):
        raise TypeError("it takes a function")
    return value


def _endpoints(value):
    if value is None:
        return None
    return tuple((_text(host), int(port)) for host, port, *_ in value)


def _as_it_is(value):
    return value


_OLDER_NAMES = {
    "propagate_KeyboardInterrupt": "propagate_KeyboardInterrupt_locally",
    "propagate_SystemExit": "propagate_SystemExit_locally",
}
_OPTIONS = {
    "allow_all_attrs": bool,
    "allow_delattr": bool,
    "allow_exposed_attrs": bool,
    "allow_getattr": bool,
    "allow_pickle": bool,
    "allow_public_attrs": bool,
    "allow_safe_attrs": bool,
    "allow_setattr": bool,
    "before_closed": _function,
    "bind_threads": bool,
    "close_catchall": bool,
    "connid": _optional_text,
    "credentials": _as_it_is,
    "debug": bool,
    "endpoints": _endpoints,
    "exposed_prefix": _text,
    "import_custom_exceptions": bool,
    "include_local_traceback": bool,
    "include_local_version": bool,
    "instantiate_custom_exceptions": bool,
    "instantiate_oldstyle_exceptions": bool,
    "log_exceptions": bool,
    "logger": _logger,
    "propagate_KeyboardInterrupt_locally": bool,
    "propagate_SystemExit_locally": bool,
    "safe_attrs": _names,
    "sync_request_timeout": _seconds,
}
